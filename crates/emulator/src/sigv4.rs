//! Who signed a request, by its Signature Version 4 `Authorization` header.
//!
//! This is the one place where API callers are authenticated. It reads the access key and the credential scope and
//! checks both, the session token included. **It does not verify the signature**: whoever knows an access key id
//! can call, so a client that signs wrongly is not found out here.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use time::OffsetDateTime;

use crate::accounts::Region;
use crate::principals::{KeyRefusal, Principal, Principals};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The caller of an API, and the region that the call is for.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) region: Region,
}

/// Why a request counts as nobody's. Each protocol has its own codes for these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("Request is missing Authentication Token")]
    Missing,
    #[error("Authorization header requires '{0}' parameter.")]
    Incomplete(&'static str),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("Credential should be scoped to correct service: '{0}'.")]
    WrongService(&'static str),
    #[error("Credential should be scoped to a valid region.")]
    WrongRegion,
}

/// The caller of `service`. A region that the request's host names must be the one that it was signed for.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    service: &'static str,
    region_of_host: Option<&Region>,
    principals: &Principals,
    now: OffsetDateTime,
) -> Result<Caller, SignatureError> {
    let authorization = headers.get(AUTHORIZATION).ok_or(SignatureError::Missing)?;
    let scope = CredentialScope::parse(authorization.to_str().unwrap_or_default())?;
    let session_token = headers.get("x-amz-security-token").map(|token| token.to_str().unwrap_or_default());
    let principal =
        principals.holder_of(scope.access_key_id, session_token, now).map_err(|refusal| match refusal {
            KeyRefusal::Unknown => SignatureError::UnknownKey,
            KeyRefusal::Expired => SignatureError::Expired,
        })?;
    if scope.service != service {
        return Err(SignatureError::WrongService(service));
    }
    let region: Region = scope.region.parse().map_err(|_| SignatureError::WrongRegion)?;
    if region_of_host.is_some_and(|of_host| *of_host != region) {
        return Err(SignatureError::WrongRegion);
    }
    Ok(Caller { principal, region })
}

/// What `Credential=` says: `<access key id>/<date>/<region>/<service>/aws4_request`.
#[derive(Debug, PartialEq, Eq)]
struct CredentialScope<'a> {
    access_key_id: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> CredentialScope<'a> {
    fn parse(authorization: &'a str) -> Result<Self, SignatureError> {
        let parameters = authorization.strip_prefix(ALGORITHM).ok_or(SignatureError::Missing)?;
        let parameter = |name: &'static str| {
            parameters
                .split(',')
                .filter_map(|pair| pair.trim().split_once('='))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
                .ok_or(SignatureError::Incomplete(name))
        };
        parameter("SignedHeaders")?;
        parameter("Signature")?;
        let parts: Vec<&str> = parameter("Credential")?.split('/').collect();
        match parts.as_slice() {
            &[access_key_id, _date, region, service, "aws4_request"] => {
                Ok(Self { access_key_id, region, service })
            }
            _ => Err(SignatureError::Incomplete("Credential")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountId;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const KEY: &str = "AKIAECRUEMULATOR0000";

    fn authenticated(authorization: &str, region_of_host: Option<&Region>) -> Result<Caller, SignatureError> {
        let principals = Principals::with_users_of(&BTreeSet::from([AccountId::default()]));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())]);
        authenticate(&headers, "ecr", region_of_host, &principals, OffsetDateTime::UNIX_EPOCH)
    }

    fn signed(credential: &str) -> String {
        format!("{ALGORITHM} Credential={credential}, SignedHeaders=host;x-amz-date, Signature=00")
    }

    #[test]
    fn the_scope_names_caller_and_region() {
        let caller =
            authenticated(&signed(&format!("{KEY}/20261101/eu-west-1/ecr/aws4_request")), None).unwrap();
        assert_eq!(caller.region.as_str(), "eu-west-1");
        assert_eq!(caller.principal.arn, "arn:aws:iam::000000000000:user/ecru");
    }

    #[test]
    fn each_flaw_has_its_own_error() {
        let here = Region::default();
        let refusal = |authorization: &str| authenticated(authorization, Some(&here)).unwrap_err();
        let scoped = |scope: &str| refusal(&signed(&format!("{KEY}/20261101/{scope}/aws4_request")));
        assert_eq!(refusal("Basic QVdTOg=="), SignatureError::Missing);
        assert_eq!(refusal(ALGORITHM), SignatureError::Incomplete("SignedHeaders"));
        assert_eq!(refusal(&signed("a/b")), SignatureError::Incomplete("Credential"));
        assert_eq!(refusal(&signed("AKIA/1/us-east-1/ecr/aws4_request")), SignatureError::UnknownKey);
        assert_eq!(scoped("us-east-1/sts"), SignatureError::WrongService("ecr"));
        assert_eq!(scoped("../ecr"), SignatureError::WrongRegion);
        assert_eq!(scoped("us-east-1/ecr/more"), SignatureError::Incomplete("Credential"));
        assert_eq!(scoped("nowhere/ecr"), SignatureError::WrongRegion);
        assert_eq!(scoped("eu-west-1/ecr"), SignatureError::WrongRegion);
        let headers = HeaderMap::new();
        let principals = Principals::with_users_of(&BTreeSet::new());
        let nobody = authenticate(&headers, "ecr", None, &principals, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(nobody.unwrap_err(), SignatureError::Missing);
    }

    proptest! {
        #[test]
        fn any_header_is_a_scope_or_an_error(text in ".*", credential in "[A-Z0-9/a-z=_-]*") {
            let _ = CredentialScope::parse(&text);
            let _ = CredentialScope::parse(&signed(&credential));
        }
    }
}
