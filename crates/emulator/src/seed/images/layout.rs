//! OCI image layouts, in a folder or an archive (OCI image specification 1.1, image layout).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::source::Source;
use super::{ImportError, Manifest, Parts, chosen, kept};
use crate::registry::documents::{Document, Needed, media_type};
use crate::registry::manifests::MAX_MANIFEST;
use crate::registry::names::Digest;
use crate::store::Store;

pub(super) const INDEX: &str = "index.json";
/// What images in a layout are called by.
const REFERENCE: &str = "org.opencontainers.image.ref.name";
/// How deep indexes may lie in indexes. Content cannot contain its own digest, so there are no circles, only depth.
const MAX_DEPTH: usize = 8;
/// Each may have 4 MiB, which are in memory until the image is complete.
const MAX_MANIFESTS: usize = 256;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What a manifest says about its own kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

pub(super) fn parts(store: &Store, source: &Source, reference: Option<&str>) -> Result<Parts, ImportError> {
    let index: Index = serde_json::from_slice(&source.text(INDEX, MAX_MANIFEST as u64)?)?;
    let named = index.manifests.into_iter().map(|descriptor| {
        let Descriptor { digest, mut annotations } = descriptor;
        (annotations.remove(REFERENCE).into_iter().collect(), digest)
    });
    let digest = chosen(named.collect(), reference)?;
    let mut walk = Walk { store, source, parts: Parts::default(), seen: BTreeSet::new() };
    walk.take_manifest(digest, 0)?;
    Ok(walk.parts)
}

/// The way through a layout, from an image to everything that it names.
struct Walk<'a> {
    store: &'a Store,
    source: &'a Source,
    parts: Parts,
    seen: BTreeSet<Digest>,
}

impl Walk<'_> {
    fn take_manifest(&mut self, digest: Digest, depth: usize) -> Result<(), ImportError> {
        if !self.seen.insert(digest) {
            return Ok(());
        }
        let text = self.source.text(&path_of(digest), MAX_MANIFEST as u64)?;
        if Digest::of(&text) != digest {
            return Err(ImportError::Altered(digest.to_string()));
        }
        let kind: Kind = serde_json::from_slice(&text)?;
        let said = kind.media_type.unwrap_or_else(|| default_type(kind.manifests.is_some()).into());
        match Document::read(&text, media_type(&said)?)?.needed {
            Needed::Blobs(blobs) => blobs.into_iter().try_for_each(|blob| self.take_blob(blob))?,
            Needed::Manifests(_) if depth >= MAX_DEPTH => {
                return Err(ImportError::Manifest(format!("indexes lie more than {MAX_DEPTH} deep")));
            }
            Needed::Manifests(children) => {
                children.into_iter().try_for_each(|child| self.take_manifest(child, depth + 1))?;
            }
        }
        if self.parts.manifests.len() >= MAX_MANIFESTS {
            return Err(ImportError::Manifest(format!("more than {MAX_MANIFESTS} manifests")));
        }
        self.parts.manifests.push(Manifest { media_type: said, text });
        Ok(())
    }

    fn take_blob(&mut self, digest: Digest) -> Result<(), ImportError> {
        if !self.seen.insert(digest) {
            return Ok(());
        }
        let (content, size) = self.source.content(&path_of(digest))?;
        if kept(self.store, content, size)? != digest {
            return Err(ImportError::Altered(digest.to_string()));
        }
        self.parts.blobs.push((digest, size));
        Ok(())
    }
}

fn path_of(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// In OCI's formats, manifests need not say what they are.
const fn default_type(is_index: bool) -> &'static str {
    if is_index {
        "application/vnd.oci.image.index.v1+json"
    } else {
        "application/vnd.oci.image.manifest.v1+json"
    }
}
