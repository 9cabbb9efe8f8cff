//! The token cache: one file and one lock for each entry, in a directory that only its owner can enter.
//!
//! A `get` that finds a fresh token opens no socket, starts no runtime and resolves no identity. A token is fresh
//! until half of its life, refreshed after that, still served if AWS fails, and never served after it has expired.
//! The lock is taken only to refresh, so that processes that start together make one request; whoever finds it held
//! waits for the other's answer, and shares it, a failure too. The other may be stopped: after a while the first of those
//! who wait asks by itself, while the rest waits for both. Nothing that goes wrong here fails a `get`.

pub(crate) mod directory;
mod entry;
mod failed;
pub(crate) mod fuzzing;
mod inventory;
pub(crate) mod key;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use secrecy::zeroize::Zeroizing;

pub use self::directory::DirectoryError;
use self::directory::{Directory, Lock};
use self::entry::Entry;
use self::failed::{Effort, Failed};
pub use self::inventory::{Inventory, Kept};
pub use self::key::Key;
use crate::clock::Clock;
use crate::deadlines::Deadlines;
use crate::environment::Environment;
use crate::identity::{Fingerprint, Identity};
use crate::mint::retries;
use crate::registry::{Partitions, Registry};
use crate::token::{Token, TokenError, TokenSource};

/// The variable that turns the cache off, whatever its value, as with amazon-ecr-credential-helper.
pub const DISABLE_VARIABLE: &str = "AWS_ECR_DISABLE_CACHE";

/// How often a process looks whether another one has finished the refresh that it waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The last line in which processes stand for an entry: so many ask AWS at most while it does not answer.
const LAST_LINE: u32 = 3;

/// How long a refresh may take while the old token still does. AWS answers within a second.
const REFRESH_LIMIT: Duration = Duration::from_secs(2);

/// How long nobody asks again after a refresh has failed while the old token still does.
const REFRESH_PAUSE: Duration = Duration::from_mins(1);

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

    /// What keeps tokens of `identity` from being kept where `environment` means to.
    #[must_use]
    pub fn obstacles(environment: &Environment, identity: &Identity) -> Vec<CacheWarning> {
        if environment.os(DISABLE_VARIABLE).is_some() {
            return Vec::new();
        }
        let passed_over = Directory::passed_over(environment).map(|path| CacheWarning::PassedOver { path });
        let absence = match (Directory::chosen_by(environment), identity.unknown()) {
            (None, _) => Some(CacheWarning::NoPlace),
            (Some(_), Some(why)) => Some(CacheWarning::UnknownIdentity { why: why.to_owned() }),
            (Some(_), None) => None,
        };
        passed_over.into_iter().chain(absence).collect()
    }

    fn key(&self, registry: &Registry) -> Key {
        Key::new(&self.identity, registry, &self.environment)
    }

    /// The entry, if it is there and has not expired.
    fn read(&self, key: &Key, now: SystemTime) -> Result<Option<Entry>, DirectoryError> {
        Ok(self.entry(key, now, self.directory.read(&key.entry_name())?))
    }

    /// The same, and what processes that died have left is removed.
    fn read_and_sweep(&self, key: &Key, now: SystemTime) -> Result<Option<Entry>, DirectoryError> {
        Ok(self.entry(key, now, self.directory.read_and_sweep(&key.entry_name())?))
    }

    fn entry(&self, key: &Key, now: SystemTime, content: Option<Zeroizing<Vec<u8>>>) -> Option<Entry> {
        Entry::read(&content?, &self.partitions, now).filter(|entry| entry.key == key.to_string())
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

    fn try_lock(&self, key: &Key, line: u32) -> Result<Option<Lock>, DirectoryError> {
        self.directory.try_lock(key, line, (self.clock)())
    }

    /// What a process was told in vain that stood in this line.
    fn failed(&self, key: &Key, line: u32) -> Option<Failed> {
        Failed::read(&self.directory.read(&key.lock_name(line)).ok()??)
    }
}

/// A token source with a cache before it.
#[derive(Debug)]
pub struct Cached<S> {
    source: S,
    cache: Option<Cache>,
    deadlines: Deadlines,
    warnings: Mutex<Vec<CacheWarning>>,
    is_of_own: bool,
}

impl<S: TokenSource> Cached<S> {
    /// Puts `cache`, if there is one, before `source`.
    #[must_use]
    pub fn new(source: S, cache: Option<Cache>, deadlines: Deadlines) -> Self {
        Self { source, cache, deadlines, warnings: Mutex::default(), is_of_own: false }
    }

    /// The same where the principal's own registry is meant, whose account only the answer tells: what is asked for
    /// stands for its region, and the token is kept as that of the registry that AWS names.
    #[must_use]
    pub(crate) fn of_the_own_registry(mut self) -> Self {
        self.is_of_own = true;
        self
    }

    /// The same with something to warn of already.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<CacheWarning>) -> Self {
        self.warnings = Mutex::new(warnings);
        self
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

    /// The entry, if it can be used; that it cannot be trusted or read is warned of.
    fn read_and_sweep(&self, cache: &Cache, key: &Key) -> Option<Entry> {
        cache.read_and_sweep(key, (cache.clock)()).unwrap_or_else(|error| {
            self.warn(CacheWarning::Ignored(error));
            None
        })
    }

    /// Waits for the right to refresh, or for what another process comes to that has it. Whoever has waited in one line
    /// for too long goes on to the next one, where the first may ask as well.
    fn turn(&self, cache: &Cache, key: &Key, since: &Since, has_valid_token: bool) -> Turn {
        let mut line = 0;
        loop {
            match cache.try_lock(key, line) {
                Ok(Some(lock)) => return Turn::Mine(Some(lock)),
                // A file system without locks, or a directory that cannot be made.
                Err(_) => return Turn::Mine(None),
                Ok(None) if has_valid_token => return Turn::Anothers,
                Ok(None) => {}
            }
            let waited = since.instant.elapsed();
            if waited >= self.deadlines.total() {
                let waiting_for = "another process, which asks for the same token".to_owned();
                return Turn::Failed(TokenError::TimedOut { waiting_for, after: waited });
            }
            if line < LAST_LINE && waited >= self.deadlines.lock_wait * (line + 1) {
                line += 1;
                continue;
            }
            std::thread::sleep(POLL_INTERVAL);
            if let Ok(Some(entry)) = cache.read(key, (cache.clock)()) {
                return Turn::Done(Box::new(entry.token));
            }
            let effort = self.effort(cache, since);
            let mut failed = (0..=line).filter_map(|line| cache.failed(key, line));
            if let Some(failed) = failed.find(|failed| failed.concerns(since.time, effort)) {
                return Turn::Failed(failed.told((cache.clock)()));
            }
        }
    }

    /// How hard this process can still try.
    fn effort(&self, cache: &Cache, since: &Since) -> Effort {
        let left = self.deadlines.total().saturating_sub(since.instant.elapsed());
        Effort { limit: left.min(self.deadlines.mint), tries: retries::counted_by(&cache.environment) }
    }

    /// Asks the source; `lock` is that of the entry, if it is held, and `valid` the entry, if it has not expired.
    fn refresh(
        &self,
        cache: &Cache,
        registry: &Registry,
        since: &Since,
        lock: Option<&Lock>,
        valid: Option<Entry>,
    ) -> Result<Token, TokenError> {
        // Whoever has lost its identity can still read ECR Public without one: better no token than an old one.
        let valid = valid.filter(|_| !registry.is_public());
        let mut effort = self.effort(cache, since);
        if valid.is_some() {
            effort.limit = effort.limit.min(REFRESH_LIMIT);
        }
        let outcome = self.source.token_within(registry, effort.limit);
        let now = (cache.clock)();
        let word = match &outcome {
            Ok(_) => Ok(Vec::new()),
            Err(error) => Failed::new(error, now, effort).to_json(),
        };
        match &outcome {
            Ok(token) => {
                let own = token.own_registry.as_ref().filter(|_| self.is_of_own);
                let kept_for = own.unwrap_or(registry);
                if let Err(error) = cache.write(&cache.key(kept_for), kept_for, token, lock) {
                    self.warn(CacheWarning::NotKept(error));
                }
            }
            Err(error) => tracing::debug!(%registry, kind = ?error.kind(), "the failure is shared"),
        }
        if let Some(Err(error)) = lock.map(|lock| lock.leave(&word?)) {
            tracing::debug!(%error, "those who wait are not told");
        }
        match (outcome, valid) {
            (Err(error), Some(entry)) if now < entry.token.expires_at => {
                self.warn(CacheWarning::NotRefreshed(error));
                Ok(entry.token)
            }
            (outcome, _) => outcome,
        }
    }
}

/// Since when a process wants a token.
#[derive(Debug)]
struct Since {
    instant: Instant,
    time: SystemTime,
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
    /// Another process, in vain.
    Failed(TokenError),
}

impl<S: TokenSource> TokenSource for Cached<S> {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        let Some(cache) = &self.cache else { return self.source.token(registry) };
        let key = cache.key(registry);
        let valid = self.read_and_sweep(cache, &key);
        if let Some(entry) = &valid
            && entry.is_fresh((cache.clock)())
        {
            tracing::debug!(%registry, %key, "the token comes from the cache");
            return Ok(entry.token.clone());
        }
        tracing::debug!(%registry, %key, old_one = valid.is_some(), "the cache has no fresh token");
        let since = Since { instant: Instant::now(), time: (cache.clock)() };
        let turn = self.turn(cache, &key, &since, valid.is_some());
        tracing::trace!(?turn, "the turn to refresh is decided");
        let (lock, valid) = match (turn, valid) {
            (Turn::Done(token), _) => return Ok(*token),
            (Turn::Failed(error), _) => return Err(self.source.heard(registry, error)),
            (Turn::Anothers, Some(entry)) => return Ok(entry.token),
            (Turn::Mine(Some(lock)), valid) => {
                // Another process may have refreshed it between the look and the lock.
                let newer = cache.read(&key, (cache.clock)()).ok().flatten();
                (Some(lock), newer.or(valid))
            }
            (Turn::Mine(None) | Turn::Anothers, valid) => (None, valid),
        };
        let now = (cache.clock)();
        match (valid, cache.failed(&key, 0)) {
            (Some(entry), _) if entry.is_fresh(now) => Ok(entry.token),
            (Some(entry), Some(failed)) if !registry.is_public() && failed.is_younger(REFRESH_PAUSE, now) => {
                self.warn(CacheWarning::NotRefreshed(failed.told(now)));
                Ok(entry.token)
            }
            // It came while this process waited for the lock.
            (None, Some(failed)) if failed.concerns(since.time, self.effort(cache, &since)) => {
                Err(self.source.heard(registry, failed.told(now)))
            }
            (valid, _) => self.refresh(cache, registry, &since, lock.as_ref(), valid),
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
    /// The variable that names a place for the cache names none.
    #[error(
        "AWS_ECR_CACHE_DIR is passed over: `{}` is neither an absolute path nor one below HOME", .path.display()
    )]
    PassedOver {
        /// Its value.
        path: PathBuf,
    },
    /// There is no place for a cache.
    #[error(
        "no token is kept: neither HOME nor XDG_CACHE_HOME nor AWS_ECR_CACHE_DIR names a folder by an absolute path"
    )]
    NoPlace,
    /// A token could be served to another principal.
    #[error("no token is kept, since it is not known whose it would be: {why}")]
    UnknownIdentity {
        /// What cannot be seen.
        why: String,
    },
    /// A token past half of its life could not be refreshed, and was served as it is.
    #[error("the cached token, still valid, could not be refreshed: {0}")]
    NotRefreshed(TokenError),
}

impl CacheWarning {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Ignored(error) | Self::NotKept(error) => error.hint(),
            Self::PassedOver { .. }
            | Self::NoPlace
            | Self::UnknownIdentity { .. }
            | Self::NotRefreshed(_) => None,
        }
    }

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
