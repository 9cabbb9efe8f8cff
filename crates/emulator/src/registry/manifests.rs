//! Manifests of a repository, by tag and by digest.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Place;
use super::errors::RegistryError;
use super::names::{Digest, Reference, Tag};
use crate::cloud::blocking;
use crate::request_body;
use crate::store::{ManifestRecord, Repository};

/// The size that registries are to take at least (OCI distribution specification 1.1, pushing manifests).
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// Media types of one image.
const IMAGE_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// Media types of several images behind one name.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// A manifest's text with its type and digest; for HEAD, the server leaves the text out.
pub(super) async fn get(place: &Place, reference: &str) -> Result<Response, RegistryError> {
    let repository = &place.repository;
    let digest = match reference.parse().map_err(|_| invalid(reference))? {
        Reference::Digest(digest) => digest,
        Reference::Tag(tag) => *repository.tags.get(&tag).ok_or(RegistryError::ManifestUnknown)?,
    };
    let record = repository.manifests.get(&digest).ok_or(RegistryError::ManifestUnknown)?;
    let text = tokio::fs::read(place.cloud.store.content_path(digest)).await?;
    let headers =
        [(CONTENT_TYPE.as_str(), record.media_type.clone()), ("docker-content-digest", digest.to_string())];
    Ok((headers, text).into_response())
}

/// Lists a manifest under its digest, and under a tag if it was pushed by one.
pub(super) async fn put(place: &Place, reference: &str, request: Request) -> Result<Response, RegistryError> {
    let reference: Reference = reference.parse().map_err(|_| invalid(reference))?;
    let media_type = media_type(request.headers())?;
    let text = request_body::read(request.into_body(), MAX_MANIFEST).await?;
    let digest = Digest::of(&text);
    if matches!(reference, Reference::Digest(named) if named != digest) {
        return Err(RegistryError::DigestInvalid);
    }
    let needed = Needed::by(&text, media_type)?;
    let location = place.path(&format!("manifests/{reference}"));

    let (cloud, key, pushed) = (place.cloud.clone(), place.key.clone(), place.cloud.now().unix_timestamp());
    let list = move || {
        cloud.store.change(&key, |repository| {
            needed.check(repository)?;
            if let Reference::Tag(tag) = &reference {
                check_mutability(repository, tag, digest)?;
            }
            let content = cloud.store.new_upload_file()?;
            std::fs::write(&content, &text)?;
            cloud.store.keep_content(content, digest)?;
            let size = text.len() as u64;
            let (image_size, children) = match needed {
                Needed::Blobs(blobs) => {
                    (blobs.iter().filter_map(|blob| repository.blobs.get(blob)).sum(), vec![])
                }
                Needed::Manifests(children) => (size, children),
            };
            let record = ManifestRecord { media_type: media_type.into(), size, pushed, image_size, children };
            repository.manifests.entry(digest).or_insert(record);
            if let Reference::Tag(tag) = reference {
                repository.tags.insert(tag, digest);
            }
            Ok::<_, RegistryError>(())
        })
    };
    blocking(list).await??;
    let headers = [(LOCATION.as_str(), location), ("docker-content-digest", digest.to_string())];
    Ok((StatusCode::CREATED, headers).into_response())
}

/// A tag of an immutable repository stays with its image. Giving it to the same image again changes nothing.
fn check_mutability(repository: &Repository, tag: &Tag, digest: Digest) -> Result<(), RegistryError> {
    let is_taken = repository.tags.get(tag).is_some_and(|tagged| *tagged != digest);
    if repository.immutable && is_taken {
        return Err(RegistryError::TagImmutable(tag.clone(), repository.name.clone()));
    }
    Ok(())
}

fn invalid(reference: &str) -> RegistryError {
    if reference.contains(':') { RegistryError::DigestInvalid } else { RegistryError::TagInvalid }
}

fn media_type(headers: &HeaderMap) -> Result<&'static str, RegistryError> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    IMAGE_TYPES
        .into_iter()
        .chain(INDEX_TYPES)
        .find(|known| known.eq_ignore_ascii_case(essence))
        .ok_or_else(|| RegistryError::ManifestInvalid(format!("unknown media type `{essence}`")))
}

/// The parts of a manifest that name other content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    /// Where a foreign layer is; such a layer is not in the registry.
    #[serde(default)]
    urls: Vec<String>,
}

/// What must be in a repository before a manifest is.
#[derive(Debug, PartialEq, Eq)]
enum Needed {
    Blobs(Vec<Digest>),
    Manifests(Vec<Digest>),
}

impl Needed {
    fn by(text: &Bytes, media_type: &str) -> Result<Self, RegistryError> {
        let invalid = |reason: &str| RegistryError::ManifestInvalid(reason.into());
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| invalid(&error.to_string()))?;
        if manifest.schema_version != 2 {
            return Err(invalid("schemaVersion is not 2"));
        }
        if manifest.media_type.is_some_and(|said| said != media_type) {
            return Err(invalid("mediaType is not the request's Content-Type"));
        }
        if INDEX_TYPES.contains(&media_type) {
            let manifests = manifest.manifests.ok_or_else(|| invalid("an index needs `manifests`"))?;
            return Ok(Self::Manifests(manifests.into_iter().map(|descriptor| descriptor.digest).collect()));
        }
        let config = manifest.config.ok_or_else(|| invalid("an image needs `config`"))?;
        let layers = manifest.layers.ok_or_else(|| invalid("an image needs `layers`"))?;
        let blobs = layers.into_iter().chain([config]).filter(|descriptor| descriptor.urls.is_empty());
        Ok(Self::Blobs(blobs.map(|descriptor| descriptor.digest).collect()))
    }

    fn check(&self, repository: &Repository) -> Result<(), RegistryError> {
        let missing = match self {
            Self::Blobs(digests) => digests.iter().find(|digest| !repository.blobs.contains_key(digest)),
            Self::Manifests(digests) => {
                digests.iter().find(|digest| !repository.manifests.contains_key(digest))
            }
        };
        missing.map_or(Ok(()), |digest| Err(RegistryError::ManifestBlobUnknown(*digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGE: &str = IMAGE_TYPES[0];
    const INDEX: &str = INDEX_TYPES[0];

    fn needed(text: &str, media_type: &str) -> Option<Needed> {
        Needed::by(&Bytes::copy_from_slice(text.as_bytes()), media_type).ok()
    }

    #[test]
    fn an_image_needs_its_blobs_but_not_foreign_ones() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let text = serde_json::json!({
            "schemaVersion": 2,
            "config": { "digest": digest("0") },
            "layers": [{ "digest": digest("1") }, { "digest": digest("2"), "urls": ["https://example.com/layer"] }],
        });
        let blobs = ["1", "0"].map(|digit| digest(digit).parse().unwrap());
        assert_eq!(needed(&text.to_string(), IMAGE), Some(Needed::Blobs(blobs.to_vec())));
        assert_eq!(needed(&text.to_string(), INDEX), None);
    }

    #[test]
    fn malformed_manifests_are_refused() {
        for text in [
            "",
            "[]",
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":1,"config":{"digest":"x"},"layers":[]}"#,
            r#"{"schemaVersion":2,"config":{"digest":"sha256:../../etc/passwd"},"layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}"#,
        ] {
            assert_eq!(needed(text, IMAGE), None, "{text}");
            assert_eq!(needed(text, INDEX), None, "{text}");
        }
        assert_eq!(needed(r#"{"schemaVersion":2,"manifests":[]}"#, INDEX), Some(Needed::Manifests(vec![])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_an_error(text: Vec<u8>) {
            let _ = Needed::by(&Bytes::from(text), IMAGE);
        }
    }
}
