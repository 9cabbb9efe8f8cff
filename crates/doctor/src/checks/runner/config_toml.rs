//! The runner's `config.toml`.

use ecru_gitlab::config_toml::{ConfigError, ConfigProblem, ConfigToml, ConfigWarning, Puller};
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;

use super::Facts;
use super::entry::{self, ENTRY};
use crate::checks::hints;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::shell::shell_word;

/// What somebody writes who thinks of YAML.
const COLON: &str = "DOCKER_AUTH_CONFIG:";

pub(super) static READABLE: Definition = Definition {
    id: "runner.config.readable",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "config.toml can be read",
    why: "The runner reads its executors, images and variables from it.",
};

pub(super) static VALID: Definition = Definition {
    id: "runner.config.valid",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "config.toml is valid",
    why: "With a file that it cannot read, the runner goes on with the last one that it could, or does not start.",
};

pub(super) static SELECTED: Definition = Definition {
    id: "runner.config.executor",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "config.toml has a runner whose executor pulls images",
    why: "Only the docker and kubernetes executors ask for registry credentials.",
};

pub(super) static ENVIRONMENT: Definition = Definition {
    id: "runner.config.environment",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "every entry of `environment` is a variable",
    why: "The runner drops entries without `=` and tells nobody.",
};

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let path = match &facts.service {
        Ok(service) => service.config.display().to_string(),
        Err(_) => return Vec::new(),
    };
    let text = match readable(facts, &path) {
        Ok(text) => text,
        Err(check) => return vec![check],
    };
    let mut checks = vec![Check::pass(&READABLE).seen(path.clone())];
    match ConfigToml::parse(text) {
        Err(error) => checks.push(invalid(facts, &error, text, &path)),
        Ok(config) => {
            checks.push(Check::pass(&VALID));
            checks.push(selected(facts, &config, &path));
            checks.push(environment(facts, &config, text, &path));
        }
    }
    checks
}

fn readable<'f>(facts: &'f Facts<'_>, path: &str) -> Result<&'f str, Check> {
    let target = facts.surroundings.target();
    let place = shell_word(&facts.place(path));
    let (reason, command) = match &facts.config_text {
        FileContent::Text(text) => return Ok(text.expose_secret()),
        FileContent::NotFound => {
            (format!("{path} does not exist"), format!("gitlab-runner register --config {place}"))
        }
        FileContent::OpenFailed(reason) => {
            (format!("cannot open {path}: {reason}"), target.told("sudo ecru doctor".to_owned()))
        }
        FileContent::ReadFailed(reason) => {
            (format!("cannot read {path}: {reason}"), format!("ls -ld {place}"))
        }
    };
    Err(Check::fail(&READABLE, reason).fix(Fix::command(command)))
}

fn invalid(facts: &Facts<'_>, error: &ConfigError, text: &str, path: &str) -> Check {
    let line = text.lines().nth(error.position.line.saturating_sub(1)).unwrap_or_default();
    let quoting = matches!(error.problem, ConfigProblem::Syntax(_)) && line.contains(ENTRY);
    let reason = match quoting {
        true => format!(
            "{error}: the double quotes of the JSON end the TOML string; TOML has single quotes for such texts"
        ),
        false => error.to_string(),
    };
    let check = Check::fail(&VALID, reason).about(path.to_owned());
    if let Some(json) = quoting.then(|| entry::json_behind(line, ENTRY)).flatten() {
        return check.fix(entry::fix(facts, Some(error.position.line), &json));
    }
    match error.hint() {
        Some(hint) => {
            check.fix(Fix::advice(format!("{}, line {}: {hint}", facts.place(path), error.position.line)))
        }
        None => check,
    }
}

fn selected(facts: &Facts<'_>, config: &ConfigToml, path: &str) -> Check {
    let asked = facts.surroundings.asked.runner.as_deref();
    let chosen = config.runners.iter().filter(|runner| asked.is_none_or(|name| runner.name == name));
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        let error = config.runner(asked).err();
        let reason = error.as_ref().map(ToString::to_string).unwrap_or_default();
        let check = Check::fail(&SELECTED, reason).about(path.to_owned());
        return match error.and_then(|error| error.hint()) {
            Some(hint) => check.fix(hints::fix(&hint)),
            None => check,
        };
    }
    let lines = chosen.iter().map(|runner| format!("`{}`: executor {}", runner.name, runner.executor));
    let check = match chosen.iter().any(|runner| runner.puller() != Puller::Nobody) {
        true => Check::pass(&SELECTED),
        false => Check::not_applicable(&SELECTED, "no runner here has an executor that pulls images"),
    };
    lines.fold(check, Check::seen)
}

fn environment(facts: &Facts<'_>, config: &ConfigToml, text: &str, path: &str) -> Check {
    let Some(warning) = config.warnings.first() else { return Check::pass(&ENVIRONMENT) };
    let check = Check::fail(&ENVIRONMENT, warning.to_string()).about(path.to_owned());
    let mut lines = text.lines().zip(1..);
    let colon = lines.find_map(|(line, number)| Some((number, entry::json_behind(line, COLON)?)));
    if let Some((number, json)) = colon {
        return check
            .seen("DOCKER_AUTH_CONFIG stands there with `:`, as YAML has it, and not with `=`")
            .fix(entry::fix(facts, Some(number), &json));
    }
    match warning {
        ConfigWarning::EnvironmentWithoutValue { position, .. } => check.fix(Fix::advice(format!(
            "{}, line {}: write each entry of `environment` as \"NAME=value\"",
            facts.place(path),
            position.line
        ))),
        _ => check,
    }
}
