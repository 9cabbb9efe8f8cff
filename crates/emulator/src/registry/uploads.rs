//! Uploads of blobs: started, filled in chunks or at once, and finished by naming the digest.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use time::{Duration, OffsetDateTime};

use super::errors::RegistryError;
use super::names::{Digest, RepositoryName};
use super::{Place, Visitor};
use crate::accounts::Registry;
use crate::cloud::blocking;
use crate::iam;
use crate::store::RepositoryKey;

/// The largest layer that ECR takes (Amazon ECR user guide, service quotas).
pub(crate) const MAX_BLOB: u64 = 52_000 * 1024 * 1024;
/// How much arrives before it is hashed and written; an upload in progress costs about this much memory.
const BATCH: usize = 512 * 1024;
/// How long a client may send nothing in the middle of a body.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(60);

const MAX_OPEN: usize = 1024;
const ABANDONED_AFTER: Duration = Duration::hours(1);

/// What has arrived of a blob.
struct Upload {
    repository: RepositoryKey,
    content: TempPath,
    hasher: Sha256,
    size: u64,
    chunks: u32,
    touched: OffsetDateTime,
}

/// The uploads that are open, by identifier. A request that fills one takes it out and puts it back, so two
/// requests never fill the same; one that breaks off loses it, and the client starts anew.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<HashMap<String, Upload>>);

impl Uploads {
    fn put(&self, id: String, upload: Upload, now: OffsetDateTime) -> Result<(), RegistryError> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.retain(|_, other| now < other.touched + ABANDONED_AFTER);
        if uploads.len() >= MAX_OPEN {
            return Err(RegistryError::TooManyUploads);
        }
        uploads.insert(id, Upload { touched: now, ..upload });
        Ok(())
    }

    fn take(&self, id: &str, repository: &RepositoryKey) -> Result<Upload, RegistryError> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uploads.get(id) {
            Some(upload) if upload.repository == *repository => uploads.remove(id),
            _ => None,
        }
        .ok_or(RegistryError::UploadUnknown)
    }
}

/// Opens an upload, or lists the blob at once if it can be mounted from another repository of the registry.
pub(super) async fn start(place: &Place, query: Option<&str>) -> Result<Response, RegistryError> {
    if let Some((digest, source)) = mount_of(query)
        && let Some(size) = mountable_size(place, digest, source)
    {
        return list_blob(place, digest, size).await;
    }
    let cloud = place.cloud.clone();
    let content = blocking(move || cloud.store.new_upload_file()).await??;
    let (id, now) = (place.cloud.seal.uuid(), place.cloud.now());
    let repository = place.key.clone();
    let upload = Upload { repository, content, hasher: Sha256::new(), size: 0, chunks: 0, touched: now };
    let response = progress(place, StatusCode::ACCEPTED, &id, upload.size);
    place.cloud.uploads.put(id, upload, now)?;
    Ok(response)
}

/// What `?mount=<digest>&from=<repository>` asks for; anything else in the query means an ordinary upload.
fn mount_of(query: Option<&str>) -> Option<(Digest, RepositoryName)> {
    let (mut digest, mut source) = (None, None);
    for (name, value) in form_urlencoded::parse(query?.as_bytes()) {
        match &*name {
            "mount" => digest = value.parse().ok(),
            "from" => source = value.parse().ok(),
            _ => {}
        }
    }
    digest.zip(source)
}

/// The size of a blob that may be mounted. That needs the registry's consent, and permission to download from the
/// source ("Blob mounting in Amazon ECR", Amazon ECR user guide), and a blob that an image there refers to
/// (aws/containers-roadmap issue 2860). Whatever is missing, the client gets an ordinary upload, as the distribution
/// specification has it. ECR Public mounts nothing (aws/containers-roadmap issue 1459).
fn mountable_size(place: &Place, digest: Digest, source: RepositoryName) -> Option<u64> {
    const ACTION: &str = "ecr:GetDownloadUrlForLayer";
    let (Registry::Private(registry), Visitor::Known(principal)) = (&place.key.registry, &place.visitor)
    else {
        return None;
    };
    if !place.cloud.store.settings(registry).blob_mounting {
        return None;
    }
    let source = RepositoryKey { registry: place.key.registry.clone(), name: source };
    iam::authorize_on_repository(&place.cloud, principal, ACTION, &source).ok()?;
    let source = place.cloud.store.find(&source)?;
    let is_of_an_image = source.manifests.values().any(|manifest| manifest.blobs.contains(&digest));
    source.blobs.get(&digest).copied().filter(|_| is_of_an_image)
}

pub(super) fn status(place: &Place, id: &str) -> Result<Response, RegistryError> {
    let upload = place.cloud.uploads.take(id, &place.key)?;
    let response = progress(place, StatusCode::NO_CONTENT, id, upload.size);
    place.cloud.uploads.put(id.into(), upload, place.cloud.now())?;
    Ok(response)
}

/// Adds a chunk. With ECR's quirk, a second one is read and thrown away.
pub(super) async fn patch(place: &Place, id: &str, body: Body) -> Result<Response, RegistryError> {
    let quirks = place.cloud.quirks;
    let mut upload = place.cloud.uploads.take(id, &place.key)?;
    if upload.chunks > 0 && quirks.later_chunks_are_dropped {
        discard(body).await?;
    } else {
        upload = append(upload, body).await?;
    }
    upload.chunks = upload.chunks.saturating_add(1);
    let status = if quirks.chunk_is_created { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let response = progress(place, status, id, upload.size);
    place.cloud.uploads.put(id.into(), upload, place.cloud.now())?;
    Ok(response)
}

/// Adds what the body holds, which may be the whole blob, and lists the blob if its digest is the one named.
pub(super) async fn finish(
    place: &Place,
    id: &str,
    query: Option<&str>,
    body: Body,
) -> Result<Response, RegistryError> {
    let upload = place.cloud.uploads.take(id, &place.key)?;
    let digest = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find_map(|(name, value)| (name == "digest").then(|| value.parse().ok()))
        .flatten()
        .ok_or(RegistryError::DigestInvalid)?;
    let Upload { content, hasher, size, .. } = append(upload, body).await?;
    if Digest::from_sha256(hasher.finalize().into()) != digest {
        return Err(RegistryError::DigestInvalid);
    }
    let cloud = place.cloud.clone();
    blocking(move || cloud.store.keep_content(content, digest)).await??;
    list_blob(place, digest, size).await
}

pub(super) fn cancel(place: &Place, id: &str) -> Result<Response, RegistryError> {
    place.cloud.uploads.take(id, &place.key)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list_blob(place: &Place, digest: Digest, size: u64) -> Result<Response, RegistryError> {
    let (cloud, key) = (place.cloud.clone(), place.key.clone());
    let insert = move || {
        cloud.store.change(&key, |repository| {
            repository.blobs.insert(digest, size);
            Ok::<_, RegistryError>(())
        })
    };
    blocking(insert).await??;
    let location = place.path(&format!("blobs/{digest}"));
    let headers = [(LOCATION.as_str(), location), ("docker-content-digest", digest.to_string())];
    Ok((StatusCode::CREATED, headers).into_response())
}

/// How far an upload is. The location is relative: it holds by whatever name the client reached the registry.
fn progress(place: &Place, status: StatusCode, id: &str, size: u64) -> Response {
    let headers = [
        (LOCATION.as_str(), place.path(&format!("blobs/uploads/{id}"))),
        ("docker-upload-uuid", id.into()),
        ("range", format!("0-{}", size.saturating_sub(1))),
    ];
    (status, headers).into_response()
}

/// Streams a body to the end of an upload.
async fn append(mut upload: Upload, mut body: Body) -> Result<Upload, RegistryError> {
    let path = upload.content.to_path_buf();
    let mut file = blocking(move || OpenOptions::new().append(true).open(path)).await??;
    loop {
        let (batch, ended) = next_batch(&mut body).await?;
        let length: usize = batch.iter().map(Bytes::len).sum();
        upload.size += length as u64;
        if upload.size > MAX_BLOB {
            return Err(RegistryError::TooLarge(format!("a blob has at most {MAX_BLOB} bytes")));
        }
        if length > 0 {
            let hasher = upload.hasher;
            (file, upload.hasher) = blocking(move || hash_and_write(file, hasher, &batch)).await??;
        }
        if ended {
            return Ok(upload);
        }
    }
}

fn hash_and_write(mut file: File, mut hasher: Sha256, batch: &[Bytes]) -> std::io::Result<(File, Sha256)> {
    for bytes in batch {
        hasher.update(bytes);
        file.write_all(bytes)?;
    }
    Ok((file, hasher))
}

/// The next pieces of a body, about [`BATCH`] bytes together, and whether it ends with them.
async fn next_batch(body: &mut Body) -> Result<(Vec<Bytes>, bool), RegistryError> {
    let (mut batch, mut length) = (Vec::new(), 0);
    while length < BATCH {
        let failed = |reason: &str| RegistryError::UploadInvalid(reason.into());
        let frame =
            tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| failed("the body stopped"))?;
        match frame {
            None => return Ok((batch, true)),
            Some(frame) => {
                if let Ok(bytes) = frame.map_err(|_| failed("the body ended early"))?.into_data() {
                    length += bytes.len();
                    batch.push(bytes);
                }
            }
        }
    }
    Ok((batch, false))
}

async fn discard(mut body: Body) -> Result<(), RegistryError> {
    while !next_batch(&mut body).await?.1 {}
    Ok(())
}
