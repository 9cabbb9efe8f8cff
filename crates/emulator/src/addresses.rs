//! Where an emulator is reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

/// Where an emulator listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// AWS APIs, instance metadata and the default registry.
    pub main: SocketAddr,
    /// For each registry with a port, its ECR host name and the `localhost:PORT` that stands for it.
    pub registries: BTreeMap<String, String>,
    /// What blob downloads are redirected to.
    pub blob: SocketAddr,
    /// The Unix socket that serves the same as `main`.
    pub unix: Option<PathBuf>,
    /// The control address.
    pub control: Option<SocketAddr>,
    /// Where everything is served over TLS.
    pub tls: Option<TlsAddresses>,
}

/// Where an emulator listens for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsAddresses {
    /// The same as on the main listener.
    pub main: SocketAddr,
    /// What blob downloads are redirected to for clients that came over TLS.
    pub blob: SocketAddr,
    /// The certificate of the authority to trust, in PEM form. It is another one in every run.
    pub ca: PathBuf,
}
