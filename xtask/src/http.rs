//! The least of HTTP: one request to a server on this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

const TIMEOUT: Duration = Duration::from_secs(2);
/// More than any answer that we ask for.
const MOST: u64 = 64 * 1024;

/// A request without a body.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

impl Request<'_> {
    /// The body of the answer of a server on TCP.
    ///
    /// # Errors
    /// Fails when there is no answer within two seconds, or another one than 200.
    pub(crate) fn send_to(&self, address: SocketAddr) -> Result<String> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        self.exchange(stream, &address.to_string())
    }

    /// The body of the answer of a server on a Unix socket.
    ///
    /// # Errors
    /// As with TCP.
    pub(crate) fn send_to_socket(&self, path: &Path) -> Result<String> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        self.exchange(stream, "localhost")
    }

    /// HTTP/1.0, so that the body has no chunks and ends with the connection (RFC 1945).
    fn exchange(&self, mut stream: impl Read + Write, host: &str) -> Result<String> {
        let Self { method, path, headers } = self;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: 0\r\n{headers}\r\n");
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer)?;
        body_of(&String::from_utf8_lossy(&answer)).map(str::to_owned)
    }
}

fn body_of(answer: &str) -> Result<&str> {
    let status = answer.lines().next().unwrap_or_default();
    let is_ok = status.starts_with("HTTP/1.") && status.split(' ').nth(1) == Some("200");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).filter(|_| is_ok);
    body.with_context(|| format!("the answer is `{status}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_is_an_answer() {
        assert_eq!(body_of("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nOK").unwrap(), "OK");
        assert_eq!(body_of("HTTP/1.1 200\r\n\r\n").unwrap(), "");
        for other in [
            "",
            "HTTP/1.1 500 Internal Server Error\r\n\r\n",
            "220 mail ESMTP 200 \r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ] {
            assert!(body_of(other).is_err(), "{other}");
        }
    }
}
