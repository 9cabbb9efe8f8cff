//! A world from a file: accounts, identities, registries, repositories and images.
//!
//! [`Seed::read`] understands the whole text or fails with a line and a column. [`Seed::add_to`] puts into the options
//! what an emulator must know when it starts, and [`Emulator::apply`](crate::Emulator::apply) does the rest to one that
//! runs. Applied to a state folder of an earlier run, what is there already is brought to what the file says, and
//! nothing is deleted.

mod fault;
mod images;
mod meaning;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::accounts::{AccountId, Registry, RegistryId};
use crate::cloud::Cloud;
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::oidc::{GitLabIssuer, IdentityProvider};
use crate::options::{Identity, Options, RegistryAt};
use crate::registry::names::Tag;
use crate::store::{
    CacheRule, CreationTemplate, RepositoryKey, RepositoryPrefix, Settings, StoreError, TagMutability,
};
use crate::tls;
pub use images::ImportError;

/// Far more than a hundred accounts need.
const MAX_SEED: u64 = 4 * 1024 * 1024;

/// What a seed file describes.
#[derive(Debug, Clone, Default)]
pub struct Seed {
    accounts: BTreeSet<AccountId>,
    public_aliases: BTreeMap<String, AccountId>,
    public_port: Option<u16>,
    users: Vec<Identity>,
    roles: Vec<Identity>,
    identity_providers: Vec<IdentityProvider>,
    gitlab: GitLabIssuer,
    registries: Vec<SeededRegistry>,
    repositories: Vec<SeededRepository>,
}

/// A registry that is not as registries are by themselves.
#[derive(Debug, Clone)]
struct SeededRegistry {
    id: RegistryId,
    port: Option<u16>,
    blob_mounting: bool,
    templates: Vec<(RepositoryPrefix, CreationTemplate)>,
    cache_rules: Vec<(RepositoryPrefix, CacheRule)>,
}

/// A repository and what to put into it.
#[derive(Debug, Clone)]
struct SeededRepository {
    key: RepositoryKey,
    mutability: TagMutability,
    policy: Option<Policy>,
    tags: Tags,
    images: Vec<SeededImage>,
}

/// An image outside, and its tags inside.
#[derive(Debug, Clone)]
struct SeededImage {
    from: PathBuf,
    /// Which of several images there.
    reference: Option<String>,
    tags: Vec<Tag>,
}

impl Seed {
    /// Reads a seed file. Paths in it are relative to its folder; images are not opened yet.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn read(path: &Path) -> Result<Self, SeedError> {
        Self::parse(&read_limited(path, MAX_SEED)?, path)
    }

    /// Understands the content of the seed file at `path`.
    pub(crate) fn parse(content: &[u8], path: &Path) -> Result<Self, SeedError> {
        meaning::parse(content, path)
    }

    /// Adds accounts, users, roles, identity providers and ports to the options of an emulator to be, and to its certificate, if it serves
    /// TLS, the names of all registries that are mentioned.
    pub fn add_to(&self, options: &mut Options) {
        options.accounts.extend(self.accounts.iter().copied());
        options.users.extend(self.users.iter().cloned());
        options.roles.extend(self.roles.iter().cloned());
        options.identity_providers.extend(self.identity_providers.iter().cloned());
        options.gitlab.issuer = options.gitlab.issuer.take().or_else(|| self.gitlab.issuer.clone());
        options.gitlab.audiences.extend(self.gitlab.audiences.iter().cloned());
        let aliases = self.public_aliases.iter().map(|(alias, account)| (alias.clone(), *account));
        options.public_aliases.extend(aliases);
        options.public_port = options.public_port.or(self.public_port);
        for registry in &self.registries {
            let RegistryId { account, region } = registry.id.clone();
            options.registries.extend(registry.port.map(|port| RegistryAt { account, region, port }));
        }
        if let Some(tls) = &mut options.tls {
            tls.names.extend(self.private_registries().flat_map(tls::names_of));
        }
    }

    fn private_registries(&self) -> impl Iterator<Item = &RegistryId> {
        let of_repositories =
            self.repositories.iter().filter_map(|repository| match &repository.key.registry {
                Registry::Private(registry) => Some(registry),
                Registry::Public(_) => None,
            });
        self.registries.iter().map(|registry| &registry.id).chain(of_repositories)
    }

    /// Sets registries and repositories to what the seed says, and imports its images. It waits for files.
    pub(crate) fn apply(&self, cloud: &Cloud) -> Result<(), SeedError> {
        for registry in &self.registries {
            let created = cloud.now().unix_timestamp();
            cloud.store.change_settings(&registry.id, |settings| {
                settings.blob_mounting = registry.blob_mounting;
                for (prefix, template) in &registry.templates {
                    settings.put_template(prefix.clone(), CreationTemplate { created, ..template.clone() });
                }
                for (prefix, rule) in &registry.cache_rules {
                    settings.cache_rules.put(prefix.clone(), CacheRule { created, ..rule.clone() });
                }
                Ok(())
            })?;
        }
        self.repositories.iter().try_for_each(|repository| repository.apply(cloud))
    }
}

impl SeededRepository {
    fn apply(&self, cloud: &Cloud) -> Result<(), SeedError> {
        match cloud.store.create(self.key.clone(), Settings::default(), cloud.now()) {
            Ok(_) | Err(StoreError::RepositoryExists) => {}
            Err(error) => return Err(error.into()),
        }
        cloud.store.change(&self.key, |repository| {
            repository.mutability = self.mutability.clone();
            repository.policy = self.policy.clone();
            repository.tags_of_resource = self.tags.clone();
            Ok::<_, StoreError>(())
        })?;
        for image in &self.images {
            let pushed = cloud.now().unix_timestamp();
            images::import(&cloud.store, &self.key, image, pushed).map_err(|source| SeedError::Import {
                path: image.from.clone(),
                repository: self.key.name.to_string(),
                source,
            })?;
        }
        Ok(())
    }
}

/// A whole file, if it has at most `limit` bytes.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, SeedError> {
    let failed = |source| SeedError::Io { path: path.to_path_buf(), source };
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(SeedError::TooLarge { path: path.to_path_buf(), limit });
    }
    Ok(text)
}

/// Why a seed cannot be read or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is larger than any that is meant to be read.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it may be.
        limit: u64,
    },
    /// The seed file says something that cannot be.
    #[error("`{}`, line {line}, column {column}: {message}", path.display())]
    Fault {
        /// The seed file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// What to write instead, where that is known.
        hint: Option<String>,
    },
    /// An image cannot be imported.
    #[error("cannot import `{}` into repository `{repository}`", path.display())]
    Import {
        /// The folder or archive.
        path: PathBuf,
        /// The repository.
        repository: String,
        /// Why not.
        source: ImportError,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The Tokio runtime is shutting down.
    #[error("cannot run in the runtime")]
    Runtime(#[source] io::Error),
}

impl SeedError {
    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fault { hint, .. } => hint.clone(),
            Self::Import { source, .. } => source.hint(),
            Self::State(error) => error.hint(),
            _ => None,
        }
    }
}
