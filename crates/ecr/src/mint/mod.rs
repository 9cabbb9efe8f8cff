//! Getting a token from AWS: the SDK's default chain for the identity, and one GetAuthorizationToken.
//!
//! Nothing here runs before a token is asked for. The work is done on a thread of its own, so that the deadline
//! holds even where the SDK waits for a file or a name look-up without looking at the clock.

mod answer;
mod call;
mod caller;
mod connector;
mod endpoint;
mod failure;
pub(crate) mod fuzzing;
mod metadata;
mod patience;
mod processes;
mod progress;
mod proxy;
mod redaction;
pub(crate) mod retries;
mod roles;
mod roots;

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use self::call::{Call, Target};
pub use self::caller::Caller;
use self::progress::Progress;
use crate::clock::Clock;
use crate::config::Policy;
use crate::environment::Environment;
use crate::identity::selection::Selection;
use crate::registry::{Partitions, Registry};
use crate::token::{Token, TokenError, TokenSource};

/// How much later than the call itself its caller stops waiting, so that the call can say what it waited for.
const GRACE: Duration = Duration::from_millis(200);

/// How many pipes, of two descriptors each, the process must be able to open before the runtime starts.
const SPARE_PIPES: usize = 4;

/// Gets tokens from AWS.
#[derive(Debug, Clone)]
pub struct Mint {
    environment: Environment,
    selection: Selection,
    partitions: Partitions,
    limit: Duration,
    clock: Clock,
}

impl Mint {
    /// A source that finds the identity in `environment`, and takes at most `limit` for a token.
    #[must_use]
    pub fn new(environment: Environment, limit: Duration, clock: Clock) -> Self {
        let (selection, partitions) = (Selection::default(), Partitions::default());
        Self { environment, selection, partitions, limit, clock }
    }

    /// The same with another identity than that of the SDK's default chain.
    #[must_use]
    pub fn with_identity(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// The same with more partitions than this program knows.
    #[must_use]
    pub fn with_partitions(mut self, partitions: Partitions) -> Self {
        self.partitions = partitions;
        self
    }

    /// The region that is configured for the principal, if `policy` allows a registry there.
    ///
    /// # Errors
    /// If it does not, or no region is configured while there is a policy.
    pub(crate) fn own_region(&self, policy: Option<&Policy>) -> Result<Option<String>, TokenError> {
        let target = Target::Own { region: None };
        let region = self.run(target, self.limit, |call| call.run(call.region()))?;
        if let Some(policy) = policy {
            let region = region.as_deref().ok_or_else(call::no_region)?;
            policy.permit_own(region).map_err(TokenError::Forbidden)?;
        }
        Ok(region)
    }

    /// A token of the principal's own registry in this region.
    ///
    /// # Errors
    /// If there is no region, or as [`TokenSource::token`].
    pub(crate) fn own(&self, region: Option<&str>, limit: Duration) -> Result<Token, TokenError> {
        let target = Target::Own { region: region.map(str::to_owned) };
        self.run(target, limit.min(self.limit), |call| call.run(call.token()))
    }

    /// The principal whose credentials are used for `registry`, or where none is meant.
    ///
    /// # Errors
    /// If there are no credentials, or AWS does not say whose they are.
    pub fn caller(&self, registry: Option<&Registry>) -> Result<Caller, TokenError> {
        let target = registry.cloned().map_or(Target::Own { region: None }, Target::Registry);
        self.run(target, self.limit, |call| call.run(call.caller()))
    }

    /// The address of the API that is asked for a token of `registry`. Nobody is asked for it.
    ///
    /// # Errors
    /// If one is configured that cannot be used.
    pub fn endpoint(&self, registry: &Registry) -> Result<String, TokenError> {
        self.run(Target::Registry(registry.clone()), self.limit, |call| call.run(call.endpoint()))
    }

    fn run<T: Send + 'static>(
        &self,
        target: Target,
        limit: Duration,
        work: fn(&Call) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        ensure_descriptors()?;
        let progress = Progress::start();
        let call = Call {
            environment: self.selection.restrict(&self.environment),
            selection: self.selection.clone(),
            partitions: self.partitions.clone(),
            target,
            limit,
            clock: self.clock,
            progress: progress.clone(),
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        let worker = thread::Builder::new().name("mint".to_owned()).spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(work(&call));
        });
        if let Err(error) = worker {
            return Err(TokenError::Configuration { problem: format!("no thread can be started: {error}") });
        }
        receiver.recv_timeout(limit + GRACE).unwrap_or_else(|_| Err(progress.timed_out()))
    }
}

/// Makes sure that the runtime finds the descriptors that it needs: tokio panics where there is none left for the
/// sockets by which it hears of signals (`tokio::signal::unix`, which comes with `credential_process`).
fn ensure_descriptors() -> Result<(), TokenError> {
    let pipes: io::Result<Vec<_>> = (0..SPARE_PIPES).map(|_| io::pipe()).collect();
    pipes.map(drop).map_err(|error| TokenError::Configuration {
        problem: format!("this process can open no more files: {error}"),
    })
}

impl TokenSource for Mint {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        self.token_within(registry, self.limit)
    }

    fn token_within(&self, registry: &Registry, limit: Duration) -> Result<Token, TokenError> {
        let limit = limit.min(self.limit);
        self.run(Target::Registry(registry.clone()), limit, |call| call.run(call.token()))
    }
}
