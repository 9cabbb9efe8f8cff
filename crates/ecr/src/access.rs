//! What lies between a chosen identity and a token: the cache, the records of failures, and AWS.

use crate::cache::{Cache, Cached, Inventory};
use crate::clock::Clock;
use crate::config::{Choice, Config};
use crate::deadlines::Deadlines;
use crate::environment::Environment;
use crate::identity::selection::Selection;
use crate::identity::{Identity, MachineFiles};
use crate::last_failure::{LastFailures, Recorded};
use crate::mint::Mint;

/// The cache, with AWS behind it, whose failures are kept.
pub type Tokens = Cached<Recorded<Mint>>;

/// The way to tokens in an environment, as a configuration has it.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The environment.
    pub environment: &'a Environment,
    /// What tells the time.
    pub clock: Clock,
}

impl Access<'_> {
    /// The tokens of the identity that was chosen.
    #[must_use]
    pub fn tokens(&self, choice: &Choice, deadlines: Deadlines) -> Tokens {
        let mint = self.mint(&choice.selection, deadlines);
        let recorded = Recorded::new(mint, self.failures(), Some(choice.by.clone()), self.clock);
        let identity = self.identity(&choice.selection);
        Cached::new(recorded, self.cache_of(&identity), deadlines)
            .with_warnings(Cache::obstacles(self.environment, &identity))
    }

    /// The entries of an identity, if they can be kept.
    #[must_use]
    pub fn cache(&self, selection: &Selection) -> Option<Cache> {
        self.cache_of(&self.identity(selection))
    }

    fn identity(&self, selection: &Selection) -> Identity {
        Identity::selected(selection, self.environment, &MachineFiles::of_this_machine())
    }

    fn cache_of(&self, identity: &Identity) -> Option<Cache> {
        let cache = Cache::new(self.environment, identity, self.clock)?;
        Some(cache.with_partitions(self.config.partitions().clone()))
    }

    /// The entries of all identities, if there is a place for them.
    #[must_use]
    pub fn inventory(&self) -> Option<Inventory> {
        Inventory::new(self.environment, self.config.partitions().clone(), self.clock)
    }

    /// The records of what last went wrong, if they can be kept.
    #[must_use]
    pub fn failures(&self) -> Option<LastFailures> {
        let failures = LastFailures::new(self.environment, self.clock)?;
        Some(failures.with_partitions(self.config.partitions().clone()))
    }

    /// AWS, asked by an identity.
    #[must_use]
    pub fn mint(&self, selection: &Selection, deadlines: Deadlines) -> Mint {
        Mint::new(self.environment.clone(), deadlines.mint, self.clock)
            .with_identity(selection.clone())
            .with_partitions(self.config.partitions().clone())
    }
}
