//! The runner's version, and what it changes.

use std::time::Duration;

use ecru_gitlab::registry_auth::{RunnerVersion, Verdict, VersionError};

use super::answers::host_of;
use super::{Facts, Resolved, ResolvedSources};
use crate::program_output::printed;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::service::NAME;

/// `gitlab-runner --version` reads nothing and asks nobody.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) static SUPPORTED: Definition = Definition {
    id: "runner.version.supported",
    context: Context::Runner,
    station: Station::Place,
    weight: Weight::Error,
    title: "this version of GitLab Runner asks credential helpers",
    why: "Which sources are read, how keys match and what the job log tells has changed from version to version.",
};

pub(super) static ALLOWS_HELPERS: Definition = Definition {
    id: "runner.version.allows-helpers",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "this version runs the helpers that DOCKER_AUTH_CONFIG names",
    why: "Since 19.4.0, and in 19.3.2, 19.2.4 and 19.1.3, GitLab Runner runs no helper that a job's DOCKER_AUTH_CONFIG \
          names unless its setting `allowed_docker_credential_helpers` permits it.",
};

pub(super) async fn supported(facts: &Facts<'_>) -> Check {
    match facts.version().await {
        Ok(version) => consequences(*version).into_iter().fold(Check::pass(&SUPPORTED), Check::seen),
        Err(reason) if reason.contains("too old") => Check::fail(&SUPPORTED, reason).fix(Fix::advice(
            "upgrade gitlab-runner as it was installed, on Debian and Ubuntu with `apt-get install --only-upgrade \
             gitlab-runner`",
        )),
        Err(reason) => Check::skipped(&SUPPORTED, reason).seen(format!(
            "the rules of {} are applied; `--runner-version VERSION` chooses others",
            RunnerVersion::NEWEST
        )),
    }
}

/// What is worth knowing about a version (`ecru_gitlab::registry_auth` cites the changes).
fn consequences(version: RunnerVersion) -> Vec<String> {
    let mut lines = vec![format!("GitLab Runner {version}")];
    if version < RunnerVersion::new(18, 11, 0) {
        lines.push("it does not tell in the job log when DOCKER_AUTH_CONFIG cannot be used".to_owned());
    }
    if version < RunnerVersion::new(17, 5, 0) {
        lines.push("keys with a path count for their whole host".to_owned());
    }
    if version > RunnerVersion::NEWEST_IN_PART {
        lines.push(format!(
            "nothing is known of it: the rules of {} are applied",
            RunnerVersion::NEWEST_IN_PART
        ));
    }
    lines.push("it never tells when `.docker/config.json` cannot be used".to_owned());
    lines
}

/// What `gitlab-runner --version` says.
pub(super) async fn of_program(facts: &Facts<'_>) -> Result<RunnerVersion, String> {
    let environment = facts.environment().ok_or("the service is not known")?;
    let program = facts.search_path().into_iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    let program = program.ok_or_else(|| format!("{NAME} is not on the service's PATH"))?;
    if !facts.surroundings.asked.starts_programs {
        return Err("no program is started".to_owned());
    }
    let printed = printed(&program, &["--version"], &environment.of_child(), DEADLINE).await;
    let printed = printed.map_err(|error| error.to_string())?;
    let number = printed.stdout.lines().find_map(|line| line.strip_prefix("Version:")).map(str::trim);
    let number = number.ok_or_else(|| format!("`{NAME} --version` names no version"))?;
    number.parse().map_err(|error: VersionError| error.to_string())
}

/// The keys whose helper may not be run, and for whose registries no other source has credentials.
fn refused_keys(sources: &ResolvedSources) -> impl Iterator<Item = &str> {
    let known = sources.all.outcome.as_deref().unwrap_or_default();
    let refused = sources.all.trace.entries.iter().filter(|entry| entry.verdict == Verdict::NotPermitted);
    let is_known = |path: &str| known.iter().any(|credential| host_of(&credential.path) == host_of(path));
    refused.filter(move |entry| !is_known(&entry.path)).map(|entry| entry.key.as_str())
}

pub(super) fn allows_helpers(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let refused: Vec<&str> = resolved.sources.iter().flat_map(refused_keys).collect();
    if refused.is_empty() {
        return vec![Check::pass(&ALLOWS_HELPERS)];
    }
    let reason =
        format!("it may not run the helper that DOCKER_AUTH_CONFIG names for {}", refused.join(", "));
    let unknown = resolved.sources.iter().flat_map(|sources| sources.all.trace.unknown.clone());
    let check = Check::fail(&ALLOWS_HELPERS, reason).fix(facts.setup_command());
    vec![unknown.fold(check, Check::seen)]
}
