//! Archives of `docker save`: a list of images, each a configuration and layers that are tar archives themselves
//! (Docker image specification 1.2, combined image JSON and filesystem changeset format).

use std::io::Read as _;

use serde::Deserialize;
use serde_json::{Value, json};

use super::source::Source;
use super::{ImportError, Manifest, Parts, chosen, kept};
use crate::registry::manifests::MAX_MANIFEST;
use crate::store::Store;

pub(super) const LIST: &str = "manifest.json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const COMPRESSED_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// How gzip begins (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    layers: Vec<String>,
    repo_tags: Option<Vec<String>>,
}

pub(super) fn parts(store: &Store, source: &Source, reference: Option<&str>) -> Result<Parts, ImportError> {
    let list: Vec<Entry> = serde_json::from_slice(&source.text(LIST, MAX_MANIFEST as u64)?)?;
    let named = list.into_iter().map(|entry| (entry.repo_tags.clone().unwrap_or_default(), entry));
    let entry = chosen(named.collect(), reference)?;
    let mut parts = Parts::default();
    let config = descriptor(store, source, &entry.config, CONFIG, &mut parts)?;
    let layers = entry.layers.iter().map(|name| {
        let compressed = begins_with(source, name, GZIP)?;
        let media_type = if compressed { COMPRESSED_LAYER } else { LAYER };
        descriptor(store, source, name, media_type, &mut parts)
    });
    let layers: Vec<Value> = layers.collect::<Result<_, ImportError>>()?;
    let text = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    parts.manifests.push(Manifest { media_type: MANIFEST.into(), text: text.to_string().into_bytes() });
    Ok(parts)
}

/// Puts a file into the store, and describes it as a manifest does.
fn descriptor(
    store: &Store,
    source: &Source,
    name: &str,
    media_type: &str,
    parts: &mut Parts,
) -> Result<Value, ImportError> {
    let (content, size) = source.content(name)?;
    let digest = kept(store, content, size)?;
    parts.blobs.push((digest, size));
    Ok(json!({ "mediaType": media_type, "size": size, "digest": digest }))
}

fn begins_with(source: &Source, name: &str, bytes: [u8; 2]) -> Result<bool, ImportError> {
    let mut first = Vec::new();
    source.content(name)?.0.take(2).read_to_end(&mut first)?;
    Ok(first == bytes)
}
