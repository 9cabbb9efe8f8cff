//! The head of an answer: as much of HTTP/1.1 as is needed to find its end.

use anyhow::{Context as _, Result};

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// How long it is itself, with the empty line.
    pub(crate) length: usize,
    pub(crate) content_length: u64,
}

impl Head {
    /// The head that `bytes` start with; none as long as it is not complete.
    ///
    /// # Errors
    /// Fails when it is none. One without a Content-Length counts as one without a body.
    pub(crate) fn of(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).context("the head is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let content_length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(Ok(0), |(_, value)| value.trim().parse())?;
        Ok(Some(Self {
            status: status.context("the answer has no status")?,
            length: end + 4,
            content_length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let text = b"HTTP/1.1 201 Created\r\nContent-length: 12\r\n\r\nbody";
        let head = Head { status: 201, length: text.len() - 4, content_length: 12 };
        assert_eq!(Head::of(text).unwrap(), Some(head));
        assert_eq!(Head::of(&text[..20]).unwrap(), None);
        assert!(Head::of(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(Head::of(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
    }
}
