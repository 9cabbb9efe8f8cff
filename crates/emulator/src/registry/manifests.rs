//! Manifests of a repository, by tag and by digest.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Place;
use super::conversion::translation;
use super::documents::{Document, media_type};
use super::errors::RegistryError;
use super::names::{Digest, Reference, Tag};
use crate::cloud::blocking;
use crate::request_body;
use crate::store::{Repository, Store, StoreError};

/// The size that registries are to take at least (OCI distribution specification 1.1, pushing manifests).
pub(crate) const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// A manifest's text with its type and digest; for HEAD, the server leaves the text out. By tag it comes in a format
/// that the client accepts, if there is one.
pub(super) async fn get(
    place: &Place,
    reference: &str,
    headers: &HeaderMap,
) -> Result<Response, RegistryError> {
    let repository = &place.repository;
    let reference: Reference = reference.parse().map_err(|_| invalid(reference))?;
    let digest = digest_of(repository, &reference)?;
    let record = repository.manifests.get(&digest).ok_or(RegistryError::ManifestUnknown)?;
    let text = tokio::fs::read(place.cloud.store.content_path(digest)).await?;
    if let Reference::Tag(_) = reference
        && let Some(translated) = translation(&record.media_type, &text, headers)
    {
        let digest = Digest::of(&translated.text);
        return Ok(described(translated.media_type, digest, translated.text));
    }
    Ok(described(&record.media_type, digest, text))
}

fn described(media_type: &str, digest: Digest, text: Vec<u8>) -> Response {
    let headers =
        [(CONTENT_TYPE.as_str(), media_type.to_owned()), ("docker-content-digest", digest.to_string())];
    (headers, text).into_response()
}

fn digest_of(repository: &Repository, reference: &Reference) -> Result<Digest, RegistryError> {
    match reference {
        Reference::Digest(digest) => Ok(*digest),
        Reference::Tag(tag) => repository.tags.get(tag).copied().ok_or(RegistryError::ManifestUnknown),
    }
}

/// Lists a manifest under its digest, and under a tag if it was pushed by one.
pub(super) async fn put(place: &Place, reference: &str, request: Request) -> Result<Response, RegistryError> {
    let reference: Reference = reference.parse().map_err(|_| invalid(reference))?;
    let said = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type(said.unwrap_or_default())?;
    let text = request_body::read(request.into_body(), MAX_MANIFEST).await?;
    let digest = Digest::of(&text);
    if matches!(reference, Reference::Digest(named) if named != digest) {
        return Err(RegistryError::DigestInvalid);
    }
    let document = Document::read(&text, media_type)?;
    let subject = document.subject.map(|subject| [("oci-subject", subject.to_string())]);
    let location = place.path(&format!("manifests/{reference}"));

    let (cloud, key, pushed) = (place.cloud.clone(), place.key.clone(), place.cloud.now().unix_timestamp());
    let list = move || {
        cloud.store.change(&key, |repository| {
            let tag = match reference {
                Reference::Tag(tag) => Some(tag),
                Reference::Digest(_) => None,
            };
            if let Some(tag) = &tag {
                check_mutability(repository, tag, digest)?;
            }
            accept(&cloud.store, repository, document, &text, pushed)?;
            if let Some(tag) = tag {
                repository.tags.insert(tag, digest);
            }
            Ok::<_, RegistryError>(())
        })
    };
    blocking(list).await??;
    let headers = [(LOCATION.as_str(), location), ("docker-content-digest", digest.to_string())];
    Ok((StatusCode::CREATED, subject, headers).into_response())
}

/// Lists a manifest in a repository that has everything it needs.
fn accept(
    store: &Store,
    repository: &mut Repository,
    document: Document,
    text: &[u8],
    pushed: i64,
) -> Result<Digest, RegistryError> {
    document.check(repository)?;
    let digest = Digest::of(text);
    let content = store.new_upload_file()?;
    std::fs::write(&content, text)?;
    store.keep_content(content, digest)?;
    let record = document.record(repository, text.len() as u64, pushed);
    repository.manifests.entry(digest).or_insert(record);
    Ok(digest)
}

/// Lists a manifest that did not come by a request.
pub(crate) fn import(
    store: &Store,
    repository: &mut Repository,
    said_type: &str,
    text: &[u8],
    pushed: i64,
) -> Result<Digest, RegistryError> {
    let document = Document::read(text, media_type(said_type)?)?;
    accept(store, repository, document, text, pushed)
}

/// Deletes an image by digest, with its tags, or a tag, with its image if it was the last: as BatchDeleteImage does,
/// for which the registry answers with the distribution specification's 202.
pub(super) async fn delete(place: &Place, reference: &str) -> Result<Response, RegistryError> {
    let reference: Reference = reference.parse().map_err(|_| invalid(reference))?;
    let (cloud, key) = (place.cloud.clone(), place.key.clone());
    let delete = move || {
        cloud.store.change(&key, |repository| {
            let digest = digest_of(repository, &reference)?;
            let tag = match reference {
                Reference::Tag(tag) => Some(tag),
                Reference::Digest(_) => None,
            };
            repository.delete_image(digest, tag).map(drop).map_err(|error| match error {
                StoreError::NoImage => RegistryError::ManifestUnknown,
                StoreError::ImageInIndex => RegistryError::ManifestReferenced(digest),
                error => error.into(),
            })
        })
    };
    blocking(delete).await??;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// A tag that is protected stays with its image. Giving it to the same image again changes nothing.
fn check_mutability(repository: &Repository, tag: &Tag, digest: Digest) -> Result<(), RegistryError> {
    let is_taken = repository.tags.get(tag).is_some_and(|tagged| *tagged != digest);
    if is_taken && repository.mutability.protects(tag) {
        return Err(RegistryError::TagImmutable(tag.clone(), repository.name.clone()));
    }
    Ok(())
}

fn invalid(reference: &str) -> RegistryError {
    if reference.contains(':') { RegistryError::DigestInvalid } else { RegistryError::TagInvalid }
}
