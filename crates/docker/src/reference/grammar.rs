//! The grammar of names, tags and digests, without any default.

use super::{ReferenceError, check_length};

/// A reference taken apart but not normalised: `name` may start with a registry, and may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Registry and repository as written.
    pub name: &'a str,
    /// The tag, if one is written.
    pub tag: Option<&'a str>,
    /// The digest with its algorithm, if one is written.
    pub digest: Option<&'a str>,
}

/// Takes a reference apart by `ReferenceRegexp` of distribution/reference, which knows no default registry.
pub fn split(text: &str) -> Result<Parts<'_>, ReferenceError> {
    check_length(text)?;
    let parts = split_name(text);
    let is_name = is_path(parts.name)
        || parts.name.split_once('/').is_some_and(|(domain, path)| is_domain(domain) && is_path(path));
    if !is_name {
        return Err(ReferenceError::Name { reference: text.to_owned(), name: parts.name.to_owned() });
    }
    check_tag_and_digest(&parts, text)?;
    Ok(parts)
}

/// Cuts at the first `@`, then at the first `:` after the last `/`; nothing is checked.
pub(super) fn split_name(text: &str) -> Parts<'_> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let last_component = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest.get(last_component..).and_then(|component| component.find(':')) {
        Some(colon) => {
            let (name, tag) = rest.split_at(last_component + colon);
            Parts { name, tag: tag.get(1..), digest }
        }
        None => Parts { name: rest, tag: None, digest },
    }
}

pub(super) fn check_tag_and_digest(parts: &Parts<'_>, reference: &str) -> Result<(), ReferenceError> {
    if let Some(tag) = parts.tag.filter(|tag| !is_tag(tag)) {
        return Err(ReferenceError::Tag { reference: reference.to_owned(), tag: tag.to_owned() });
    }
    if let Some(digest) = parts.digest.filter(|digest| !is_digest(digest)) {
        return Err(ReferenceError::Digest { reference: reference.to_owned(), digest: digest.to_owned() });
    }
    Ok(())
}

/// A host name, an IPv4 address or an IPv6 address in brackets, with or without a port.
pub(super) fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rfind(']') {
        Some(bracket) => text.split_at(bracket + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    is_port(port) && (is_ipv6_in_brackets(host) || host.split('.').all(is_domain_component))
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_ipv6_in_brackets(text: &str) -> bool {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|address| {
        !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
    })
}

fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub(super) fn is_path(text: &str) -> bool {
    text.split('/').all(is_path_component)
}

/// Lower-case letters and digits, in runs joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_run = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = text.bytes().peekable();
    if !bytes.next().is_some_and(is_run) {
        return false;
    }
    while let Some(byte) = bytes.next() {
        let separator_ended = match byte {
            byte if is_run(byte) => continue,
            b'.' => bytes.next(),
            b'_' => bytes.next().and_then(|next| if next == b'_' { bytes.next() } else { Some(next) }),
            b'-' => bytes.find(|next| *next != b'-'),
            _ => None,
        };
        if !separator_ended.is_some_and(is_run) {
            return false;
        }
    }
    true
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// Only the algorithms of `github.com/opencontainers/go-digest`, with the length that each has.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, value)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    value.len() == length && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_written() {
        let parts = split("redis:7").unwrap();
        assert_eq!((parts.name, parts.tag, parts.digest), ("redis", Some("7"), None));
        assert_eq!(split("HOST/app").unwrap().name, "HOST/app");
        assert_eq!(split("localhost:5000/db").unwrap().name, "localhost:5000/db");
        assert!(split("Bad Name").is_err());
        assert!(split("HOST").is_err());
    }

    #[test]
    fn path_components_follow_the_grammar() {
        for good in ["a", "0", "a.b", "a_b", "a__b", "a-b", "a---b", "a1.b2-c3"] {
            assert!(is_path_component(good), "for {good}");
        }
        for bad in ["", ".a", "a.", "a..b", "a___b", "a._b", "a-", "-a", "A", "a b", "\u{e9}"] {
            assert!(!is_path_component(bad), "for {bad:?}");
        }
    }

    #[test]
    fn domains_follow_the_grammar() {
        for good in ["host", "host.example", "HOST:1", "127.0.0.1:5000", "[2001:db8::1]", "[::1]:5000"] {
            assert!(is_domain(good), "for {good}");
        }
        for bad in ["", "host:", "host:x", "host..example", "-host", "host-", "[]", "[::1]x", "[::1", "a_b"] {
            assert!(!is_domain(bad), "for {bad:?}");
        }
    }
}
