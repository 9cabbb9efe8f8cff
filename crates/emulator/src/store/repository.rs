//! What a repository holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{StoreError, TagMutability};
use crate::accounts::{AccountId, PlaceError, Registry, RegistryId};
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::registry::names::{Digest, RepositoryName, Tag};

/// A repository and everything in it. A blob or manifest can be read only through repositories that list it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    account: String,
    /// Without one, it is a repository of ECR Public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
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
    #[serde(flatten)]
    pub(crate) mutability: TagMutability,
}

/// What a repository is created with.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tags: Tags,
    pub(crate) mutability: TagMutability,
    pub(crate) policy: Option<Policy>,
}

impl Repository {
    pub(super) fn new(key: &RepositoryKey, settings: Settings, now: OffsetDateTime) -> Self {
        Self {
            account: key.registry.account().to_string(),
            region: match &key.registry {
                Registry::Private(registry) => Some(registry.region.to_string()),
                Registry::Public(_) => None,
            },
            name: key.name.clone(),
            created: now.unix_timestamp(),
            blobs: BTreeMap::new(),
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            policy: settings.policy,
            tags_of_resource: settings.tags,
            mutability: settings.mutability,
        }
    }

    /// The key that it is kept under.
    pub(super) fn key(&self) -> Result<RepositoryKey, PlaceError> {
        let account: AccountId = self.account.parse()?;
        let registry = match &self.region {
            Some(region) => Registry::Private(RegistryId { account, region: region.parse()? }),
            None => Registry::Public(account),
        };
        Ok(RepositoryKey { registry, name: self.name.clone() })
    }

    pub(crate) fn created(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.created).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The tags of an image, in order.
    pub(crate) fn tags_of(&self, digest: Digest) -> impl Iterator<Item = &Tag> {
        self.tags.iter().filter(move |(_, tagged)| **tagged == digest).map(|(tag, _)| tag)
    }

    /// Deletes an image with all its tags, or only `tag`, with which the image goes if it was its last; gives the tags
    /// that are gone. What an index refers to stays (Amazon ECR API reference, BatchDeleteImage).
    pub(crate) fn delete_image(&mut self, digest: Digest, tag: Option<Tag>) -> Result<Vec<Tag>, StoreError> {
        if !self.manifests.contains_key(&digest) {
            return Err(StoreError::NoImage);
        }
        let tags: Vec<Tag> = match tag {
            Some(tag) => vec![tag],
            None => self.tags_of(digest).cloned().collect(),
        };
        let is_last = self.tags_of(digest).count() == tags.len();
        if is_last && self.manifests.values().any(|other| other.children.contains(&digest)) {
            return Err(StoreError::ImageInIndex);
        }
        for tag in &tags {
            self.tags.remove(tag);
        }
        if is_last {
            self.manifests.remove(&digest);
        }
        Ok(tags)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ManifestRecord {
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// When it was pushed first, in seconds since 1970.
    #[serde(default)]
    pub(crate) pushed: i64,
    /// Bytes of the blobs that it names; of its largest image, if it is an index.
    #[serde(default)]
    pub(crate) image_size: u64,
    /// The blobs that it names, but foreign ones.
    #[serde(default)]
    pub(crate) blobs: Vec<Digest>,
    /// The manifests that it names, if it is an index.
    #[serde(default)]
    pub(crate) children: Vec<Digest>,
    /// The manifest that it is about, if it is a signature or the like.
    #[serde(default)]
    pub(crate) subject: Option<Digest>,
    /// What it is: the media type of an image's configuration, unless it says so itself.
    #[serde(default)]
    pub(crate) artifact_type: Option<String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Which repository of which registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RepositoryKey {
    pub(crate) registry: Registry,
    pub(crate) name: RepositoryName,
}

impl RepositoryKey {
    pub(super) fn file_name(&self) -> String {
        let registry = match &self.registry {
            Registry::Private(registry) => registry.host(),
            Registry::Public(account) => format!("public/{account}"),
        };
        let text = format!("{registry}/{}", self.name);
        format!("{}.json", Digest::of(text.as_bytes()).hex())
    }
}
