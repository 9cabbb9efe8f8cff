//! An HTTP server of few words on loopback: reads one request per connection, and answers whatever bytes it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The region and the service that the request is signed for.
    pub(crate) fn scope(&self) -> (&str, &str) {
        let mut parts = self.header("authorization").split('/').skip(2);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, with the connection left open.
    Silence,
    /// These bytes, and then others without end.
    Endless(Vec<u8>),
}

impl Reply {
    /// A whole answer.
    pub(crate) fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut answer =
            format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        Self::Bytes(format!("{answer}\r\n{body}").into_bytes())
    }
}

/// The server. It ends when it is dropped.
pub(crate) struct Responder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_ending: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Responder {
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_ending = Arc::new(AtomicBool::new(false));
        let (seen, ending, reply) = (Arc::clone(&requests), Arc::clone(&is_ending), Arc::new(reply));
        let listener = thread::spawn(move || {
            // Silent connections are kept open until the server ends.
            let silent = Arc::new(Mutex::new(Vec::new()));
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, reply, silent) = (Arc::clone(&seen), Arc::clone(&reply), Arc::clone(&silent));
                thread::spawn(move || {
                    let Ok(mut stream) = stream else { return };
                    let Some(request) = read(&stream) else {
                        write(&mut stream, &Reply::http(400, &[], "this is not HTTP"));
                        return;
                    };
                    let answer = reply(&request);
                    seen.lock().unwrap().push(request);
                    if !write(&mut stream, &answer) {
                        silent.lock().unwrap().push(stream);
                    }
                });
            }
        });
        Self { address, requests, is_ending, listener: Some(listener) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests().len()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.listener.take().unwrap().join().unwrap();
    }
}

/// An address on which nobody listens.
pub(crate) fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    // TLS starts with the number of its handshake.
    if reader.fill_buf().ok()?.first() == Some(&22) {
        return None;
    }
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Request { method, path, headers, body: String::new() };
    let length = request.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// Writes the answer; false if there is none and the connection stays open. The other side may not listen any more.
fn write(stream: &mut TcpStream, reply: &Reply) -> bool {
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(bytes);
            true
        }
        Reply::Silence => false,
        Reply::Endless(bytes) => {
            let _ = stream.write_all(bytes);
            while stream.write_all(&[b' '; 64 * 1024]).is_ok() {}
            true
        }
    }
}
