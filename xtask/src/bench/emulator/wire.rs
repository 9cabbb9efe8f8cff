//! One small request and its answer, by HTTP/1.1.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any answer that is read this way.
const MOST: u64 = 1024 * 1024;

/// The bytes of a request. A client that closes the connection afterwards says so with a header.
pub(super) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = head(method, target, headers, body.len() as u64);
    text.extend_from_slice(body.as_bytes());
    text
}

/// The bytes of a request without its body, which has `length` bytes.
pub(super) fn head(method: &str, target: &str, headers: &[(&str, &str)], length: u64) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n").into_bytes()
}

/// An answer that was read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    /// Sends `request`, which must have asked for the connection to be closed.
    ///
    /// # Errors
    /// Fails when there is no answer within ten seconds.
    pub(super) fn to(request: &[u8], address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(request)?;
        let mut text = Vec::new();
        stream.take(MOST).read_to_end(&mut text)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Result<Self> {
        let (head, body) = text.split_once("\r\n\r\n").context("the answer has no head")?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Ok(Self { status: status.context("the answer has no status")?, head: head.into(), body: body.into() })
    }

    /// The same, if it has the status that was expected.
    ///
    /// # Errors
    /// Fails with the body when it has another one.
    pub(super) fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "the answer is {}, not {status}: {}", self.status, self.body);
        Ok(self)
    }

    /// The value of a header.
    ///
    /// # Errors
    /// Fails when there is none of this name.
    pub(super) fn header(&self, name: &str) -> Result<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).with_context(|| format!("the answer has no `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = Answer::parse("HTTP/1.1 307 x\r\nLocation: http://a/b?c\r\n\r\nbody").unwrap();
        assert_eq!(answer.header("location").unwrap(), "http://a/b?c");
        assert!(answer.header("range").is_err());
        assert_eq!(answer.body, "body");
        assert!(answer.expect(200).is_err());
        assert!(Answer::parse("HTTP/1.1 307 x").is_err());
        assert!(Answer::parse("x\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_tells_the_length_of_its_body() {
        let expected = "PUT /a HTTP/1.1\r\nhost: b\r\ncontent-length: 4\r\n\r\nbody";
        assert_eq!(request("PUT", "/a", &[("host", "b")], "body"), expected.as_bytes());
    }
}
