//! The container of a job: its `docker`, the files and helpers that this reads, its network and its engine.
//!
//! The process that looks is one of the job's, so that its own variables, HOME and PATH are those that count.

mod docker;
mod engine;
mod facts;
mod helper;
mod login;
mod network;
mod proxy;

pub use self::facts::Facts;
use crate::report::{Check, Definition};

/// What decides which credentials `docker` has, before anybody is asked.
pub static SETTINGS: &[&Definition] = &[
    &docker::CLIENT,
    &docker::CONFIG,
    &docker::AUTH_CONFIG,
    &login::LOGIN,
    &helper::SETTINGS,
    &helper::FOUND,
];

/// What stands between the job and those whom it asks.
pub static NETWORK: &[&Definition] = &[&proxy::PROXY, &network::NAMES, &network::ROUTE];

/// Who carries out what `docker` is told.
pub static ENGINE: &[&Definition] = &[&engine::CERTIFICATES, &engine::REACHABLE];

/// Carries out the checks of [`SETTINGS`].
pub async fn settings(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks =
        vec![docker::client(facts).await, docker::config(facts), docker::auth_config(facts).await];
    checks.extend(login::checks(facts).await);
    checks.push(helper::settings(facts));
    checks.extend(helper::found(facts));
    checks
}

/// Carries out the checks of [`NETWORK`].
pub async fn network(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = vec![proxy::check(facts)];
    checks.extend(network::checks(facts).await);
    checks
}

/// Carries out the checks of [`ENGINE`].
pub async fn engine(facts: &Facts<'_>) -> Vec<Check> {
    engine::checks(facts).await
}
