//! What `docker login` has left behind.

use std::time::SystemTime;

use ecru_docker::config_file::{StaticAuth, hostname_of_key};
use ecru_docker::environment_auths;
use ecru_ecr::token::stated_expiry;
use secrecy::ExposeSecret as _;

use super::Facts;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::shell::shell_word;
use crate::timestamp::timestamp;

pub(super) static LOGIN: Definition = Definition {
    id: "job.docker.login",
    context: Context::Job,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "no stored password of ECR has expired",
    why: "A password of ECR lives for 12 hours, and docker sends a stored one as long as it is there.",
};

const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// A stored password that says when it expires.
struct Stored {
    key: String,
    place: String,
    expires_at: SystemTime,
    is_used: bool,
}

pub(super) async fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let stored = stored(facts).await;
    if stored.is_empty() {
        return vec![Check::not_applicable(&LOGIN, "no password of ECR is stored")];
    }
    let now = (facts.surroundings.clock)();
    stored.iter().map(|stored| check(stored, now)).collect()
}

fn check(stored: &Stored, now: SystemTime) -> Check {
    let Stored { key, place, expires_at, is_used } = stored;
    let until = timestamp(*expires_at);
    // The form of these passwords is documented nowhere, so that this says what the password says.
    let check = match (*expires_at <= now, is_used) {
        (true, true) => Check::fail(&LOGIN, format!("the password says that it has expired at {until}"))
            .fix(removal(key, place)),
        (true, false) => {
            Check::pass(&LOGIN).seen(format!("it has expired at {until}, but a helper is asked in its place"))
        }
        (false, _) => Check::pass(&LOGIN).seen(format!("it says that it works until {until}")),
    };
    check.about(key).seen(format!("it is stored in {place}"))
}

/// `docker logout` changes config.json only.
fn removal(key: &str, place: &str) -> Fix {
    match place {
        VARIABLE => Fix::advice(format!(
            "remove `{key}` from `auths` of the variable {VARIABLE}, or `unset {VARIABLE}` before docker is called"
        )),
        _ => Fix::command(format!("docker logout {}", shell_word(key))),
    }
}

async fn stored(facts: &Facts<'_>) -> Vec<Stored> {
    let mut stored = Vec::new();
    let reads_variable =
        facts.docker_version().await.as_ref().is_ok_and(super::facts::Version::reads_variable);
    if let Some(value) = facts.docker_auth_config().filter(|_| reads_variable) {
        let auths = environment_auths::parse(value.expose_secret()).unwrap_or_default();
        let place = || VARIABLE.to_owned();
        stored.extend(auths.iter().filter_map(|(key, auth)| of(key, auth, place(), true)));
    }
    let config = facts.docker_config().unwrap_or_default();
    let place = facts.config_file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
    stored.extend(config.auths.iter().filter_map(|(key, auth)| {
        let host = hostname_of_key(key);
        let has_helper = config.credentials_store.is_some() || config.credential_helpers.contains_key(host);
        of(key, auth, place.clone(), !has_helper)
    }));
    stored
}

fn of(key: &str, auth: &StaticAuth, place: String, is_used: bool) -> Option<Stored> {
    let expires_at = stated_expiry(&auth.password).filter(|_| auth.username == "AWS")?;
    Some(Stored { key: key.to_owned(), place, expires_at, is_used })
}
