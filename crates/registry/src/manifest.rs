//! Manifests and indexes, as far as they tell platforms and sizes (OCI image specification 1.1).

use serde::Deserialize;

use crate::error::LookupError;

/// What an engine can take, in the words of `Accept`. Registries answer "not found" for an index that is not asked for.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The digest that its name has now.
    pub digest: Option<String>,
    /// The media type of its manifest or index.
    pub media_type: Option<String>,
    /// The platforms that it is for, such as `linux/amd64`; empty if they were not asked for.
    pub platforms: Vec<String>,
    /// How many bytes of it are transferred, compressed as they are, for one platform.
    pub size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

/// The platform of a manifest within an index; an image's settings have the same members.
#[derive(Debug, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl Platform {
    pub(crate) fn read(text: &[u8]) -> Option<String> {
        serde_json::from_slice::<Self>(text).ok()?.name()
    }

    /// Attestations in an index have the platform `unknown/unknown`.
    fn name(&self) -> Option<String> {
        if self.os.is_empty() || self.os == "unknown" {
            return None;
        }
        let variant = self.variant.iter().filter(|variant| !variant.is_empty());
        Some([&self.os, &self.architecture].into_iter().chain(variant).cloned().collect::<Vec<_>>().join("/"))
    }
}

impl Manifest {
    pub(crate) fn read(text: &[u8]) -> Result<Self, LookupError> {
        serde_json::from_slice(text)
            .map_err(|error| LookupError::Answer(format!("it is no manifest: {error}")))
    }

    /// The platforms of an index.
    pub(crate) fn platforms(&self) -> Vec<String> {
        self.manifests.iter().filter_map(|manifest| manifest.platform.as_ref()?.name()).collect()
    }

    /// The manifest of an index that is for `platform`, else its first; and whether it is for that platform, as one
    /// that names none may be.
    pub(crate) fn manifest_for(&self, platform: &str) -> Option<(&str, bool)> {
        let name = |manifest: &Descriptor| manifest.platform.as_ref().and_then(Platform::name);
        let is_for = |manifest: &&Descriptor| {
            let name = name(manifest).unwrap_or_default();
            name == platform || name.starts_with(&format!("{platform}/"))
        };
        let found = self.manifests.iter().find(is_for).map(|manifest| (manifest.digest.as_str(), true));
        let first = || self.manifests.first().map(|first| (first.digest.as_str(), name(first).is_none()));
        found.or_else(first)
    }

    /// The bytes of an image's layers and settings; none for an index.
    pub(crate) fn size(&self) -> Option<u64> {
        let config = self.config.as_ref()?;
        Some(self.layers.iter().fold(config.size, |sum, layer| sum.saturating_add(layer.size)))
    }
}

/// Whether a text can stand in an address as a digest.
pub(crate) fn is_digest(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        hex.len() >= 32
            && is_hex(hex)
            && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_index_tells_its_platforms_without_attestations() {
        let text = serde_json::json!({ "schemaVersion": 2, "manifests": [
            { "digest": "sha256:a", "size": 1, "platform": { "os": "linux", "architecture": "amd64" } },
            { "digest": "sha256:b", "size": 1,
              "platform": { "os": "linux", "architecture": "arm64", "variant": "v8" } },
            { "digest": "sha256:c", "size": 1, "platform": { "os": "unknown", "architecture": "unknown" } },
        ]});
        let index = Manifest::read(text.to_string().as_bytes()).unwrap();
        assert_eq!(index.platforms(), ["linux/amd64", "linux/arm64/v8"]);
        assert_eq!(index.manifest_for("linux/arm64"), Some(("sha256:b", true)));
        assert_eq!(index.manifest_for("windows/amd64"), Some(("sha256:a", false)));
        assert_eq!(index.size(), None);
    }

    #[test]
    fn an_image_weighs_its_layers_and_its_settings() {
        let text = serde_json::json!({ "config": { "digest": "sha256:a", "size": 5 },
            "layers": [{ "digest": "sha256:b", "size": 10 }, { "digest": "sha256:c", "size": u64::MAX }] });
        assert_eq!(Manifest::read(text.to_string().as_bytes()).unwrap().size(), Some(u64::MAX));
        assert_eq!(
            Platform::read(br#"{"os":"linux","architecture":"arm64"}"#).as_deref(),
            Some("linux/arm64")
        );
    }

    #[test]
    fn digests_cannot_climb() {
        assert!(is_digest(&format!("sha256:{}", "a".repeat(64))));
        for text in ["", "sha256:", "sha256:../../x", "../x:0123456789abcdef0123456789abcdef"] {
            assert!(!is_digest(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_an_error(text: Vec<u8>) {
            let _ = Manifest::read(&text);
            let _ = Platform::read(&text);
        }
    }
}
