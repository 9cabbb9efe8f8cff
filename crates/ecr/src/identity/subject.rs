//! Whom a token is about, for tokens that are renewed while their subject stays.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::identity::{append, digest};

/// The claims of a JSON Web Token (RFC 7519) that name whom it is about. The token's signature is not looked at:
/// nothing is granted for it here, it only keeps the caches of two subjects apart.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
}

/// What stays the same when a token is renewed: issuer and subject of a JSON Web Token; of any other the digest.
pub(super) fn of(token: &[u8]) -> Vec<u8> {
    let mut row = Vec::new();
    match claims(token.trim_ascii()) {
        Some(claims) => {
            append(&mut row, b"subject");
            append(&mut row, claims.iss.as_bytes());
            append(&mut row, claims.sub.as_bytes());
        }
        None => {
            append(&mut row, b"digest");
            append(&mut row, &digest(token));
        }
    }
    row
}

fn claims(token: &[u8]) -> Option<Claims> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
