//! Sockets, and the connections that come in by them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::seats::{Seat, Seats};

/// How long a client may take to send a request's head, or to send another request at all.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client may take none of an answer; the kernel then breaks the connection.
const STALLED_DEADLINE: Duration = Duration::from_secs(60);
/// How long requests in progress may take to end once the emulator is stopped.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The head of a request: a registry password alone takes about 1 KiB of it.
const MAX_HEAD: usize = 64 * 1024;
const MAX_CONNECTIONS: usize = 4096;
/// What stands apart has few clients, and seats that no others can take.
const MAX_CONNECTIONS_APART: usize = 64;

/// A socket that listens.
pub(crate) enum Socket {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    Unix { listener: UnixListener, _file: SocketFile },
}

impl Socket {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        match self {
            Self::Tcp(listener) => {
                listener.poll_accept(context).map_ok(|(stream, _)| Connection::Tcp(stream))
            }
            Self::Tls(listener, acceptor) => {
                listener.poll_accept(context).map_ok(|(stream, _)| Connection::Tls(stream, acceptor.clone()))
            }
            Self::Unix { listener, .. } => {
                listener.poll_accept(context).map_ok(|(stream, _)| Connection::Unix(stream))
            }
        }
    }
}

enum Connection {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}

/// Binds a TCP port, and tells which one it is if that was left open.
pub(crate) async fn bind_tcp(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A Unix socket's file, removed in the end.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds a Unix socket. A socket that nobody listens on any more is replaced; anything else is left alone.
pub(crate) async fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    Ok((UnixListener::bind(path)?, SocketFile(path.into())))
}

/// Everything that serves. Dropping it closes the sockets at once and breaks off what is in progress.
pub(crate) struct Listeners {
    sockets: Vec<Arc<Socket>>,
    tasks: TaskTracker,
    seats: Arc<Seats>,
    draining: CancellationToken,
    broken_off: CancellationToken,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        Self {
            sockets: Vec::new(),
            tasks: TaskTracker::new(),
            seats: Seats::new(MAX_CONNECTIONS),
            draining: CancellationToken::new(),
            broken_off: CancellationToken::new(),
        }
    }

    /// Serves whatever connects to `socket`, from now on.
    pub(crate) fn serve(&mut self, socket: Socket, router: Router) {
        self.serve_with(self.seats.clone(), socket, router);
    }

    /// The same for what must remain reachable whatever the clients of the others do.
    pub(crate) fn serve_apart(&mut self, socket: Socket, router: Router) {
        self.serve_with(Seats::new(MAX_CONNECTIONS_APART), socket, router);
    }

    fn serve_with(&mut self, seats: Arc<Seats>, socket: Socket, router: Router) {
        let socket = Arc::new(socket);
        let acceptor = Acceptor {
            // The task does not own its socket: so the socket closes when this struct lets go of it, and the port
            // is free by then, not when the runtime comes round to the task.
            socket: Arc::downgrade(&socket),
            router,
            tasks: self.tasks.clone(),
            seats,
            draining: self.draining.clone(),
            broken_off: self.broken_off.clone(),
        };
        self.sockets.push(socket);
        self.tasks.spawn(acceptor.run());
    }

    /// Closes the sockets and waits for requests in progress, within a deadline.
    pub(crate) async fn drain(&mut self) {
        self.sockets.clear();
        self.draining.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(DRAIN_DEADLINE, self.tasks.wait()).await;
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.draining.cancel();
        self.broken_off.cancel();
    }
}

struct Acceptor {
    socket: Weak<Socket>,
    router: Router,
    tasks: TaskTracker,
    seats: Arc<Seats>,
    draining: CancellationToken,
    broken_off: CancellationToken,
}

impl Acceptor {
    async fn run(self) {
        let _ = self.draining.run_until_cancelled(self.accept()).await;
    }

    async fn accept(&self) {
        loop {
            let accepted = poll_fn(|context| match self.socket.upgrade() {
                Some(socket) => socket.poll_accept(context).map(Some),
                None => Poll::Ready(None),
            });
            match accepted.await {
                None => return,
                Some(Err(_)) => tokio::time::sleep(ACCEPT_PAUSE).await,
                Some(Ok(connection)) => {
                    let Some(seat) = self.seats.take().await else { return };
                    let (router, draining) = (self.router.clone(), self.draining.clone());
                    let broken_off = self.broken_off.clone();
                    self.tasks.spawn(async move {
                        let _ =
                            broken_off.run_until_cancelled(connection.serve(router, seat, draining)).await;
                    });
                }
            }
        }
    }
}

impl Connection {
    async fn serve(self, router: Router, seat: Seat, draining: CancellationToken) {
        match self {
            Self::Tcp(stream) => {
                prepare(&stream);
                if let Some(stream) = serve_http(stream, router, seat, draining).await {
                    reset(&stream);
                }
            }
            Self::Unix(stream) => drop(serve_http(stream, router, seat, draining).await),
            Self::Tls(stream, acceptor) => {
                prepare(&stream);
                let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream));
                let shaken = tokio::select! {
                    shaken = handshake => shaken,
                    () = seat.given_up() => return,
                };
                let Ok(Ok(stream)) = shaken else { return };
                if let Some(stream) = serve_http(stream, router, seat, draining).await {
                    reset(stream.get_ref().0);
                }
            }
        }
    }
}

/// A request's hold on the connection that it came by, for faults: it is in the request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    ended: CancellationToken,
    by_reset: Arc<AtomicBool>,
}

impl Link {
    /// Closes the connection at once, whatever it is doing.
    pub(crate) fn close(&self) {
        self.ended.cancel();
    }

    /// The same so that the client sees a reset and not an end.
    pub(crate) fn reset(&self) {
        self.by_reset.store(true, Ordering::Release);
        self.ended.cancel();
    }
}

/// Makes closing the stream a reset (SO_LINGER with a time of zero, socket(7)).
fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// Sets what a connection can do without, so that failing to is no reason to refuse it.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    // Hyper has no deadline for writing. This one also holds while the client's window is shut (tcp(7)).
    let milliseconds = u32::try_from(STALLED_DEADLINE.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds);
}

/// Serves requests until the client goes, or has to. Once draining, the request in progress is the last. Gives the
/// stream back if it is to be reset.
async fn serve_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    router: Router,
    seat: Seat,
    draining: CancellationToken,
) -> Option<S> {
    let (router, link) = (TowerToHyperService::new(router), Link::default());
    let handle = hyper::service::service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        seat.ask();
        request.extensions_mut().insert(link.clone());
        let answer = router.call(request);
        let seat = &seat;
        async move {
            let answer = answer.await;
            seat.wait();
            answer
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), handle);
    let mut leaving = false;
    loop {
        // A connection that fails has lost its client: nobody is left to tell.
        tokio::select! {
            biased;
            () = link.ended.cancelled() => break,
            _ = &mut connection => return None,
            () = draining.cancelled(), if !leaving => {}
            () = seat.given_up(), if !leaving => {
                if !seat.has_asked() {
                    return None;
                }
            }
        }
        Pin::new(&mut connection).graceful_shutdown();
        leaving = true;
    }
    link.by_reset.load(Ordering::Acquire).then(|| connection.into_parts().io.into_inner())
}
