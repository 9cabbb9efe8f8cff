//! Blobs of a repository: present or not, and where to download them.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};

use super::Place;
use super::errors::RegistryError;
use super::names::Digest;

/// Says that a blob is there, and how large; unlike the download, without a redirect.
pub(super) fn head(place: &Place, digest: &str) -> Result<Response, RegistryError> {
    let (digest, size) = find(place, digest)?;
    let headers = [
        (CONTENT_LENGTH.as_str(), size.to_string()),
        (CONTENT_TYPE.as_str(), "application/octet-stream".into()),
        ("docker-content-digest", digest.to_string()),
    ];
    Ok((headers, Body::empty()).into_response())
}

/// Sends the client to the bucket that the layers are in, by a link that needs no further credential.
pub(super) fn redirect(place: &Place, digest: &str, secure: bool) -> Result<Response, RegistryError> {
    let (digest, _) = find(place, digest)?;
    let cloud = &place.cloud;
    let link = cloud.buckets.link(&cloud.seal, digest, secure, cloud.now());
    let headers = [(LOCATION.as_str(), link), ("docker-content-digest", digest.to_string())];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

fn find(place: &Place, digest: &str) -> Result<(Digest, u64), RegistryError> {
    let digest: Digest = digest.parse().map_err(|_| RegistryError::DigestInvalid)?;
    let size = place.repository.blobs.get(&digest).ok_or(RegistryError::BlobUnknown)?;
    Ok((digest, *size))
}
