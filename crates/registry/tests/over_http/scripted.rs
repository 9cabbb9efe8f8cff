//! A registry that says what a test wants it to say, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers by method and path. What is not scripted is answered with 404 and no body.
pub(crate) type Script = HashMap<String, String>;

pub(crate) struct Scripted {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

/// One answer with its headers, each ended by a line feed.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let headers = headers.replace('\n', "\r\n");
    format!(
        "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

impl Scripted {
    /// Starts one whose answers may name its own port.
    pub(crate) async fn new(script: impl FnOnce(u16) -> Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (script, seen) = (Arc::new(script(port)), Arc::new(Mutex::new(Vec::new())));
        let (for_task, kept) = (Arc::clone(&seen), script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&for_task)));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn image(&self, rest: &str) -> String {
        format!("localhost:{}/{rest}", self.port)
    }

    /// The requests so far, heads in lower case.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let Some(text) = script.get(&line) else {
        let _ = stream.write_all(answer(404, "", "").as_bytes()).await;
        return;
    };
    if text == "silence" {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}
