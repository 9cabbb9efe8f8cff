//! A proxy for HTTPS on loopback, through which AWS's own host names lead to an emulator.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What the proxy does with a `CONNECT` (RFC 9110, section 9.3.6).
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Connects to this address, whatever host is asked for.
    Lead(SocketAddr),
    /// Answers with this status line.
    Refuse(&'static str),
    /// Never answers.
    KeepSilent,
}

/// It serves until its runtime ends.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn new(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let for_task = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, behaviour, Arc::clone(&for_task)));
            }
        });
        Self { url, asked }
    }

    /// The hosts with ports that it was asked for, each once.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(target);
    match behaviour {
        Behaviour::KeepSilent => std::future::pending().await,
        Behaviour::Refuse(status) => {
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
        }
        Behaviour::Lead(address) => {
            let mut upstream = TcpStream::connect(address).await.expect("the emulator listens");
            if stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
                let _ = copy_bidirectional(&mut stream, &mut upstream).await;
            }
        }
    }
}
