//! The one way to the network: what the SDK may connect to, how long it may take, and how much it may read.
//!
//! Redirects are never followed, since the client underneath follows none. Plain HTTP reaches this machine and the
//! well-known metadata addresses only, checked on the address that is connected to, and never through a proxy.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use http::Uri;
use http::uri::Scheme;
use http_body_util::Limited;

use super::metadata::{MetadataService, is_metadata};
use super::progress::Progress;
use super::proxy::{Proxy, Way};
use super::roots::{self, Bundle};
use crate::environment::Environment;

/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// The header with the time of the other side.
const DATE: &str = "date";

/// The seconds that a clock may show: from 1970 to the end of 9998.
const CLOCK_SECONDS: Range<i64> = 0..253_370_764_800;

/// The addresses beside this machine's own that are reached by plain HTTP: EC2's metadata service, ECS, and EKS Pod
/// Identity (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
const METADATA_ADDRESSES: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"];

/// What encrypts.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// The HTTP client that the SDK is given.
#[derive(Debug, Clone)]
pub(super) struct GuardedClient {
    shared: Arc<Shared>,
    // Not in what is shared with the connectors: they would keep each other for ever.
    connectors: Arc<Mutex<HashMap<Timeouts, SharedHttpConnector>>>,
}

#[derive(Debug)]
struct Shared {
    bundle: Option<Bundle>,
    progress: Progress,
    instead_of_network: Option<SharedHttpConnector>,
    metadata: MetadataService,
    proxy: Proxy,
}

/// The time-outs that tell one connector from another: for the connection, and for the head of the answer.
type Timeouts = (Option<Duration>, Option<Duration>);

impl GuardedClient {
    /// The guard before the network.
    pub(super) fn new(environment: &Environment, bundle: Option<Bundle>, progress: Progress) -> Self {
        Self::before(None, environment, bundle, progress)
    }

    /// The same guard before this connector, for the fuzz targets.
    pub(super) fn before_connector(connector: SharedHttpConnector, progress: Progress) -> Self {
        Self::before(Some(connector), &Environment::default(), None, progress)
    }

    fn before(
        instead_of_network: Option<SharedHttpConnector>,
        environment: &Environment,
        bundle: Option<Bundle>,
        progress: Progress,
    ) -> Self {
        let metadata = MetadataService::new(progress.clone());
        let proxy = Proxy::of(environment);
        let shared = Shared { bundle, progress, instead_of_network, metadata, proxy };
        Self { shared: Arc::new(shared), connectors: Arc::default() }
    }
}

impl HttpClient for GuardedClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let make = || {
            SharedHttpConnector::new(GuardedConnector {
                settings: settings.clone(),
                shared: Arc::clone(&self.shared),
                plain: OnceLock::new(),
                direct: OnceLock::new(),
                through_proxy: OnceLock::new(),
            })
        };
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        match self.connectors.lock() {
            Ok(mut connectors) => connectors.entry(timeouts).or_insert_with(make).clone(),
            Err(_) => make(),
        }
    }
}

/// A connector for one set of time-outs. What TLS needs is only loaded for the first connection that uses it.
#[derive(Debug)]
struct GuardedConnector {
    settings: HttpConnectorSettings,
    shared: Arc<Shared>,
    plain: OnceLock<Result<SharedHttpConnector, String>>,
    direct: OnceLock<Result<SharedHttpConnector, String>>,
    through_proxy: OnceLock<Result<SharedHttpConnector, String>>,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, uri, way) = match self.connector_for(request.uri()) {
            Ok(found) => found,
            Err(refusal) => return HttpConnectorFuture::ready(Err(ConnectorError::user(refusal.into()))),
        };
        let is_metadata = is_plain(&uri) && is_metadata(&uri);
        let endpoint = endpoint(&uri);
        // Paths and headers may hold secrets.
        tracing::debug!(method = request.method(), %endpoint, ?way, "a request is sent");
        let progress = &self.shared.progress;
        match way {
            Way::Direct if is_metadata => progress.wait_for_metadata(&endpoint),
            Way::Direct => progress.wait_for(endpoint),
            Way::Through(proxy) => progress.wait_for(format!("{endpoint} through the proxy {proxy}")),
            Way::PassedOver(variable) => {
                progress.wait_for(format!("{endpoint} without {variable}, which names no HTTP proxy,"));
            }
        }
        let answer = connector.call(request);
        if !is_metadata {
            return HttpConnectorFuture::new(async move { answer.await.inspect(told).map(limited) });
        }
        let shared = Arc::clone(&self.shared);
        HttpConnectorFuture::new(async move {
            shared.metadata.answer(uri.path(), answer).await.inspect(told).map(limited)
        })
    }
}

impl GuardedConnector {
    fn connector_for(&self, uri: &str) -> Result<(&SharedHttpConnector, Uri, Way), Refusal> {
        let uri = Uri::try_from(uri).map_err(|_| Refusal::NoAddress)?;
        let is_plain = is_plain(&uri);
        if is_plain {
            check_plain_host(&uri)?;
        }
        let way = if is_plain { Way::Direct } else { self.shared.proxy.way(&uri).map_err(Refusal::Setup)? };
        if let Some(connector) = &self.shared.instead_of_network {
            return Ok((connector, uri, way));
        }
        let connector = match &way {
            Way::Direct if is_plain => self.plain.get_or_init(|| plain_connector(&self.settings)),
            Way::Direct | Way::PassedOver(_) => self
                .direct
                .get_or_init(|| secure_connector(&self.settings, &self.shared, ProxyConfig::disabled())),
            Way::Through(_) => self
                .through_proxy
                .get_or_init(|| secure_connector(&self.settings, &self.shared, self.shared.proxy.config()?)),
        };
        match connector {
            Ok(connector) => Ok((connector, uri, way)),
            Err(problem) => Err(Refusal::Setup(problem.clone())),
        }
    }
}

/// Host and port, without a user name and a password that may stand before them.
fn endpoint(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn told(answer: &HttpResponse) {
    tracing::debug!(status = answer.status().as_u16(), "an answer came");
}

fn plain_connector(settings: &HttpConnectorSettings) -> Result<SharedHttpConnector, String> {
    let builder = Connector::builder().connector_settings(settings.clone()).tls_provider(TLS);
    let builder = builder.tls_context(roots::no_tls_context()?);
    Ok(SharedHttpConnector::new(builder.build_with_resolver(PlainResolver)))
}

fn secure_connector(
    settings: &HttpConnectorSettings,
    shared: &Shared,
    proxy: ProxyConfig,
) -> Result<SharedHttpConnector, String> {
    let builder = Connector::builder().connector_settings(settings.clone()).tls_provider(TLS);
    let builder = builder.tls_context(roots::tls_context(shared.bundle.as_ref())?);
    let builder = builder.proxy_config(proxy);
    Ok(SharedHttpConnector::new(builder.build()))
}

/// Why a connection is not even tried.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The address cannot be read.
    NoAddress,
    /// Plain HTTP would leave this machine.
    PlainHttp { host: String },
    /// The client cannot be made.
    Setup(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => formatter.write_str("an endpoint is not a valid address"),
            Self::PlainHttp { host } => {
                write!(
                    formatter,
                    "plain HTTP to `{host}` is refused: only this machine is reached without TLS"
                )
            }
            Self::Setup(problem) => formatter.write_str(problem),
        }
    }
}

impl Error for Refusal {}

fn is_plain(uri: &Uri) -> bool {
    uri.scheme() != Some(&Scheme::HTTPS)
}

/// Refuses addresses outside this machine. Names are checked when they are resolved.
fn check_plain_host(uri: &Uri) -> Result<(), Refusal> {
    let host = uri.host().ok_or(Refusal::NoAddress)?;
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(address) if !may_be_plain(address) => Err(Refusal::PlainHttp { host: host.to_owned() }),
        _ => Ok(()),
    }
}

/// Whether plain HTTP may go to this address.
pub(super) fn may_be_plain(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback()
        || METADATA_ADDRESSES
            .iter()
            .any(|allowed| allowed.parse::<IpAddr>().is_ok_and(|allowed| allowed == address))
}

/// Resolves names for plain HTTP, and refuses them unless all of their addresses are allowed.
#[derive(Debug, Clone, Copy)]
struct PlainResolver;

impl ResolveDns for PlainResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            if addresses.iter().all(|address| may_be_plain(*address)) {
                Ok(addresses)
            } else {
                Err(ResolveDnsError::new(Refusal::PlainHttp { host: name.to_owned() }))
            }
        })
    }
}

/// The answer, of which at most [`MAX_ANSWER_BYTES`] can be read, and without a date that no clock shows: aws-runtime
/// takes over the time of AWS for the next try, and panics where that cannot be written (`request_info.rs`).
fn limited(mut answer: HttpResponse) -> HttpResponse {
    if !answer.headers().get(DATE).is_some_and(is_of_a_clock) {
        answer.headers_mut().remove(DATE);
    }
    answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, MAX_ANSWER_BYTES)))
}

fn is_of_a_clock(date: &str) -> bool {
    DateTime::from_str(date, Format::HttpDate).is_ok_and(|date| CLOCK_SECONDS.contains(&date.secs()))
}
