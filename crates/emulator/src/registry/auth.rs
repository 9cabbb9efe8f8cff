//! Who asks a registry: HTTP Basic with the user `AWS` and a password of GetAuthorizationToken.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};

use super::errors::RegistryError;
use crate::accounts::RegistryId;
use crate::cloud::Cloud;
use crate::principals::Principal;
use crate::tokens::{self, Audience};

pub(super) const USER: &str = "AWS";

/// The principal that the request's password stands for.
pub(crate) fn authenticate(
    cloud: &Cloud,
    registry: &RegistryId,
    headers: &HeaderMap,
) -> Result<Principal, RegistryError> {
    let grant = password(headers)
        .and_then(|password| tokens::open(&cloud.seal, password.expose_secret()))
        .filter(|grant| grant.audience == Audience::Ecr)
        .ok_or_else(|| RegistryError::Unauthorized(challenge(registry)))?;
    if cloud.now() >= grant.expires || grant.region != registry.region {
        return Err(RegistryError::TokenExpired);
    }
    Ok(grant.principal)
}

/// The realm is the registry's real name, whatever name it was reached by.
fn challenge(registry: &RegistryId) -> String {
    format!("Basic realm=\"https://{}/\",service=\"ecr.amazonaws.com\"", registry.host())
}

pub(super) fn password(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, credential) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let credential = String::from_utf8(BASE64.decode(credential.trim()).ok()?).ok()?;
    let (user, password) = credential.split_once(':')?;
    (user == USER).then(|| password.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn password_of(header: &[u8]) -> Option<SecretString> {
        let value = axum::http::HeaderValue::from_bytes(header).ok()?;
        password(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    #[test]
    fn only_the_user_aws_by_basic_has_a_password() {
        let basic = |credential: &str| password_of(format!("Basic {}", BASE64.encode(credential)).as_bytes());
        assert_eq!(basic("AWS:a:b").unwrap().expose_secret(), "a:b");
        assert!(basic("aws:a").is_none());
        assert!(basic("AWS").is_none());
        assert!(password_of(b"Bearer QVdTOmE=").is_none());
        assert!(password_of(b"Basic").is_none());
        assert!(password_of(b"basic QVdTOmE=").is_some());
    }

    proptest! {
        #[test]
        fn any_header_is_a_password_or_nothing(header: Vec<u8>, credential: Vec<u8>) {
            let _ = password_of(&header);
            let _ = password_of(format!("Basic {}", BASE64.encode(credential)).as_bytes());
        }
    }
}
