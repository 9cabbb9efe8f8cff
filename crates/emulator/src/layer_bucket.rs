//! Where layers are downloaded: the stand-in for the S3 bucket that ECR redirects to.
//!
//! A link carries its permission in its query, as presigned S3 URLs do. A client that sends an `Authorization`
//! header as well has leaked a password to another host, and S3 refuses it: so does the emulator.

mod file_body;

use std::fs::File;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use file_body::FileBody;
use time::{Duration, OffsetDateTime};

use crate::aws_query::escape;
use crate::cloud::{Cloud, Entrance, blocking};
use crate::registry::names::Digest;
use crate::seal::{Purpose, Seal};

const LINK_LIFETIME: Duration = Duration::hours(1);

/// Where the bucket listens.
#[derive(Debug, Clone)]
pub(crate) struct BucketAddresses {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
}

impl BucketAddresses {
    /// A link to a blob that works for an hour: over TLS for clients that came over TLS, since they trust the
    /// emulator's certificate.
    pub(crate) fn link(&self, seal: &Seal, digest: Digest, secure: bool, now: OffsetDateTime) -> String {
        let (scheme, address) = match self.tls {
            Some(address) if secure => ("https", address),
            _ => ("http", self.plain),
        };
        let expires = (now + LINK_LIFETIME).unix_timestamp();
        let signature = hex::encode(seal.tag(Purpose::BlobLink, &signed_text(digest, expires)));
        format!("{scheme}://{address}/sha256/{}?expires={expires}&signature={signature}", digest.hex())
    }
}

fn signed_text(digest: Digest, expires: i64) -> Vec<u8> {
    format!("GET {digest} {expires}").into_bytes()
}

pub(crate) fn router(entrance: Entrance) -> Router {
    Router::new()
        .route("/sha256/{hex}", any(get_object))
        .fallback(|State(entrance): State<Entrance>| async move {
            BucketError::NoSuchKey.respond(&entrance.cloud)
        })
        .with_state(entrance)
}

async fn get_object(
    State(entrance): State<Entrance>,
    Path(hex): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let cloud = &entrance.cloud;
    let allowed = || {
        if headers.contains_key(AUTHORIZATION) {
            return Err(BucketError::TwoAuthMechanisms);
        }
        if method != Method::GET {
            return Err(BucketError::MethodNotAllowed);
        }
        let digest = format!("sha256:{hex}").parse().map_err(|_| BucketError::NoSuchKey)?;
        check_signature(cloud, digest, uri.query().unwrap_or_default()).map(|()| digest)
    };
    let response = match allowed() {
        Ok(digest) => download(&cloud.store.content_path(digest), &headers).await,
        Err(error) => Err(error),
    };
    response.unwrap_or_else(|error| error.respond(cloud))
}

/// The file's content, or the part of it that the headers ask for.
async fn download(path: &std::path::Path, headers: &HeaderMap) -> Result<Response, BucketError> {
    let path = path.to_owned();
    let open = move || {
        let file = File::open(path)?;
        Ok::<_, std::io::Error>((file.metadata()?.len(), file))
    };
    let opened = blocking(open).await.map_err(|_| BucketError::NoSuchKey)?;
    let (size, file) = opened.map_err(|_| BucketError::NoSuchKey)?;
    let range = requested_range(headers, size)?;
    let (start, end) = range.unwrap_or((0, size));
    let body = Body::new(FileBody::of(file, start..end));
    let headers = [
        (CONTENT_LENGTH, (end - start).to_string()),
        (CONTENT_TYPE, "application/octet-stream".into()),
        (ACCEPT_RANGES, "bytes".into()),
    ];
    Ok(match range {
        None => (headers, body).into_response(),
        Some(_) => {
            let content_range = [(CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1))];
            (StatusCode::PARTIAL_CONTENT, headers, content_range, body).into_response()
        }
    })
}

fn check_signature(cloud: &Cloud, digest: Digest, query: &str) -> Result<(), BucketError> {
    let (mut expires, mut signature) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "expires" => expires = value.parse().ok(),
            "signature" => signature = hex::decode(&*value).ok(),
            _ => {}
        }
    }
    let (expires, signature) = expires.zip(signature).ok_or(BucketError::AccessDenied)?;
    if !cloud.seal.matches(Purpose::BlobLink, &signed_text(digest, expires), &signature) {
        return Err(BucketError::SignatureDoesNotMatch);
    }
    if cloud.now().unix_timestamp() >= expires { Err(BucketError::RequestHasExpired) } else { Ok(()) }
}

/// The bytes that `Range: bytes=<first>-[<last>]` asks for, as start and end; nothing for all of them. Other forms
/// are ignored, which RFC 9110 §14.2 allows.
fn requested_range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>, BucketError> {
    let parse = || {
        let (first, last) = headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        let first: u64 = first.parse().ok()?;
        (first <= last).then_some((first, last))
    };
    match parse() {
        None => Ok(None),
        Some((first, _)) if first >= size => Err(BucketError::InvalidRange),
        Some((first, last)) => Ok(Some((first, last.saturating_add(1).min(size)))),
    }
}

/// Errors in S3's words (Amazon S3 API reference, error responses).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum BucketError {
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
         parameter or the Authorization header should be specified"
    )]
    TwoAuthMechanisms,
    #[error("The specified method is not allowed against this resource.")]
    MethodNotAllowed,
    #[error("Access Denied")]
    AccessDenied,
    #[error("Request has expired")]
    RequestHasExpired,
    #[error("The request signature we calculated does not match the signature you provided.")]
    SignatureDoesNotMatch,
    #[error("The specified key does not exist.")]
    NoSuchKey,
    #[error("The requested range is not satisfiable")]
    InvalidRange,
}

impl BucketError {
    fn respond(self, cloud: &Cloud) -> Response {
        let (status, code) = match self {
            Self::TwoAuthMechanisms => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::AccessDenied | Self::RequestHasExpired => (StatusCode::FORBIDDEN, "AccessDenied"),
            Self::SignatureDoesNotMatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey"),
            Self::InvalidRange => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        };
        let (message, request_id) = (escape(&self.to_string()), cloud.seal.uuid());
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>{request_id}</RequestId></Error>"
        );
        (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(header: &str) -> Result<Option<(u64, u64)>, BucketError> {
        requested_range(&HeaderMap::from_iter([(RANGE, header.parse().unwrap())]), 10)
    }

    #[test]
    fn ranges_stay_within_the_blob() {
        assert_eq!(range("bytes=0-"), Ok(Some((0, 10))));
        assert_eq!(range("bytes=3-5"), Ok(Some((3, 6))));
        assert_eq!(range(&format!("bytes=9-{}", u64::MAX)), Ok(Some((9, 10))));
        assert_eq!(range("bytes=10-"), Err(BucketError::InvalidRange));
        for ignored in ["bytes=-3", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=x-"] {
            assert_eq!(range(ignored), Ok(None), "{ignored}");
        }
        assert_eq!(requested_range(&HeaderMap::new(), 0), Ok(None));
    }

    proptest! {
        #[test]
        fn any_range_is_within_the_blob(header in "[ -~]*", first: u64, last: u64) {
            for header in [header, format!("bytes={first}-{last}")] {
                if let Ok(Some((start, end))) = range(&header) {
                    prop_assert!(start < end && end <= 10);
                }
            }
        }
    }
}
