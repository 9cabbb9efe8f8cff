//! The address of a registry as callers of credential helpers write it: `[scheme://]host[:port][/path]`.

use std::fmt;

/// The longest address, in bytes: a host has at most 253, a repository at most 256.
const MAX_ADDRESS_BYTES: usize = 1024;

/// The longest host, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// The port of HTTPS, which need not be written.
const HTTPS_PORT: u16 = 443;

/// Where a request goes: host and port in canonical form, and the path. Two addresses are equal if host and port
/// are.
///
/// User information, queries, fragments, escapes and paths that climb are refused, since they make one program see
/// another host than the next (git's CVE-2020-5260 and its kin).
#[derive(Debug, Clone, Eq)]
pub struct Address {
    scheme: Option<Scheme>,
    host: String,
    port: Option<u16>,
    path: String,
}

/// The scheme of an address, where one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl Address {
    /// Reads an address. Scheme and host may be in any case, as DNS has it.
    ///
    /// # Errors
    /// If the text is not of the form above, see [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::TooLong);
        }
        let (scheme, rest) = split_scheme(text);
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if !path.bytes().all(is_path_byte) {
            return Err(AddressError::Character);
        }
        let (host, port) = split_host(authority, path).map_err(|error| {
            // What no address has says more than the place where it stands.
            if authority.bytes().all(is_authority_byte) { error } else { AddressError::Character }
        })?;
        let port = port.filter(|port| *port != HTTPS_PORT);
        let path = path.trim_matches('/').to_owned();
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, path })
    }

    /// The scheme, if one was written.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; `None` if none was written or it is 443.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// What follows host and port, without the slashes around it: a repository or a part of one, or nothing.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Address {
    fn key(&self) -> (&str, Option<u16>) {
        (&self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Why a text is not a plain address. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Longer than any registry's name with any repository's.
    #[error("the registry's name is longer than {MAX_ADDRESS_BYTES} bytes")]
    TooLong,
    /// A character that neither a host nor a repository has, such as `@`, `?`, `#`, `%` or a control character.
    #[error("the registry's name contains a character that no host or repository has")]
    Character,
    /// What stands before the first slash is not a host.
    #[error("the registry's name does not start with a host")]
    Host,
    /// What stands after the colon is not a port.
    #[error("the registry's name has a port that is not a number from 1 to 65535")]
    Port,
    /// The path has empty, `.` or `..` parts, or a colon where no tag can be.
    #[error("the registry's name is followed by something that is not a plain path")]
    Path,
}

fn split_scheme(text: &str) -> (Option<Scheme>, &str) {
    for (prefix, scheme) in [("https://", Scheme::Https), ("http://", Scheme::Http)] {
        if let Some((start, rest)) = text.split_at_checked(prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            return (Some(scheme), rest);
        }
    }
    (None, text)
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b':')
}

fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
}

/// Whether `path` is empty, or parts of plain characters with at most one slash at the end, and a tag at most.
/// gitlab-runner passes on keys such as `host/path:tag` as they are configured.
fn is_plain_path(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return true };
    if path.is_empty() {
        return true;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let (parents, last) = match path.rsplit_once('/') {
        Some((parents, last)) => (Some(parents), last),
        None => (None, path),
    };
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(':');
    parents.into_iter().flat_map(|parents| parents.split('/')).chain([name]).chain(tag).all(is_part)
}

/// Host and port of the authority, if that and the path are well-formed.
fn split_host<'a>(authority: &'a str, path: &str) -> Result<(&'a str, Option<u16>), AddressError> {
    if !is_plain_path(path) {
        return Err(AddressError::Path);
    }
    let (host, port) = split_port(authority)?;
    if is_host(host) { Ok((host, port)) } else { Err(AddressError::Host) }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), AddressError> {
    // The colons of an IPv6 address stand within its brackets.
    let after_brackets = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[after_brackets..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(after_brackets + colon);
    let digits = &port[1..];
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port) if is_number => Ok((host, Some(port))),
        _ => Err(AddressError::Port),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    host.len() <= MAX_HOST_BYTES && host.as_bytes().split(|byte| *byte == b'.').all(is_label)
}

/// Whether `label` can stand between two dots of a host name (RFC 1123, section 2.1).
fn is_label(label: &[u8]) -> bool {
    matches!(label.len(), 1..=63)
        && !label.starts_with(b"-")
        && !label.ends_with(b"-")
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        Address::parse(text).map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    #[test]
    fn addresses_are_read_in_every_form_that_callers_write() {
        for (text, canonical) in [
            ("localhost:5000", "localhost:5000"),
            ("http://localhost:5000/v1/", "localhost:5000"),
            ("HTTPS://Mirror.Example.COM/", "mirror.example.com"),
            ("mirror.example.com:443/team/app:1.0", "mirror.example.com"),
            ("mirror.example.com/team/app/", "mirror.example.com"),
            ("https://index.docker.io/v1/", "index.docker.io"),
            ("[::1]:5000/x", "[::1]:5000"),
            ("[::1]", "[::1]"),
            ("a", "a"),
        ] {
            assert_eq!(parsed(text), canonical, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "https://",
            "/",
            ":5000",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a-",
            "a b",
            "a@b",
            "a:b@c",
            "a:0",
            "a:080",
            "a:65536",
            "a:",
            "a:+1",
            "a?b",
            "a#b",
            "a/b?c",
            "a/%2e%2e/b",
            "a\\b",
            "a//",
            "a//b",
            "a/./b",
            "a/../b",
            "a/b//",
            "a/b:c/d",
            "a/b:",
            "a/b:c:d",
            "a/@b",
            "https:/a",
            "https:a",
            "ftp://a",
            "https://https://a",
            "[::1",
            "::1",
            "[::1]x",
            "[a]",
            "a\n",
            "a\0",
            "ä",
            "a/ä",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?} was read as {}", parsed(text));
        }
        assert_eq!(Address::parse(&"a".repeat(1025)), Err(AddressError::TooLong));
        assert_eq!(Address::parse(&vec!["abc"; 64].join(".")), Err(AddressError::Host));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Address::parse(&text);
        }

        #[test]
        fn texts_of_the_alphabet_are_read_or_refused(text in "[a-z0-9./:@\\[\\]-]{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
