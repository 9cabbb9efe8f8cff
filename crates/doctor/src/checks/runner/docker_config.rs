//! Docker's files in the home directory of the runner's user.

use ecru_docker::config_file::ConfigFile;
use ecru_ecr::config::Config;
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;

use super::remedy::registries_in;
use super::{Facts, MistakeKind, mistake};
use crate::checks::hints;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::shell::shell_word;

pub(super) static WELL_FORMED: Definition = Definition {
    id: "runner.docker-config.well-formed",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "the runner user's Docker configuration can be read",
    why: "Of a file that it cannot read, the runner uses nothing, and no version tells anybody.",
};

pub(super) static PLACE: Definition = Definition {
    id: "runner.docker-config.place",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "Docker's configuration is in the home directory that the runner reads",
    why: "The runner reads the HOME of its own process, which is mostly root's, whatever `--user` says.",
};

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    vec![well_formed(facts), place(facts)]
}

fn well_formed(facts: &Facts<'_>) -> Check {
    let there = facts.home_files.iter().find(|file| !matches!(file.content, FileContent::NotFound));
    let Some(file) = there else {
        let names: Vec<&str> = facts.home_files.iter().map(|file| file.path.as_str()).collect();
        return Check::not_applicable(&WELL_FORMED, format!("there is neither {}", names.join(" nor ")));
    };
    let fail = |reason: String| Check::fail(&WELL_FORMED, reason).about(file.path.clone());
    let text = match &file.content {
        FileContent::Text(text) => text.expose_secret(),
        FileContent::NotFound => "",
        FileContent::OpenFailed(reason) | FileContent::ReadFailed(reason) => {
            let command = format!("sudo ls -l {}", shell_word(&facts.place(&file.path)));
            return fail(format!("it cannot be read: {reason}")).fix(Fix::command(command));
        }
    };
    let Err(error) = ConfigFile::parse(text) else {
        return Check::pass(&WELL_FORMED).about(file.path.clone());
    };
    let found = mistake(text, &facts.wanted_registries());
    let reason = found.as_ref().map_or_else(|| error.to_string(), |found| found.kind.sentence().to_owned());
    let check = fail(reason).seen(format!("Docker says: {error}"));
    let place = facts.place(&file.path);
    let has_mark = found.as_ref().is_some_and(|found| found.kind == MistakeKind::ByteOrderMark);
    match found.and_then(|found| found.meant) {
        _ if has_mark => check.fix(hints::without_mark(&place)),
        Some(lines) => check.fix(Fix::Lines { place, lines }),
        None => check.fix(Fix::command(format!("jq . {}", shell_word(&place)))),
    }
}

/// A file that names registries of ECR, in a home directory that the runner does not read, while it has none.
fn place(facts: &Facts<'_>) -> Check {
    let is_named =
        |text: &str| !registries_in(text, &Config::default()).is_empty() || text.contains("ecr-login");
    let of_home = facts.home_files.iter().any(|file| match &file.content {
        FileContent::Text(text) => is_named(text.expose_secret()),
        _ => false,
    });
    let of_runners = facts.runners.iter().filter_map(Facts::docker_auth_config);
    if of_home || of_runners.into_iter().any(|value| is_named(value.expose_secret())) {
        return Check::pass(&PLACE);
    }
    let Some((path, _)) = facts.other_homes.iter().find(|(_, text)| is_named(text.expose_secret())) else {
        return Check::not_applicable(&PLACE, "no user of this machine has one that names ECR");
    };
    let home = facts.service.as_ref().map(|service| service.home.display().to_string()).unwrap_or_default();
    Check::fail(
        &PLACE,
        format!("{} names ECR, and the runner reads {home}/.docker/config.json", path.display()),
    )
    .about(path.display().to_string())
    .fix(facts.setup_command())
}
