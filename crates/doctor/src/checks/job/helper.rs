//! The helpers that docker would start in a job.

use std::collections::BTreeSet;

use super::Facts;
use crate::checks::hints;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static SETTINGS: Definition = Definition {
    id: "job.helper.settings",
    context: Context::Job,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "ecru's configuration can be read",
    why: "The helper gives nothing while its configuration cannot be read whole.",
};

pub(super) static FOUND: Definition = Definition {
    id: "job.helper.found",
    context: Context::Job,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the helper is on the job's PATH",
    why: "docker starts it in the job's container; that the runner or the host has it does not help.",
};

pub(super) fn settings(facts: &Facts<'_>) -> Check {
    match facts.puller() {
        Ok(_) => Check::pass(&SETTINGS),
        Err(error) => {
            let check = Check::fail(&SETTINGS, error.to_string());
            match error.hint() {
                Some(hint) => check.fix(hints::fix(&hint)),
                None => check,
            }
        }
    }
}

pub(super) fn found(facts: &Facts<'_>) -> Vec<Check> {
    let config = facts.docker_config().unwrap_or_default();
    let suffixes: BTreeSet<&String> =
        config.credential_helpers.values().chain(&config.credentials_store).collect();
    if suffixes.is_empty() {
        return vec![Check::not_applicable(&FOUND, "docker's settings name no helper")];
    }
    let check = |suffix: &&String| {
        let name = format!("docker-credential-{suffix}");
        let check = match facts.program(&name) {
            Some(program) => Check::pass(&FOUND).seen(program.display().to_string()),
            None => {
                let path = facts.variable("PATH").unwrap_or_default();
                Check::fail(&FOUND, format!("`{name}` is not on PATH ({path})")).fix(mount(&name))
            }
        };
        check.about(&name)
    };
    suffixes.iter().map(check).collect()
}

/// The runner can put one static file into every job (GitLab, "The `[runners.docker]` section", `volumes`).
fn mount(name: &str) -> Fix {
    Fix::Lines {
        place: "the runner's config.toml, [runners.docker]".to_owned(),
        lines: format!("volumes = [\"/usr/local/bin/{name}:/usr/local/bin/{name}:ro\", \"/cache\"]"),
    }
}
