//! The HTTP client: whom it trusts, where it may go, and how long it waits.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, NoProxy};

use crate::error::SetupError;
use crate::exceptions;

/// What no proxy is asked for, whatever the exceptions say: this machine and link-local addresses.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10";

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The longest file of root certificates, in bytes.
const MAX_BUNDLE_BYTES: u64 = 4 * 1024 * 1024;

/// What a client is made from.
#[derive(Clone, Default)]
pub struct Options {
    /// The proxy for HTTPS.
    pub proxy: Option<Proxy>,
    /// Root certificates in PEM format, beside those of this machine.
    pub further_roots: Option<Vec<u8>>,
    /// Hosts that may be asked for tokens beside the registry's own and those known to belong to a public registry.
    pub realm_hosts: Vec<String>,
    /// How long one image may take, all its requests together; 30 seconds if not given.
    pub deadline: Option<Duration>,
}

impl Options {
    /// Proxy and certificates as the variables of a process say, by the names that ecru knows elsewhere too.
    ///
    /// # Errors
    /// If AWS_CA_BUNDLE names a file that cannot be read.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let proxy = first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
            .map(|url| Proxy { url, exceptions: first(&["NO_PROXY", "no_proxy"]).unwrap_or_default() });
        let further_roots = variable("AWS_CA_BUNDLE").map(bundle).transpose()?;
        Ok(Self { proxy, further_roots, ..Self::default() })
    }
}

fn bundle(path: String) -> Result<Vec<u8>, SetupError> {
    let mut content = Vec::new();
    let read =
        std::fs::File::open(&path).and_then(|file| file.take(MAX_BUNDLE_BYTES).read_to_end(&mut content));
    match read {
        Ok(_) => Ok(content),
        Err(error) => Err(SetupError::Bundle { path, reason: error.to_string() }),
    }
}

/// A proxy. Its address may hold a password, so there is no `Debug`.
#[derive(Clone)]
pub struct Proxy {
    /// Its address.
    pub url: String,
    /// What is reached without it, as NO_PROXY names it.
    pub exceptions: String,
}

pub(crate) fn client(options: &Options) -> Result<Client, SetupError> {
    // An earlier provider is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(ANSWER_DEADLINE)
        .user_agent(concat!("ecru/", env!("CARGO_PKG_VERSION")))
        // Plain HTTP goes to this name, and nobody else says where that is.
        .resolve("localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .tls_certs_only(roots(options.further_roots.as_deref())?);
    // Either call also keeps the client from looking for proxies in the environment.
    let builder = match &options.proxy {
        None => builder.no_proxy(),
        Some(proxy) => {
            let exceptions = exceptions::hosts(&proxy.exceptions);
            let exceptions = NoProxy::from_string(&format!("{NEVER_PROXIED},{exceptions}"));
            let proxy = reqwest::Proxy::https(&proxy.url).map_err(|_| SetupError::Proxy)?;
            builder.proxy(proxy.no_proxy(exceptions))
        }
    };
    builder.build().map_err(|error| SetupError::Client(error.to_string()))
}

/// The roots of this machine, those of Mozilla if it has none, and those that the user adds.
fn roots(further: Option<&[u8]>) -> Result<Vec<Certificate>, SetupError> {
    let own = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<Certificate> =
        own.iter().filter_map(|root| Certificate::from_der(root.as_ref()).ok()).collect();
    if roots.is_empty() {
        let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        roots.extend(mozilla.filter_map(|root| Certificate::from_der(root.as_ref()).ok()));
    }
    if let Some(further) = further {
        let further = Certificate::from_pem_bundle(further).map_err(|_| SetupError::Roots)?;
        if further.is_empty() {
            return Err(SetupError::Roots);
        }
        roots.extend(further);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_made_with_and_without_a_proxy() {
        assert!(client(&Options::default()).is_ok());
        let with_proxy = |url: &str| {
            let proxy = Proxy { url: url.to_owned(), exceptions: "example.org".to_owned() };
            client(&Options { proxy: Some(proxy), ..Options::default() })
        };
        assert!(with_proxy("http://127.0.0.1:9").is_ok());
        let refused = with_proxy("://s3cr3t").unwrap_err().to_string();
        assert!(!refused.contains("s3cr3t"), "{refused}");
    }

    #[test]
    fn variables_name_proxy_and_roots() {
        let from = |variables: &[(&str, &str)]| {
            let owned = |(_, value): &(&str, &str)| (*value).to_owned();
            Options::from_variables(|name| variables.iter().find(|(other, _)| *other == name).map(owned))
        };
        let options = from(&[("https_proxy", "http://127.0.0.1:9"), ("NO_PROXY", "example.org")]).unwrap();
        assert!(options.proxy.is_some_and(|proxy| proxy.exceptions == "example.org"));
        assert!(from(&[]).unwrap().proxy.is_none());
        let missing = from(&[("AWS_CA_BUNDLE", "/nonexistent/ca.pem")]).err().unwrap();
        assert!(missing.to_string().contains("/nonexistent/ca.pem") && missing.hint().is_some());
    }

    #[test]
    fn roots_that_are_none_are_refused() {
        let with_roots = |pem: &str| {
            client(&Options { further_roots: Some(pem.as_bytes().to_vec()), ..Options::default() })
        };
        assert!(with_roots("").is_err());
        assert!(with_roots("-----BEGIN CERTIFICATE-----\n!").is_err());
    }
}
