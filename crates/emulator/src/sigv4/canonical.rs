//! The canonical form of a request, which is what is signed ("Create a canonical request", IAM user guide).

use axum::http::HeaderMap;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};

/// The canonical request. The body's hash is always that of the body that arrived: a client that announces another
/// one in `X-Amz-Content-Sha256` signed something else.
pub(super) fn request(request: &Parts, signed_headers: &[&str], body: &[u8]) -> String {
    let mut canonical = String::new();
    push_line(&mut canonical, request.method.as_str());
    push_line(&mut canonical, &path(request.uri.path()));
    push_line(&mut canonical, &query(request.uri.query().unwrap_or_default()));
    for name in signed_headers {
        push_line(&mut canonical, &format!("{name}:{}", header(&request.headers, name)));
    }
    push_line(&mut canonical, "");
    push_line(&mut canonical, &signed_headers.join(";"));
    canonical.push_str(&hex::encode(Sha256::digest(body)));
    canonical
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The path encoded once more than it was sent, as all services but Amazon S3 have it.
fn path(sent: &str) -> String {
    sent.split('/').map(|segment| encode(segment.as_bytes())).collect::<Vec<_>>().join("/")
}

/// The parameters ordered by name and value, in the one way of encoding that the guide prescribes.
fn query(sent: &str) -> String {
    let mut pairs: Vec<(String, String)> = sent
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's values joined by commas, without spaces around them and with single spaces inside.
fn header(headers: &HeaderMap, name: &str) -> String {
    let single_spaced = |value: &[u8]| {
        let text = String::from_utf8_lossy(value);
        text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    headers.get_all(name).iter().map(|value| single_spaced(value.as_bytes())).collect::<Vec<_>>().join(",")
}

/// Every byte but RFC 3986's unreserved characters as `%XX`.
fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode(text: &str) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.split_at_checked(2)).flatten();
        let byte = escaped.and_then(|(digits, after)| Some((*hex::decode(digits).ok()?.first()?, after)));
        let (byte, after) = byte.unwrap_or((first, after));
        decoded.push(byte);
        rest = after;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_has_one_form() {
        assert_eq!(query("b=2&a=x%20y&b=1&c"), "a=x%20y&b=1&b=2&c=");
        assert_eq!(query("a=%zz%4&=~/+"), "=~%2F%2B&a=%25zz%254");
        assert_eq!(query(""), "");
    }

    #[test]
    fn a_path_is_encoded_twice() {
        assert_eq!(path("/"), "/");
        assert_eq!(path("/a%20b/c"), "/a%2520b/c");
    }

    #[test]
    fn a_headers_values_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append("my-header", "  value1   and  more ".parse().unwrap());
        headers.append("my-header", "value2".parse().unwrap());
        assert_eq!(header(&headers, "my-header"), "value1 and more,value2");
        assert_eq!(header(&headers, "not a header"), "");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes: Vec<u8>, text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
            let _ = (decode(&text), query(&text), path(&text));
        }
    }
}
