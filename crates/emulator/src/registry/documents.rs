//! What manifests say: which content they need, and what they are about.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::conversion::{DOCKER_IMAGE, OCI_IMAGE};
use super::errors::RegistryError;
use super::names::Digest;
use crate::store::{ManifestRecord, Repository};

/// Media types of one image.
const IMAGE_TYPES: [&str; 2] = [OCI_IMAGE, DOCKER_IMAGE];
/// Media types of several images behind one name.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The media type of a manifest, if it is one that ECR takes. Docker's schema 1 is not among them.
pub(crate) fn media_type(text: &str) -> Result<&'static str, RegistryError> {
    let essence = text.split(';').next().unwrap_or_default().trim();
    IMAGE_TYPES
        .into_iter()
        .chain(INDEX_TYPES)
        .find(|known| known.eq_ignore_ascii_case(essence))
        .ok_or_else(|| RegistryError::ManifestInvalid(format!("unknown media type `{essence}`")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: Digest,
    media_type: Option<String>,
    /// Where a foreign layer is; such a layer is not in the registry.
    #[serde(default)]
    urls: Vec<String>,
}

/// A manifest as it is understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    media_type: &'static str,
    pub(crate) needed: Needed,
    /// The manifest that this one is about.
    pub(crate) subject: Option<Digest>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

/// What must be in a repository before a manifest is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    Blobs(Vec<Digest>),
    Manifests(Vec<Digest>),
}

impl Document {
    pub(crate) fn read(text: &[u8], media_type: &'static str) -> Result<Self, RegistryError> {
        let invalid = |reason: &str| RegistryError::ManifestInvalid(reason.into());
        let written: Written = serde_json::from_slice(text).map_err(|error| invalid(&error.to_string()))?;
        if written.schema_version != 2 {
            return Err(invalid("schemaVersion is not 2"));
        }
        if written.media_type.is_some_and(|said| said != media_type) {
            return Err(invalid("mediaType is not the request's Content-Type"));
        }
        let digests = |descriptors: Vec<Descriptor>| {
            descriptors.into_iter().filter(|part| part.urls.is_empty()).map(|part| part.digest).collect()
        };
        let mut artifact_type = written.artifact_type;
        let needed = if INDEX_TYPES.contains(&media_type) {
            let manifests = written.manifests.ok_or_else(|| invalid("an index needs `manifests`"))?;
            Needed::Manifests(digests(manifests))
        } else {
            let config = written.config.ok_or_else(|| invalid("an image needs `config`"))?;
            let mut parts = written.layers.ok_or_else(|| invalid("an image needs `layers`"))?;
            artifact_type = artifact_type.or_else(|| config.media_type.clone());
            parts.push(config);
            Needed::Blobs(digests(parts))
        };
        Ok(Self {
            media_type,
            needed,
            subject: written.subject.map(|subject| subject.digest),
            artifact_type,
            annotations: written.annotations.unwrap_or_default(),
        })
    }

    /// Fails on the first thing that a repository lacks for it.
    pub(crate) fn check(&self, repository: &Repository) -> Result<(), RegistryError> {
        let missing = match &self.needed {
            Needed::Blobs(digests) => digests.iter().find(|digest| !repository.blobs.contains_key(digest)),
            Needed::Manifests(digests) => {
                digests.iter().find(|digest| !repository.manifests.contains_key(digest))
            }
        };
        missing.map_or(Ok(()), |digest| Err(RegistryError::ManifestBlobUnknown(*digest)))
    }

    /// What a repository keeps of it. An index is as large as the largest of its images (Amazon ECR API reference,
    /// ImageDetail).
    pub(crate) fn record(self, repository: &Repository, size: u64, pushed: i64) -> ManifestRecord {
        let (blobs, children) = match self.needed {
            Needed::Blobs(blobs) => (blobs, Vec::new()),
            Needed::Manifests(children) => (Vec::new(), children),
        };
        let of_blobs: u64 = blobs.iter().filter_map(|blob| repository.blobs.get(blob)).sum();
        let of_children = children.iter().filter_map(|child| repository.manifests.get(child));
        let largest = of_children.map(|child| child.image_size).max().unwrap_or_default();
        ManifestRecord {
            media_type: self.media_type.into(),
            size,
            pushed,
            image_size: of_blobs.max(largest),
            blobs,
            children,
            subject: self.subject,
            artifact_type: self.artifact_type,
            annotations: self.annotations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGE: &str = IMAGE_TYPES[0];
    const INDEX: &str = INDEX_TYPES[0];

    fn needed(text: &str, media_type: &'static str) -> Option<Needed> {
        Document::read(text.as_bytes(), media_type).ok().map(|document| document.needed)
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
            let _ = Document::read(&text, IMAGE);
        }
    }
}
