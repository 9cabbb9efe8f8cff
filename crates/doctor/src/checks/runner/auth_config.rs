//! `DOCKER_AUTH_CONFIG`, as `config.toml` gives it to jobs.

use ecru_docker::config_file::ConfigFile;
use ecru_docker::environment_auths;
use ecru_gitlab::registry_auth::{FileContent, HOME_FILES};
use ecru_gitlab::variables::DOCKER_AUTH_CONFIG;
use secrecy::ExposeSecret as _;

use super::{Facts, entry, mistake};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static PLACE: Definition = Definition {
    id: "runner.auth-config.place",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "DOCKER_AUTH_CONFIG stands where the runner reads it",
    why: "The runner reads it from `environment` of `[[runners]]` and from a job's variables, and nowhere else: not from \
          its own environment.",
};

pub(super) static WELL_FORMED: Definition = Definition {
    id: "runner.auth-config.well-formed",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "DOCKER_AUTH_CONFIG is what Docker understands",
    why: "Of a value that it cannot read, the runner uses nothing; before 18.11 it tells nobody.",
};

pub(super) static DOCKER_CLI: Definition = Definition {
    id: "runner.auth-config.docker-cli",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Risk,
    title: "DOCKER_AUTH_CONFIG does not disturb `docker` in jobs",
    why: "Every container of a job gets the variable, and docker 28.3 or newer reads it by stricter rules and before its \
          own config.json.",
};

pub(super) fn place(facts: &Facts<'_>) -> Vec<Check> {
    if facts.is_covered() {
        return vec![Check::pass(&PLACE)];
    }
    if facts.variable_of_service(DOCKER_AUTH_CONFIG).is_some() {
        let check = Check::fail(
            &PLACE,
            "it is set in the service's own environment, where the runner does not read it",
        );
        return vec![check.fix(facts.setup_command())];
    }
    if let FileContent::Text(text) = &facts.config_text
        && let Some(place) = misplaced(text.expose_secret())
    {
        let reason = format!("it stands in {place} of config.toml, which the runner passes over");
        return vec![Check::fail(&PLACE, reason).fix(facts.setup_command())];
    }
    let has_one = facts.runners.iter().any(|runner| Facts::docker_auth_config(runner).is_some());
    vec![match has_one {
        true => Check::pass(&PLACE),
        false => Check::not_applicable(&PLACE, "config.toml sets none"),
    }]
}

/// Where in a `config.toml` the variable stands in vain.
fn misplaced(text: &str) -> Option<String> {
    let document: toml::Table = text.parse().ok()?;
    let is_wanted = |name: &str| name.eq_ignore_ascii_case(DOCKER_AUTH_CONFIG);
    if document.keys().any(|name| is_wanted(name)) {
        return Some("the top level".to_owned());
    }
    let has_entry = |value: &toml::Value| {
        let entries = value.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
        entries.into_iter().any(|entry| entry.starts_with("DOCKER_AUTH_CONFIG="))
    };
    if document.get("environment").is_some_and(has_entry) {
        return Some("`environment` of the top level".to_owned());
    }
    let runners = document.get("runners")?.as_array()?.iter().filter_map(toml::Value::as_table);
    for runner in runners {
        if runner.keys().any(|name| is_wanted(name)) {
            return Some("a setting of `[[runners]]`".to_owned());
        }
        for (name, table) in runner.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
            let in_environment = table.get("environment").is_some_and(has_entry);
            if in_environment || table.keys().any(|name| is_wanted(name)) {
                return Some(format!("`[runners.{name}]`"));
            }
        }
    }
    None
}

pub(super) fn well_formed(facts: &Facts<'_>) -> Vec<Check> {
    let registries = facts.wanted_registries();
    let values = facts.runners.iter().filter_map(|runner| Some((runner, Facts::docker_auth_config(runner)?)));
    values
        .map(|(runner, value)| {
            let text = value.expose_secret();
            let Err(error) = ConfigFile::parse(text) else {
                return Check::pass(&WELL_FORMED).about(runner.name.clone());
            };
            let found = mistake(text, &registries);
            let reason = match &found {
                Some(found) => found.kind.sentence().to_owned(),
                None => error.to_string(),
            };
            let check = Check::fail(&WELL_FORMED, reason)
                .about(runner.name.clone())
                .seen(format!("the runner says: {error}"));
            let line = entry::line_of(facts, &runner.name);
            // What was meant is not told where it holds a password, and nothing else is to take its place.
            let hint =
                error.hint().or_else(|| Some(format!("mend that {}", found.as_ref()?.kind.sentence())));
            match (found.and_then(|found| found.meant), hint) {
                (Some(meant), _) => check.fix(entry::fix(facts, line, &meant)),
                (None, Some(hint)) => check.fix(Fix::advice(format!("in DOCKER_AUTH_CONFIG: {hint}"))),
                (None, None) => {
                    let meant = r#"{"credHelpers":{"REGISTRY":"ecr-login"}}"#;
                    check.fix(entry::fix(facts, line, meant))
                }
            }
        })
        .collect()
}

pub(super) fn docker_cli(facts: &Facts<'_>) -> Vec<Check> {
    let values = facts.runners.iter().filter_map(|runner| Some((runner, Facts::docker_auth_config(runner)?)));
    values
        .filter(|(_, value)| ConfigFile::parse(value.expose_secret()).is_ok())
        .map(|(runner, value)| match environment_auths::parse(value.expose_secret()) {
            Ok(_) => Check::pass(&DOCKER_CLI).about(runner.name.clone()),
            Err(error) => {
                Check::fail(&DOCKER_CLI, format!("docker 28.3 or newer in a job refuses it: {error}"))
                    .about(runner.name.clone())
                    .fix(moved(facts, &runner.name))
                    .fix(Fix::Lines {
                        place: ".gitlab-ci.yml, for jobs that call docker".to_owned(),
                        lines: "before_script:\n  - unset DOCKER_AUTH_CONFIG".to_owned(),
                    })
            }
        })
        .collect()
}

/// A set-up writes what is missing elsewhere, and leaves the variable where it disturbs.
fn moved(facts: &Facts<'_>, name: &str) -> Fix {
    let Ok(service) = &facts.service else { return facts.setup_command() };
    let home = facts.place(service.home.join(HOME_FILES[0]));
    let line = entry::line_of(facts, name).map(|line| format!(", line {line}")).unwrap_or_default();
    let registries = facts.wanted_registries();
    let by_setup = match registries.is_empty() {
        true => String::new(),
        false => {
            format!(" (`{}` does so for helpers)", facts.surroundings.target().setup_runner(&registries))
        }
    };
    Fix::advice(format!(
        "have {home} say what DOCKER_AUTH_CONFIG says{by_setup}, and then remove DOCKER_AUTH_CONFIG from `environment` \
         in {}{line}",
        facts.place(&service.config)
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_wrong_place_has_its_name() {
        let entry = "environment = ['DOCKER_AUTH_CONFIG={}']";
        for (text, place) in [
            ("DOCKER_AUTH_CONFIG = '{}'".to_owned(), "the top level"),
            (entry.to_owned(), "`environment` of the top level"),
            ("[[runners]]\ndocker_auth_config = '{}'".to_owned(), "a setting of `[[runners]]`"),
            (format!("[[runners]]\n[runners.docker]\n{entry}"), "`[runners.docker]`"),
            ("[[runners]]\n[runners.docker]\nDOCKER_AUTH_CONFIG = '{}'".to_owned(), "`[runners.docker]`"),
        ] {
            assert_eq!(misplaced(&text).as_deref(), Some(place), "{text}");
        }
        assert_eq!(misplaced(&format!("[[runners]]\n{entry}")), None);
        assert_eq!(misplaced("x"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "(\\PC|[\\[\\]=\n'\"]){0,200}") {
            let _ = misplaced(&text);
        }
    }
}
