//! The token cache: one file and one lock for each entry, in a directory that only its owner can enter.
//!
//! A `get` that finds a fresh token opens no socket, starts no runtime and resolves no identity. A token is fresh
//! until half of its life, refreshed after that, still served if AWS fails, and never served after it has expired.
//! The lock is taken only to refresh, so that processes that start together make one request; whoever finds it held
//! waits a little for the other's answer and then goes on without. Nothing that goes wrong here fails a `get`.

pub(crate) mod directory;
mod entry;
pub(crate) mod fuzzing;
mod inventory;
pub(crate) mod key;

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

pub use self::directory::DirectoryError;
use self::directory::{Directory, Lock};
use self::entry::Entry;
pub use self::inventory::{Inventory, Kept};
pub use self::key::Key;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::identity::{Fingerprint, Identity};
use crate::registry::{Partitions, Registry};
use crate::token::{Token, TokenError, TokenSource};

/// The variable that turns the cache off, whatever its value, as with amazon-ecr-credential-helper.
pub const DISABLE_VARIABLE: &str = "AWS_ECR_DISABLE_CACHE";

/// How often a process looks whether another one has finished the refresh that it waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The entries of one identity.
#[derive(Debug)]
pub struct Cache {
    directory: Directory,
    identity: Fingerprint,
    environment: Environment,
    partitions: Partitions,
    clock: Clock,
}

impl Cache {
    /// The cache of `identity`, in the directory that `environment` chooses: below `AWS_ECR_CACHE_DIR`,
    /// `XDG_CACHE_HOME` or `~/.cache`. `None` if there is no such directory, the cache is turned off, or the identity
    /// is not known well enough to keep anything under it. Touches no file.
    #[must_use]
    pub fn new(environment: &Environment, identity: &Identity, clock: Clock) -> Option<Self> {
        if environment.os(DISABLE_VARIABLE).is_some() || !identity.is_known() {
            return None;
        }
        let directory = Directory::chosen_by(environment)?;
        let identity = identity.fingerprint();
        let (environment, partitions) = (environment.clone(), Partitions::default());
        Some(Self { directory, identity, environment, partitions, clock })
    }

    /// The same with more partitions than this program knows.
    #[must_use]
    pub fn with_partitions(mut self, partitions: Partitions) -> Self {
        self.partitions = partitions;
        self
    }

    /// The identity whose entries these are.
    #[must_use]
    pub fn identity(&self) -> &Fingerprint {
        &self.identity
    }

    /// The token for `registry`, if a valid one is kept.
    ///
    /// # Errors
    /// If the entry cannot be trusted or read.
    pub fn kept(&self, registry: &Registry) -> Result<Option<Kept>, DirectoryError> {
        let entry = self.read(&self.key(registry), (self.clock)())?;
        Ok(entry.map(|entry| Kept::of(&entry)))
    }

    /// Keeps a token that was not asked for through [`Cached`], as the first one of the principal's own registry.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn put(&self, registry: &Registry, token: &Token) -> Result<(), CacheWarning> {
        self.write(&self.key(registry), registry, token, None).map_err(CacheWarning::NotKept)
    }

    fn key(&self, registry: &Registry) -> Key {
        Key::new(&self.identity, registry, &self.environment)
    }

    /// The entry, if it is there and has not expired.
    fn read(&self, key: &Key, now: SystemTime) -> Result<Option<Entry>, DirectoryError> {
        let Some(content) = self.directory.read(&key.entry_name())? else { return Ok(None) };
        Ok(Entry::read(&content, &self.partitions, now).filter(|entry| entry.key == key.to_string()))
    }

    /// Keeps a token, and tidies up. `lock` is that of the entry, if it is held.
    fn write(
        &self,
        key: &Key,
        registry: &Registry,
        token: &Token,
        lock: Option<&Lock>,
    ) -> Result<(), DirectoryError> {
        let content = entry::write(key, &self.identity, registry, token);
        let content = content.map_err(|error| self.directory.failure(error))?;
        self.directory.write(key, &content)?;
        self.directory.prune((self.clock)(), lock);
        Ok(())
    }

    fn try_lock(&self, key: &Key) -> Result<Option<Lock>, DirectoryError> {
        self.directory.try_lock(key, (self.clock)())
    }
}

/// A token source with a cache before it.
#[derive(Debug)]
pub struct Cached<S> {
    source: S,
    cache: Option<Cache>,
    lock_wait: Duration,
    warnings: Mutex<Vec<CacheWarning>>,
}

impl<S: TokenSource> Cached<S> {
    /// Puts `cache`, if there is one, before `source`. A process waits at most `lock_wait` for the refresh of
    /// another.
    #[must_use]
    pub fn new(source: S, cache: Option<Cache>, lock_wait: Duration) -> Self {
        Self { source, cache, lock_wait, warnings: Mutex::default() }
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The source behind it.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// What went wrong since the last call without failing a request.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<CacheWarning> {
        self.warnings.lock().map(|mut warnings| std::mem::take(&mut *warnings)).unwrap_or_default()
    }

    fn warn(&self, warning: CacheWarning) {
        let Ok(mut warnings) = self.warnings.lock() else { return };
        // What keeps the cache from being read mostly keeps it from being written, too: that is said once.
        let is_told = warnings.iter().any(|told| told.has_cause_of(&warning));
        if !is_told {
            warnings.push(warning);
        }
    }

    fn read(&self, cache: &Cache, key: &Key) -> Option<Entry> {
        cache.read(key, (cache.clock)()).unwrap_or_else(|error| {
            self.warn(CacheWarning::Ignored(error));
            None
        })
    }

    /// Waits for the right to refresh, or for another process to have done it.
    fn turn(&self, cache: &Cache, key: &Key, has_valid_token: bool) -> Turn {
        let started = Instant::now();
        loop {
            match cache.try_lock(key) {
                Ok(Some(lock)) => return Turn::Mine(Some(lock)),
                // A file system without locks, or a directory that cannot be made.
                Err(_) => return Turn::Mine(None),
                Ok(None) if has_valid_token => return Turn::Anothers,
                Ok(None) => {}
            }
            if started.elapsed() >= self.lock_wait {
                return Turn::Mine(None);
            }
            std::thread::sleep(POLL_INTERVAL);
            if let Ok(Some(entry)) = cache.read(key, (cache.clock)()) {
                return Turn::Done(Box::new(entry.token));
            }
        }
    }

    /// Asks the source; `lock` is that of the entry, if it is held, and `valid` the entry, if it has not expired.
    fn refresh(
        &self,
        cache: &Cache,
        registry: &Registry,
        lock: Option<&Lock>,
        valid: Option<Entry>,
    ) -> Result<Token, TokenError> {
        match (self.source.token(registry), valid) {
            (Ok(token), _) => {
                if let Err(error) = cache.write(&cache.key(registry), registry, &token, lock) {
                    self.warn(CacheWarning::NotKept(error));
                }
                Ok(token)
            }
            // Whoever has lost its identity can still read ECR Public without one: better no token than an old one.
            (Err(error), Some(entry))
                if !registry.is_public() && (cache.clock)() < entry.token.expires_at =>
            {
                self.warn(CacheWarning::NotRefreshed(error));
                Ok(entry.token)
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// Who refreshes an entry.
#[derive(Debug)]
enum Turn {
    /// This process, with the lock if it could be had.
    Mine(Option<Lock>),
    /// Another process, which is at it.
    Anothers,
    /// Another process, which has done it.
    Done(Box<Token>),
}

impl<S: TokenSource> TokenSource for Cached<S> {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        let Some(cache) = &self.cache else { return self.source.token(registry) };
        let key = cache.key(registry);
        let valid = self.read(cache, &key);
        if let Some(entry) = &valid
            && entry.is_fresh((cache.clock)())
        {
            tracing::debug!(%registry, %key, "the token comes from the cache");
            return Ok(entry.token.clone());
        }
        tracing::debug!(%registry, %key, old_one = valid.is_some(), "the cache has no fresh token");
        let turn = self.turn(cache, &key, valid.is_some());
        tracing::trace!(?turn, "the turn to refresh is decided");
        let (lock, valid) = match (turn, valid) {
            (Turn::Done(token), _) => return Ok(*token),
            (Turn::Anothers, Some(entry)) => return Ok(entry.token),
            (Turn::Mine(Some(lock)), valid) => {
                // Another process may have refreshed it between the look and the lock.
                let newer = cache.read(&key, (cache.clock)()).ok().flatten();
                (Some(lock), newer.or(valid))
            }
            (Turn::Mine(None) | Turn::Anothers, valid) => (None, valid),
        };
        match valid {
            Some(entry) if entry.is_fresh((cache.clock)()) => Ok(entry.token),
            valid => self.refresh(cache, registry, lock.as_ref(), valid),
        }
    }
}

/// What went wrong with the cache without failing a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheWarning {
    /// An entry, or all, cannot be trusted or read, and are taken as absent.
    #[error("the token cache is not used: {0}")]
    Ignored(DirectoryError),
    /// A token was not kept.
    #[error("the token is not kept in the cache: {0}")]
    NotKept(DirectoryError),
    /// A token past half of its life could not be refreshed, and was served as it is.
    #[error("the cached token, still valid, could not be refreshed: {0}")]
    NotRefreshed(TokenError),
}

impl CacheWarning {
    /// Whether both say the same of the cache.
    fn has_cause_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ignored(ours) | Self::NotKept(ours), Self::Ignored(others) | Self::NotKept(others)) => {
                ours.to_string() == others.to_string()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod key_properties;
#[cfg(test)]
mod tests;
