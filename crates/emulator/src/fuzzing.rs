//! Doors to what reads outside input, for the fuzz targets only; not a part of the public interface.
//!
//! The parsers are private, and should remain so. This module is always compiled, and not behind a feature or a `cfg`,
//! so that no change can break the targets unseen.

use std::path::Path;

use axum::http::{HeaderName, HeaderValue, Method, Request};
use time::OffsetDateTime;

use crate::accounts::AccountId;
pub use crate::iam::fuzzing::is_allowed;
pub use crate::oidc::fuzzing::{subject_of_claims, subject_of_token};
use crate::principals::{DEFAULT_USER, Principals};
use crate::registry::names::{Digest, RepositoryName, Tag};
use crate::{Seed, SeedError, registry, sigv4};

/// Who signed a `POST` with these headers, at noon of the first of January 2027: an ARN or a refusal. Nothing if no
/// HTTP message can have them.
pub fn signer_of(target: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Option<Result<String, String>> {
    let mut request = Request::builder().method(Method::POST).uri(target);
    for (name, value) in headers {
        let name: HeaderName = name.parse().ok()?;
        request = request.header(name, HeaderValue::from_bytes(value).ok()?);
    }
    let (parts, ()) = request.body(()).ok()?.into_parts();
    let principals = Principals::with_users([(AccountId::default(), DEFAULT_USER)]);
    let now = OffsetDateTime::from_unix_timestamp(1_798_804_800).ok()?;
    let caller = sigv4::authenticate(&parts, body, "ecr", None, &principals, now);
    Some(caller.map(|caller| caller.principal.arn.clone()).map_err(|error| error.to_string()))
}

/// The operation that a method and a path below `/v2/` mean, as call counters name it.
pub fn registry_operation(method: &str, path: &str) -> Option<&'static str> {
    Some(registry::operation(&method.parse().ok()?, path))
}

/// Text as a repository name, a tag and a digest, each as it is written out again.
pub fn names(text: &str) -> [Option<String>; 3] {
    [
        text.parse::<RepositoryName>().ok().map(Into::into),
        text.parse::<Tag>().ok().map(Into::into),
        text.parse::<Digest>().ok().map(Into::into),
    ]
}

/// A seed file with this content, at this path.
///
/// # Errors
/// The first fault.
pub fn seed(content: &[u8], path: &Path) -> Result<Seed, SeedError> {
    Seed::parse(content, path)
}
