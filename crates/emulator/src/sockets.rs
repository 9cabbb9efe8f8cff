//! The sockets of one emulator: bound first, so that the cloud can know their addresses, and served then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use crate::accounts::RegistryId;
use crate::addresses::{Addresses, TlsAddresses};
use crate::cloud::{Cloud, Entrance};
use crate::control;
use crate::emulator::StartError;
use crate::layer_bucket;
use crate::listener::{Listeners, Socket, SocketFile, bind_tcp, bind_unix};
use crate::options::{Options, TlsOptions};
use crate::registry::{Door, public};
use crate::requests::{Listener, watched};
use crate::routes;
use crate::store::{StateFolder, StoreError};
use crate::tls;

/// Everything that an emulator listens on.
pub(crate) struct Sockets {
    main: TcpListener,
    bucket: TcpListener,
    registries: Vec<(Door, TcpListener)>,
    unix: Option<(UnixListener, SocketFile)>,
    tls: Option<TlsSockets>,
    control: Option<(TcpListener, SocketAddr)>,
    pub(crate) addresses: Addresses,
}

impl Sockets {
    /// Binds what the options ask for. `registries` have ports of their own.
    pub(crate) async fn bind(
        options: &Options,
        registries: &BTreeMap<RegistryId, u16>,
        folder: &StateFolder,
    ) -> Result<Self, StartError> {
        let bind_port = |what, port| bind(what, SocketAddr::new(options.listen.ip(), port));
        let (main, main_address) = bind_port("the main listener", options.listen.port()).await?;
        let (bucket, bucket_address) = bind_port("the blob listener", options.blob_port).await?;
        let mut addresses = Addresses {
            main: main_address,
            registries: BTreeMap::from([(RegistryId::default().host(), localhost(main_address))]),
            blob: bucket_address,
            unix: options.unix_socket.clone(),
            control: None,
            tls: None,
        };
        let mut listeners = Vec::new();
        for (registry, port) in registries {
            let (listener, address) = bind_port("a registry", *port).await?;
            addresses.registries.insert(registry.host(), localhost(address));
            listeners.push((Door::Private(registry.clone()), listener));
        }
        if let Some(port) = options.public_port {
            let (listener, address) = bind_port("ECR Public", port).await?;
            addresses.registries.insert(public::HOST.into(), localhost(address));
            listeners.push((Door::Public, listener));
        }
        let tls = match &options.tls {
            None => None,
            Some(tls) => Some(TlsSockets::bind(tls, options, registries, folder).await?),
        };
        addresses.tls = tls.as_ref().map(|tls| tls.addresses.clone());
        let unix = match &options.unix_socket {
            None => None,
            Some(path) => {
                let failed = |source| StartError::Unix { path: path.clone(), source };
                Some(bind_unix(path).await.map_err(failed)?)
            }
        };
        let control = match options.control {
            None => None,
            Some(port) => Some(bind_port("the control address", port).await?),
        };
        addresses.control = control.as_ref().map(|(_, address)| *address);
        Ok(Self { main, bucket, registries: listeners, unix, tls, control, addresses })
    }

    /// Serves the cloud on all of them, from now on.
    pub(crate) fn serve(self, cloud: &Arc<Cloud>) -> Listeners {
        let entrance = |door, secure| Entrance { cloud: cloud.clone(), door, secure };
        let default = entrance(Door::Private(RegistryId::default()), false);
        let mut listeners = Listeners::new();
        let services = |entrance, listener| watched(routes::router(entrance), cloud, listener);
        let bucket = |entrance, listener| watched(layer_bucket::router(entrance), cloud, listener);
        listeners.serve(Socket::Tcp(self.main), services(default.clone(), Listener::Main));
        listeners.serve(Socket::Tcp(self.bucket), bucket(default.clone(), Listener::Blobs));
        for (door, listener) in self.registries {
            let entrance = entrance(door, false);
            listeners.serve(Socket::Tcp(listener), services(entrance, Listener::Registry));
        }
        if let Some((listener, _file)) = self.unix {
            listeners.serve(Socket::Unix { listener, _file }, services(default, Listener::Unix));
        }
        if let Some(tls) = self.tls {
            let secure = entrance(Door::Private(RegistryId::default()), true);
            let main = services(secure.clone(), Listener::Tls);
            listeners.serve(Socket::Tls(tls.main, tls.acceptor.clone()), main);
            listeners.serve(Socket::Tls(tls.bucket, tls.acceptor), bucket(secure, Listener::TlsBlobs));
        }
        if let Some((listener, address)) = self.control {
            listeners.serve_apart(Socket::Tcp(listener), control::router(cloud.clone(), address));
        }
        listeners
    }
}

/// The listeners for TLS, with the authority's certificate already written.
struct TlsSockets {
    main: TcpListener,
    bucket: TcpListener,
    acceptor: TlsAcceptor,
    addresses: TlsAddresses,
}

impl TlsSockets {
    async fn bind(
        tls: &TlsOptions,
        options: &Options,
        registries: &BTreeMap<RegistryId, u16>,
        folder: &StateFolder,
    ) -> Result<Self, StartError> {
        let default = RegistryId::default();
        let names = tls::names(registries.keys().chain([&default]), &tls.names);
        let identity = tls::identity(names, options.clock.now())?;
        let ca = folder.path().join("ca.pem");
        let failed = |source| StoreError::Io { path: ca.clone(), source };
        tokio::fs::write(&ca, identity.authority_pem).await.map_err(failed)?;
        let ip = options.listen.ip();
        let (main, main_address) = bind("the TLS listener", SocketAddr::new(ip, tls.port)).await?;
        let (bucket, bucket_address) = bind("the TLS blob listener", SocketAddr::new(ip, 0)).await?;
        let addresses = TlsAddresses { main: main_address, blob: bucket_address, ca };
        Ok(Self { main, bucket, acceptor: identity.acceptor, addresses })
    }
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    bind_tcp(address).await.map_err(|source| StartError::Bind { what, address, source })
}

/// Registries write their address as `localhost`, which Docker reaches without TLS as it does 127.0.0.0/8.
fn localhost(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}
