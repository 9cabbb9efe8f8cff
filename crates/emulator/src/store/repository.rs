//! What a repository holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::accounts::RegistryId;
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::registry::names::{Digest, RepositoryName, Tag};

/// A repository and everything in it. A blob or manifest can be read only through repositories that list it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(super) account: String,
    pub(super) region: String,
    pub(crate) name: RepositoryName,
    created: i64,
    /// Size in bytes by digest.
    pub(crate) blobs: BTreeMap<Digest, u64>,
    pub(crate) manifests: BTreeMap<Digest, ManifestRecord>,
    pub(crate) tags: BTreeMap<Tag, Digest>,
    #[serde(default)]
    pub(crate) policy: Option<Policy>,
    /// The resource's own tags, which have nothing to do with those of images.
    #[serde(default)]
    pub(crate) tags_of_resource: Tags,
    /// Whether a tag, once given, stays with its image.
    #[serde(default)]
    pub(crate) immutable: bool,
}

/// What a repository is created with.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tags: Tags,
    pub(crate) immutable: bool,
}

impl Repository {
    pub(super) fn new(key: &RepositoryKey, settings: Settings, now: OffsetDateTime) -> Self {
        Self {
            account: key.registry.account.to_string(),
            region: key.registry.region.to_string(),
            name: key.name.clone(),
            created: now.unix_timestamp(),
            blobs: BTreeMap::new(),
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            policy: None,
            tags_of_resource: settings.tags,
            immutable: settings.immutable,
        }
    }

    pub(crate) fn created(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.created).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ManifestRecord {
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// When it was pushed first, in seconds since 1970.
    #[serde(default)]
    pub(crate) pushed: i64,
    /// Bytes of the blobs that it names; its own, if it is an index.
    #[serde(default)]
    pub(crate) image_size: u64,
    /// The manifests that it names, if it is an index.
    #[serde(default)]
    pub(crate) children: Vec<Digest>,
}

/// Which repository of which registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RepositoryKey {
    pub(crate) registry: RegistryId,
    pub(crate) name: RepositoryName,
}

impl RepositoryKey {
    pub(super) fn file_name(&self) -> String {
        let text = format!("{}/{}", self.registry.host(), self.name);
        format!("{}.json", Digest::of(text.as_bytes()).hex())
    }
}
