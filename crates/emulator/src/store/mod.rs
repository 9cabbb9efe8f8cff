//! Repositories in memory, blobs in files.
//!
//! ```text
//! <folder>/ca.pem                            the authority to trust, if TLS is served
//! <folder>/lock                              held while an emulator uses the folder
//! <folder>/blobs/sha256/<hex>                content of blobs and manifests, shared by all registries
//! <folder>/registries/<host>.json              what a private registry is set to
//! <folder>/repositories/<hex>.json           one repository each; <hex> is the SHA-256 of registry and name
//! <folder>/uploads/                          what is being uploaded; emptied at start
//! ```
//! `registries/` and `repositories/` are written only for a folder that outlives the emulator. Files appear by renaming, so a reader
//! never sees half of one.

mod cache_rules;
mod mutability;
mod registry_settings;
mod repository;
mod repository_prefix;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::{NamedTempFile, TempDir, TempPath};
use time::OffsetDateTime;

use crate::accounts::{PlaceError, Registry, RegistryId};
use crate::registry::names::Digest;
pub(crate) use cache_rules::{CacheRule, CacheRules, Upstream};
pub(crate) use mutability::{MAX_FILTERS, TagFilter, TagMutability};
pub(crate) use registry_settings::{AppliedFor, CreationTemplate, RegistrySettings};
pub(crate) use repository::{ManifestRecord, Repository, RepositoryKey, Settings};
pub(crate) use repository_prefix::RepositoryPrefix;

/// The folder of one emulator. Dropping it gives up the lock, and removes a temporary folder.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    durable: bool,
    _lock: File,
    _temporary: Option<TempDir>,
}

impl StateFolder {
    /// Takes a folder for this emulator alone, or makes a temporary one.
    pub(crate) fn take(path: Option<&Path>) -> Result<Self, StoreError> {
        let (path, temporary) = match path {
            Some(path) => (path.to_path_buf(), None),
            None => {
                let own = fs::Permissions::from_mode(0o700);
                let folder = tempfile::Builder::new().prefix("ecru-emulator-").permissions(own).tempdir();
                let folder = folder.map_err(StoreError::at(&std::env::temp_dir()))?;
                (folder.path().to_path_buf(), Some(folder))
            }
        };
        for folder in ["blobs/sha256", "registries", "repositories", "uploads"] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(StoreError::at(&folder))?;
        }
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(StoreError::at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path: lock_path, source }),
        }
        Ok(Self { path, durable: temporary.is_none(), _lock: lock, _temporary: temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// All repositories of all registries. Its functions that change something write files: they block.
pub(crate) struct Store {
    folder: PathBuf,
    durable: bool,
    /// Each repository is replaced as a whole, so a reader keeps a consistent one without holding the lock.
    repositories: RwLock<BTreeMap<RepositoryKey, Arc<Repository>>>,
    settings: RwLock<BTreeMap<RegistryId, Arc<RegistrySettings>>>,
    /// Held from reading a repository or settings to replacing them; readers do not wait for the file in between.
    changing: Mutex<()>,
}

impl Store {
    /// The store in a folder, with what an earlier emulator left there.
    pub(crate) fn open(folder: &StateFolder) -> Result<Self, StoreError> {
        let StateFolder { path, durable, .. } = folder;
        remove_files_in(&path.join("uploads"))?;
        let repositories = RwLock::new(read_repositories(&path.join("repositories"))?);
        let settings = RwLock::new(read_settings(&path.join("registries"))?);
        Ok(Self {
            folder: path.clone(),
            durable: *durable,
            repositories,
            settings,
            changing: Mutex::default(),
        })
    }

    pub(crate) fn create(
        &self,
        key: RepositoryKey,
        settings: Settings,
        now: OffsetDateTime,
    ) -> Result<Arc<Repository>, StoreError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find(&key).is_some() {
            return Err(StoreError::RepositoryExists);
        }
        let repository = Repository::new(&key, settings, now);
        self.replace(key, repository)
    }

    pub(crate) fn find(&self, key: &RepositoryKey) -> Option<Arc<Repository>> {
        self.repositories.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The repositories of one registry, ordered by name.
    pub(crate) fn list(&self, registry: &Registry) -> Vec<Arc<Repository>> {
        let repositories = self.repositories.read().unwrap_or_else(PoisonError::into_inner);
        let of_registry = repositories.iter().filter(|(key, _)| key.registry == *registry);
        of_registry.map(|(_, repository)| repository.clone()).collect()
    }

    /// Applies `change` to a repository: wholly, or not at all when it or the writing fails.
    pub(crate) fn change<E: From<StoreError>>(
        &self,
        key: &RepositoryKey,
        change: impl FnOnce(&mut Repository) -> Result<(), E>,
    ) -> Result<(), E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut repository = (*self.find(key).ok_or(StoreError::NoRepository)?).clone();
        change(&mut repository)?;
        self.replace(key.clone(), repository)?;
        Ok(())
    }

    /// Removes a repository if `may_be_removed` says so. Content stays, since other repositories may share it.
    pub(crate) fn remove(
        &self,
        key: &RepositoryKey,
        may_be_removed: impl FnOnce(&Repository) -> bool,
    ) -> Result<Arc<Repository>, StoreError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = self.find(key).ok_or(StoreError::NoRepository)?;
        if !may_be_removed(&repository) {
            return Err(StoreError::RepositoryNotEmpty);
        }
        if self.durable {
            let path = self.folder.join("repositories").join(key.file_name());
            fs::remove_file(&path).map_err(StoreError::at(&path))?;
        }
        self.repositories.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(repository)
    }

    fn replace(&self, key: RepositoryKey, repository: Repository) -> Result<Arc<Repository>, StoreError> {
        if self.durable {
            self.write_json(&self.folder.join("repositories").join(key.file_name()), &repository)?;
        }
        let repository = Arc::new(repository);
        let mut repositories = self.repositories.write().unwrap_or_else(PoisonError::into_inner);
        repositories.insert(key, repository.clone());
        Ok(repository)
    }

    /// What a private registry is set to.
    pub(crate) fn settings(&self, registry: &RegistryId) -> Arc<RegistrySettings> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.get(registry).cloned().unwrap_or_default()
    }

    /// Applies `change` to a registry's settings: wholly, or not at all when it or the writing fails.
    pub(crate) fn change_settings<T>(
        &self,
        registry: &RegistryId,
        change: impl FnOnce(&mut RegistrySettings) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings = (*self.settings(registry)).clone();
        let outcome = change(&mut settings)?;
        if self.durable {
            let file = format!("{}.json", registry.host());
            self.write_json(&self.folder.join("registries").join(file), &settings)?;
        }
        let mut all = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(registry.clone(), Arc::new(settings));
        Ok(outcome)
    }

    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
        let failed = StoreError::at(path);
        let write = || {
            let mut file = NamedTempFile::new_in(self.folder.join("uploads"))?;
            file.write_all(&serde_json::to_vec(value)?)?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map(drop).map_err(failed)
    }

    /// An empty file for content on its way in; it is removed unless [`Store::keep_content`] takes it.
    pub(crate) fn new_upload_file(&self) -> Result<TempPath, StoreError> {
        let folder = self.folder.join("uploads");
        NamedTempFile::new_in(&folder).map(NamedTempFile::into_temp_path).map_err(StoreError::at(&folder))
    }

    /// Files content under its digest, which the caller has verified.
    pub(crate) fn keep_content(&self, content: TempPath, digest: Digest) -> Result<(), StoreError> {
        let path = self.content_path(digest);
        if path.exists() {
            return Ok(());
        }
        content.persist(&path).map_err(|error| StoreError::Io { path, source: error.error })
    }

    /// Where the content with this digest is, if it is.
    pub(crate) fn content_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }
}

fn remove_files_in(folder: &Path) -> Result<(), StoreError> {
    let failed = || StoreError::at(folder);
    for entry in fs::read_dir(folder).map_err(failed())? {
        fs::remove_file(entry.map_err(failed())?.path()).map_err(failed())?;
    }
    Ok(())
}

fn read_repositories(folder: &Path) -> Result<BTreeMap<RepositoryKey, Arc<Repository>>, StoreError> {
    read_json(folder, |_, repository: Repository| Ok((repository.key()?, repository)))
}

fn read_settings(folder: &Path) -> Result<BTreeMap<RegistryId, Arc<RegistrySettings>>, StoreError> {
    read_json(folder, |name, settings| {
        let registry = name.strip_suffix(".json").and_then(RegistryId::of_host);
        Ok((registry.ok_or_else(|| PlaceError::Account(name.into()))?, settings))
    })
}

/// What the files of a folder say, by keys that their names or they themselves give.
fn read_json<K: Ord, T: DeserializeOwned>(
    folder: &Path,
    entry: impl Fn(&str, T) -> Result<(K, T), PlaceError>,
) -> Result<BTreeMap<K, Arc<T>>, StoreError> {
    let mut entries = BTreeMap::new();
    for file in fs::read_dir(folder).map_err(StoreError::at(folder))? {
        let path = file.map_err(StoreError::at(folder))?.path();
        let text = fs::read(&path).map_err(StoreError::at(&path))?;
        let unreadable = |reason: String| StoreError::Unreadable { path: path.clone(), reason };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let value = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        let (key, value) = entry(&name, value).map_err(|error| unreadable(error.to_string()))?;
        entries.insert(key, Arc::new(value));
    }
    Ok(entries)
}

/// What can go wrong with repositories and their files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The repository is there already.
    #[error("the repository already exists")]
    RepositoryExists,
    /// The repository was not created.
    #[error("no such repository")]
    NoRepository,
    /// The repository does not have the image.
    #[error("no such image")]
    NoImage,
    /// An index refers to the image.
    #[error("an index refers to the image")]
    ImageInIndex,
    /// The registry does not have the repository creation template.
    #[error("no such template")]
    NoTemplate,
    /// The registry has the repository creation template already.
    #[error("the template already exists")]
    TemplateExists,
    /// The registry does not have the pull-through cache rule.
    #[error("no such pull-through cache rule")]
    NoCacheRule,
    /// The registry has the pull-through cache rule already.
    #[error("the pull-through cache rule already exists")]
    CacheRuleExists,
    /// The repository has images.
    #[error("the repository still contains images")]
    RepositoryNotEmpty,
    /// Another emulator uses the folder.
    #[error("state folder `{}` is in use by another emulator", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the state folder is not one that the emulator wrote.
    #[error("cannot understand `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StoreError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => Some("stop the other emulator, or give this one another folder".into()),
            Self::Unreadable { path, .. } => {
                Some(format!("remove `{}` to lose only this repository", path.display()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> RepositoryKey {
        RepositoryKey { registry: RegistryId::default().into(), name: name.parse().unwrap() }
    }

    #[test]
    fn repositories_outlive_the_store_only_in_a_folder_of_ones_own() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        for expected in [false, true] {
            let folder = StateFolder::take(Some(&path)).unwrap();
            let store = Store::open(&folder).unwrap();
            assert_eq!(store.find(&key("team/app")).is_some(), expected);
            if !expected {
                store.create(key("team/app"), Settings::default(), OffsetDateTime::UNIX_EPOCH).unwrap();
            }
        }
        let temporary = StateFolder::take(None).unwrap();
        let path = temporary.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(temporary);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_belongs_to_one_emulator() {
        let parent = tempfile::tempdir().unwrap();
        let first = StateFolder::take(Some(parent.path())).unwrap();
        assert!(matches!(StateFolder::take(Some(parent.path())), Err(StoreError::InUse { .. })));
        drop(first);
        StateFolder::take(Some(parent.path())).unwrap();
    }

    #[test]
    fn a_failed_change_leaves_the_repository_as_it_was() {
        let folder = StateFolder::take(None).unwrap();
        let store = Store::open(&folder).unwrap();
        store.create(key("app"), Settings::default(), OffsetDateTime::UNIX_EPOCH).unwrap();
        let digest = Digest::of(b"");
        let result = store.change(&key("app"), |repository| {
            repository.blobs.insert(digest, 0);
            Err(StoreError::NoRepository)
        });
        assert!(result.is_err());
        assert!(store.find(&key("app")).unwrap().blobs.is_empty());
        assert!(matches!(
            store.create(key("app"), Settings::default(), OffsetDateTime::UNIX_EPOCH),
            Err(StoreError::RepositoryExists)
        ));
    }

    #[test]
    fn a_removed_repository_does_not_come_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::take(Some(parent.path())).unwrap();
        let store = Store::open(&folder).unwrap();
        store.create(key("app"), Settings::default(), OffsetDateTime::UNIX_EPOCH).unwrap();
        assert!(matches!(store.remove(&key("app"), |_| false), Err(StoreError::RepositoryNotEmpty)));
        store.remove(&key("app"), |_| true).unwrap();
        assert!(matches!(store.remove(&key("app"), |_| true), Err(StoreError::NoRepository)));
        assert!(Store::open(&folder).unwrap().find(&key("app")).is_none());
    }

    #[test]
    fn damaged_state_is_named_and_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::take(Some(parent.path())).unwrap();
        let damaged = parent.path().join("repositories/x.json");
        fs::write(&damaged, r#"{"account":"123456789012"}"#).unwrap();
        let error = Store::open(&folder).err().unwrap();
        assert!(error.to_string().contains(&damaged.display().to_string()));
        assert!(error.hint().unwrap().contains("remove"));
        assert!(damaged.exists());
    }
}
