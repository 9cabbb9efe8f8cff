//! What last went wrong with each registry, kept so that it can be told later: Docker and GitLab Runner show nothing
//! of it, and the log that has it is read by other people.
//!
//! A record is written where no token could be had, and removed where one has been: a token from the cache leaves
//! everything as it is. Records hold no secret, are kept in a directory that only its owner can enter, below that of
//! the token cache, and are bounded in number, size and age. Nothing that goes wrong here fails a `get`.

pub(crate) mod fuzzing;
mod record;

use std::time::{Duration, SystemTime};

use self::record::Written;
use crate::cache::directory::Directory;
use crate::cache::key::Key;
use crate::cache::{DISABLE_VARIABLE, DirectoryError};
use crate::clock::Clock;
use crate::config::ChosenBy;
use crate::environment::Environment;
use crate::registry::{Partitions, Registry};
use crate::token::{Attempt, FailureKind, Token, TokenError, TokenSource};

/// For how many registries a record is kept; the oldest make room.
pub const MAX_RECORDS: usize = 100;

/// How long a record is kept.
pub const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// What last went wrong with a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// The registry.
    pub registry: Registry,
    /// When it went wrong. A token that was handed out later, to whatever process, says that it is over.
    pub at: SystemTime,
    /// The kind of failure.
    pub kind: FailureKind,
    /// What happened, in a sentence.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// What had chosen the identity, in words.
    pub chosen_by: Option<String>,
    /// The call that AWS refused, if it was one.
    pub call: Option<Call>,
    /// The sources of identities that were tried in vain.
    pub attempts: Vec<Attempt>,
}

/// A call that AWS refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<String>,
    /// The number by which AWS finds the request.
    pub request_id: Option<String>,
}

impl LastFailure {
    /// The record of a token that could not be had.
    #[must_use]
    pub fn of_token(registry: &Registry, error: &TokenError, by: Option<&ChosenBy>, at: SystemTime) -> Self {
        let call = error.aws_failure().map(|failure| Call {
            operation: failure.operation.to_owned(),
            status: failure.status,
            code: failure.code.clone(),
            request_id: failure.request_id.clone(),
        });
        Self {
            registry: registry.clone(),
            at,
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint(),
            chosen_by: by.map(ToString::to_string),
            call,
            attempts: error.attempts().to_vec(),
        }
    }

    /// The record of what went wrong before AWS was asked: a setting, or the machine's policy.
    #[must_use]
    pub fn without_call(
        registry: &Registry,
        kind: FailureKind,
        message: String,
        hint: Option<String>,
        at: SystemTime,
    ) -> Self {
        Self {
            registry: registry.clone(),
            at,
            kind,
            message,
            hint,
            chosen_by: None,
            call: None,
            attempts: Vec::new(),
        }
    }
}

/// The records of all registries.
#[derive(Debug)]
pub struct LastFailures {
    directory: Directory,
    partitions: Partitions,
    clock: Clock,
}

impl LastFailures {
    /// The records beside the token cache that `environment` chooses; `None` if there is no such place, or the cache
    /// is turned off. Touches no file.
    #[must_use]
    pub fn new(environment: &Environment, clock: Clock) -> Option<Self> {
        if environment.os(DISABLE_VARIABLE).is_some() {
            return None;
        }
        let directory = Directory::of_failures(environment, MAX_AGE)?;
        Some(Self { directory, partitions: Partitions::default(), clock })
    }

    /// The same with more partitions than this program knows.
    #[must_use]
    pub fn with_partitions(mut self, partitions: Partitions) -> Self {
        self.partitions = partitions;
        self
    }

    /// What last went wrong with `registry`, if anything has since a token was had for it.
    ///
    /// # Errors
    /// If others may have written the record, or it cannot be read. One that is damaged is as good as none.
    pub fn of(&self, registry: &Registry) -> Result<Option<LastFailure>, DirectoryError> {
        let content = self.directory.read(&Key::of_failure(registry).entry_name())?;
        let record = content.and_then(|content| record::read(&content, &self.partitions));
        Ok(record.filter(|record| record.registry == *registry && !self.is_old(record)))
    }

    /// What last went wrong with each registry, the newest first.
    ///
    /// # Errors
    /// If others may have written there. Records that are damaged or not trusted are left out.
    pub fn all(&self) -> Result<Vec<LastFailure>, DirectoryError> {
        let mut records: Vec<LastFailure> = self
            .directory
            .entries()?
            .filter_map(|(_, content)| record::read(&content, &self.partitions))
            .filter(|record| !self.is_old(record))
            .collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.at));
        Ok(records)
    }

    /// Keeps a record in the place of the registry's last one.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn keep(&self, failure: &LastFailure) -> Result<(), DirectoryError> {
        // Without a lock: if two processes fail at once, the record of either will do.
        let written = Written::of(failure).to_json().map_err(|error| self.directory.failure(error))?;
        self.directory.write(&Key::of_failure(&failure.registry), &written)?;
        self.directory.prune((self.clock)(), None);
        self.directory.keep_newest(MAX_RECORDS);
        Ok(())
    }

    /// Removes the record of `registry`, if there is one.
    ///
    /// # Errors
    /// If there is one and it cannot be removed.
    pub fn forget(&self, registry: &Registry) -> Result<(), DirectoryError> {
        self.directory.remove(&Key::of_failure(registry).entry_name()).map(|_| ())
    }

    fn is_old(&self, record: &LastFailure) -> bool {
        (self.clock)().duration_since(record.at).is_ok_and(|age| age > MAX_AGE)
    }
}

/// A token source whose failures are kept, to stand behind the cache.
#[derive(Debug)]
pub struct Recorded<S> {
    source: S,
    failures: Option<LastFailures>,
    chosen_by: Option<ChosenBy>,
    clock: Clock,
}

impl<S> Recorded<S> {
    /// Keeps what goes wrong with `source` in `failures`, if there is a place for it.
    #[must_use]
    pub fn new(source: S, failures: Option<LastFailures>, chosen_by: Option<ChosenBy>, clock: Clock) -> Self {
        Self { source, failures, chosen_by, clock }
    }

    /// The source behind it.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S: TokenSource> TokenSource for Recorded<S> {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        self.recorded(registry, self.source.token(registry))
    }

    fn token_within(&self, registry: &Registry, limit: Duration) -> Result<Token, TokenError> {
        self.recorded(registry, self.source.token_within(registry, limit))
    }

    fn heard(&self, registry: &Registry, error: TokenError) -> TokenError {
        self.keep(registry, &error);
        error
    }
}

impl<S> Recorded<S> {
    /// What came of asking, after it has been kept or what was kept has been removed.
    fn recorded(&self, registry: &Registry, outcome: Result<Token, TokenError>) -> Result<Token, TokenError> {
        match (&self.failures, &outcome) {
            (Some(failures), Ok(_)) => warn_of(registry, failures.forget(registry)),
            (None, Ok(_)) => {}
            (_, Err(error)) => self.keep(registry, error),
        }
        outcome
    }

    fn keep(&self, registry: &Registry, error: &TokenError) {
        tracing::info!(%registry, kind = ?error.kind(), %error, "no token was had");
        if let Some(failures) = &self.failures {
            let chosen_by = self.chosen_by.as_ref();
            warn_of(
                registry,
                failures.keep(&LastFailure::of_token(registry, error, chosen_by, (self.clock)())),
            );
        }
    }
}

/// Whatever stands against the record does not stand against the token.
fn warn_of<E: std::fmt::Display>(registry: &Registry, recorded: Result<(), E>) {
    if let Err(error) = recorded {
        tracing::warn!(%registry, %error, "the failure is not recorded");
    }
}

#[cfg(test)]
mod tests;
