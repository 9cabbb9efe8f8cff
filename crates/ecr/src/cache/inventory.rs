//! What is in the cache, whoever's it is: for people, who want to look at it and to empty it.

use std::path::Path;
use std::time::SystemTime;

use super::directory::{Directory, DirectoryError};
use super::entry::Entry;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::registry::{Partitions, Registry};

/// The entries of all identities of this user.
#[derive(Debug)]
pub struct Inventory {
    directory: Directory,
    partitions: Partitions,
    clock: Clock,
}

/// One token that is kept, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The registry that it was first asked for. It opens others of the region as well.
    pub registry: Registry,
    /// The registry of the principal's own account, where AWS told it.
    pub own_registry: Option<Registry>,
    /// The digest of the identity that it belongs to.
    pub identity: String,
    /// When it was handed out.
    pub issued_at: SystemTime,
    /// From when on a `get` asks AWS for another.
    pub refreshed_from: SystemTime,
    /// When it stops working.
    pub expires_at: SystemTime,
}

impl Inventory {
    /// The cache in the directory that `environment` chooses; `None` if there is none. That the cache is turned off
    /// does not matter here: entries may be left from before.
    #[must_use]
    pub fn new(environment: &Environment, partitions: Partitions, clock: Clock) -> Option<Self> {
        Some(Self { directory: Directory::chosen_by(environment)?, partitions, clock })
    }

    /// Where the entries are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The entries that are valid, those that expire first before the others.
    ///
    /// # Errors
    /// If the directory cannot be trusted or read.
    pub fn entries(&self) -> Result<Vec<Kept>, DirectoryError> {
        self.directory.sweep();
        let entries = self.directory.entries()?.filter_map(|(_, content)| self.entry(&content));
        let mut kept: Vec<Kept> = entries.map(|entry| Kept::of(&entry)).collect();
        kept.sort_by_cached_key(|kept| (kept.expires_at, kept.registry.host(), kept.identity.clone()));
        Ok(kept)
    }

    /// Removes the tokens that a `get` for `registry` might be answered with, of all identities; without one, all
    /// that is there, damaged and expired entries too. What a dead process was writing goes either way. Returns how many were removed.
    ///
    /// # Errors
    /// If the directory cannot be trusted, or something in it cannot be removed.
    pub fn clear(&self, registry: Option<&Registry>) -> Result<usize, DirectoryError> {
        self.directory.sweep();
        let mut removed = 0;
        for name in self.directory.entry_names()? {
            let is_meant = registry.is_none_or(|registry| {
                let content = self.directory.read(&name).ok().flatten();
                let entry = content.and_then(|content| self.entry(&content));
                entry.is_some_and(|entry| share_tokens(&entry.registry, registry))
            });
            if is_meant && self.directory.remove(&name)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn entry(&self, content: &[u8]) -> Option<Entry> {
        Entry::read(content, &self.partitions, (self.clock)())
    }
}

impl Kept {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            registry: entry.registry.clone(),
            own_registry: entry.token.own_registry.clone(),
            identity: entry.identity.clone(),
            issued_at: entry.token.issued_at,
            refreshed_from: entry.half_life(),
            expires_at: entry.token.expires_at,
        }
    }
}

/// Whether one token may open both, as the key of the cache has it.
fn share_tokens(one: &Registry, other: &Registry) -> bool {
    let traits = |registry: &Registry| {
        (registry.is_public(), registry.region().to_owned(), registry.fips(), registry.dual_stack())
    };
    traits(one) == traits(other) && one.partition().name() == other.partition().name()
}
