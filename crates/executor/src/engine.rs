//! The connection to a Docker engine.

mod address;
mod error;

use std::future::Future;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use tokio::time::timeout;

use crate::credential::AuthHeader;
use address::EngineAddress;
pub use error::EngineError;

/// How long an engine may take to answer the first questions. A running engine answers in milliseconds; the margin
/// is for one that is starting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long one short call may take. Creating a container can copy a volume's content, hence minutes, not seconds.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// How long the engine may be silent before it answers the head of a response. A pull answers only when the registry
/// has told it something.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(300);

/// A connection to one Docker engine, speaking an API version that both sides know.
///
/// Cloning is cheap: clones share the connection settings.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    address: EngineAddress,
    description: EngineDescription,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineDescription {
    /// The address that it was reached at, such as `unix:///var/run/docker.sock`.
    pub address: String,
    /// The engine's name, usually the host name of its machine; empty if it gives none.
    pub name: String,
    /// The engine's version, such as `28.3.0`.
    pub version: String,
    /// The API version that is spoken with it, such as `1.41`.
    pub api_version: String,
    /// The newest API version that the engine speaks; empty if it does not tell.
    pub newest_api_version: String,
    /// The folder of its images and containers on its machine; empty if it gives none.
    pub data_root: String,
    /// Whether containerd has its images, in a folder of its own; so it is by default since Docker 29.
    pub has_containerd_store: bool,
    /// The operating system of its machine, such as `Debian GNU/Linux 12 (bookworm)` or `Docker Desktop`.
    pub operating_system: String,
    /// The platform that its containers run on by default, such as `linux/amd64`.
    pub platform: String,
    /// True if the engine runs without root rights; its container addresses are then unreachable from outside.
    pub rootless: bool,
}

impl Engine {
    /// Connects to the engine at `host`, or at `unix:///var/run/docker.sock` if `host` is `None`.
    ///
    /// `host` has the form of `DOCKER_HOST`: `unix://PATH` or `tcp://HOST:PORT` (plain HTTP; TLS is not supported).
    /// The API version is negotiated.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnsupportedAddress`] for another form of address, [`EngineError::Unreachable`] if nothing
    /// answers there as a Docker engine does within ten seconds.
    pub async fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let address = host.map_or_else(|| Ok(EngineAddress::default()), str::parse)?;
        let connecting = Self::connect_and_ask(&address);
        match timeout(CONNECT_DEADLINE, connecting).await {
            Ok(Ok(engine)) => Ok(engine),
            Ok(Err(error)) => Err(EngineError::unreachable(&address, &error)),
            Err(_) => Err(EngineError::Unreachable {
                address: address.to_string(),
                reason: format!("no answer within {} s", CONNECT_DEADLINE.as_secs()),
            }),
        }
    }

    async fn connect_and_ask(address: &EngineAddress) -> Result<Self, bollard::errors::Error> {
        let unversioned = address.open(RESPONSE_DEADLINE, API_DEFAULT_VERSION)?;
        let docker = unversioned.negotiate_version().await?;
        let api_version = docker.client_version().to_string();
        let prefix = format!("/v{api_version}");
        let docker = docker.with_request_modifier(move |request| with_path_prefix(request, &prefix));
        let info = docker.info().await?;
        let newest_api_version = docker.version().await.ok().and_then(|version| version.api_version);
        let platform = format!(
            "{}/{}",
            info.os_type.as_deref().unwrap_or("linux"),
            architecture_name(info.architecture.as_deref().unwrap_or("unknown")),
        );
        let security_options = info.security_options.unwrap_or_default();
        let description = EngineDescription {
            address: address.to_string(),
            name: info.name.unwrap_or_default(),
            version: info.server_version.unwrap_or_default(),
            api_version,
            newest_api_version: newest_api_version.unwrap_or_default(),
            data_root: info.docker_root_dir.unwrap_or_default(),
            has_containerd_store: names_containerd(&info.driver_status.unwrap_or_default()),
            operating_system: info.operating_system.unwrap_or_default(),
            platform,
            rootless: security_options.iter().any(|option| option == "name=rootless"),
        };
        Ok(Self { docker, address: address.clone(), description })
    }

    /// Returns what the engine said of itself when it was connected.
    #[must_use]
    pub fn describe(&self) -> &EngineDescription {
        &self.description
    }

    /// Returns true if this process can be expected to reach container addresses of the engine: not on another
    /// machine, not in Docker Desktop's virtual machine, not in a rootless engine's network namespace.
    pub(crate) fn reaches_containers(&self) -> bool {
        self.address.is_local()
            && !self.description.rootless
            && self.description.operating_system != "Docker Desktop"
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Returns a client whose requests carry `auth`. The header of `bollard` itself is not used, because it encodes
    /// the JSON in the standard base64 alphabet; engines decode the URL-safe one and take anything else as "no
    /// credentials", without an error (Docker API, "Authentication": base64url, RFC 4648 section 5).
    pub(crate) fn docker_with_auth(&self, auth: Option<AuthHeader>) -> Docker {
        let Some(auth) = auth else {
            return self.docker.clone();
        };
        let prefix = format!("/v{}", self.description.api_version);
        self.docker
            .clone()
            .with_request_modifier(move |request| auth.insert_into(with_path_prefix(request, &prefix)))
    }

    /// Awaits one short engine call within its deadline. `operation` says what was done, as in "create the network".
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        match timeout(CALL_DEADLINE, call).await {
            Ok(answer) => answer.map_err(|error| EngineError::from_call(operation, &error)),
            Err(_) => Err(EngineError::TimedOut { operation, limit: CALL_DEADLINE }),
        }
    }
}

/// Pins a request to the negotiated API version. `bollard` negotiates a version but sends paths without it, which
/// the Docker API calls deprecated, and which lets a newer engine answer in a newer form.
fn with_path_prefix(mut request: BollardRequest, prefix: &str) -> BollardRequest {
    let Some(path) = request.uri().path_and_query() else {
        return request;
    };
    let path = format!("{prefix}{path}").parse().ok();
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = path;
    if let Ok(uri) = parts.try_into() {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns true if the state of the storage driver names containerd (moby `daemon/containerd/service.go`, `Status`).
fn names_containerd(driver_status: &[Vec<String>]) -> bool {
    driver_status.iter().flatten().any(|word| word.starts_with("io.containerd.snapshotter"))
}

/// Returns the OCI name of a machine architecture that the engine reports as the kernel does (`uname -m`).
fn architecture_name(kernel_name: &str) -> &str {
    match kernel_name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" | "armv6l" => "arm",
        "i686" | "i386" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_names_containerd() {
        let status = |words: [&str; 2]| names_containerd(&[words.map(str::to_owned).to_vec()]);
        assert!(status(["driver-type", "io.containerd.snapshotter.v1"]));
        assert!(!status(["Backing Filesystem", "extfs"]) && !names_containerd(&[]));
    }

    #[test]
    fn the_path_is_pinned_and_the_query_kept() {
        let mut request = BollardRequest::new(bollard::body_full(bytes::Bytes::new()));
        *request.uri_mut() = "unix://2f746d70/images/create?fromImage=a%2Fb&tag=1".parse().unwrap();

        let pinned = with_path_prefix(request, "/v1.41");

        assert_eq!(pinned.uri().to_string(), "unix://2f746d70/v1.41/images/create?fromImage=a%2Fb&tag=1");
    }

    #[test]
    fn architectures_are_named_as_in_image_platforms() {
        assert_eq!(architecture_name("x86_64"), "amd64");
        assert_eq!(architecture_name("aarch64"), "arm64");
        assert_eq!(architecture_name("riscv64"), "riscv64");
    }

    #[tokio::test]
    async fn a_missing_socket_is_named_with_a_hint() {
        let error = Engine::connect(Some("unix:///nonexistent/docker.sock")).await.unwrap_err();

        let EngineError::Unreachable { address, .. } = &error else {
            panic!("unexpected error: {error:?}");
        };
        assert_eq!(address, "unix:///nonexistent/docker.sock");
        assert!(error.to_string().contains("unix:///nonexistent/docker.sock"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("DOCKER_HOST")));
    }

    #[tokio::test]
    async fn a_closed_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);

        let error = Engine::connect(Some(&format!("tcp://{address}"))).await.unwrap_err();

        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn something_else_than_an_engine_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut connection, b"220 smtp ready\r\n").await.unwrap();
        });

        let error = Engine::connect(Some(&format!("tcp://{address}"))).await.unwrap_err();

        assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
        server.await.unwrap();
    }
}
