//! The runner: its service, its files, its helpers, and which credentials it would send.

mod answers;
mod auth_config;
mod aws_keys;
mod config_toml;
mod docker_config;
mod dropped;
mod entry;
mod facts;
mod helper_program;
mod login;
mod mistakes;
mod mounts;
mod openness;
mod pullers;
mod remedy;
mod service;
mod settings;
mod version;

pub use facts::{Facts, Resolved, ResolvedSources};
pub use mistakes::{Kind as MistakeKind, Mistake, mistake};
pub use remedy::SetupRunner;

use crate::report::{Check, Definition};

/// What can be seen without asking anybody but the machine: it comes before the identity's checks.
pub static SETTINGS: &[&Definition] = &[
    &service::FOUND,
    &version::SUPPORTED,
    &config_toml::READABLE,
    &config_toml::VALID,
    &config_toml::SELECTED,
    &config_toml::ENVIRONMENT,
    &auth_config::PLACE,
    &auth_config::WELL_FORMED,
    &docker_config::WELL_FORMED,
    &docker_config::PLACE,
    &settings::ECRU,
    &settings::MEMBERS,
    &settings::KEYS,
    &settings::NAMED,
    &helper_program::FOUND,
    &helper_program::EXECUTABLE,
    &helper_program::ARCHITECTURE,
    &aws_keys::REACH_HELPER,
];

/// What is sent in place of a helper's answer, whoever the identity is: it comes before the identity's checks, too.
pub static LOGINS: &[&Definition] = &[&login::LOGIN];

/// What helpers answer, and what follows from it: it comes behind the identity's checks.
pub static ANSWERS: &[&Definition] =
    &[&version::ALLOWS_HELPERS, &answers::IN_TIME, &answers::LISTED, &answers::KEPT, &answers::CREDENTIALS];

/// What others can misuse, or what breaks later.
pub static RISKS: &[&Definition] = &[
    &answers::SHADOWED,
    &auth_config::DOCKER_CLI,
    &helper_program::OWNER,
    &openness::PULL_POLICY,
    &openness::PRIVILEGED,
    &mounts::ENGINE_SOCKET,
    &mounts::WRITABLE,
    &openness::HOST_NETWORK,
    &openness::SHELL,
];

/// Carries out the checks of [`SETTINGS`].
pub async fn settings(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = vec![service::found(facts)];
    checks.push(version::supported(facts).await);
    if facts.service.is_err() {
        return checks;
    }
    checks.extend(config_toml::checks(facts));
    checks.extend(auth_config::place(facts));
    checks.extend(auth_config::well_formed(facts));
    checks.extend(docker_config::checks(facts));
    checks.extend(settings::checks(facts));
    checks.extend(helper_program::checks(facts));
    checks.push(aws_keys::reach_helper(facts).await);
    checks
}

/// Carries out the checks of [`LOGINS`].
pub async fn logins(facts: &Facts<'_>) -> Vec<Check> {
    match facts.service {
        Ok(_) => login::checks(facts, facts.resolved().await),
        Err(_) => Vec::new(),
    }
}

/// Carries out the checks of [`ANSWERS`].
pub async fn answers(facts: &Facts<'_>) -> Vec<Check> {
    if facts.service.is_err() {
        return Vec::new();
    }
    let resolved = facts.resolved().await;
    let mut checks = version::allows_helpers(facts, resolved);
    checks.extend(answers::checks(facts, resolved));
    checks
}

/// Carries out the checks of [`RISKS`].
pub async fn risks(facts: &Facts<'_>) -> Vec<Check> {
    if facts.service.is_err() {
        return Vec::new();
    }
    let mut checks = answers::shadowed(facts, facts.resolved().await);
    checks.extend(auth_config::docker_cli(facts));
    checks.extend(helper_program::owners(facts));
    checks.extend(openness::checks(facts));
    checks
}
