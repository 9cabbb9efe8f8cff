//! The docker command of a job, and what it reads.

use ecru_docker::environment_auths;
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;

use super::Facts;
use crate::checks::hints;
use crate::checks::runner::{MistakeKind, mistake};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::shell::shell_word;

/// Programs that pull and push without `docker`, by which images without it are recognised.
const OTHER_CLIENTS: [&str; 6] = ["executor", "buildctl", "podman", "buildah", "skopeo", "crane"];

/// Where kaniko's image has its program, which is not on PATH.
const KANIKO: &str = "/kaniko/executor";

pub(super) static CLIENT: Definition = Definition {
    id: "job.docker.client",
    context: Context::Job,
    station: Station::Place,
    weight: Weight::Error,
    title: "the docker command is there",
    why: "The script calls the docker of the job's own image, not that of the runner or the host.",
};

pub(super) static CONFIG: Definition = Definition {
    id: "job.docker.config",
    context: Context::Job,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "docker understands its config.json",
    why: "Docker goes on without the file's credentials if it does not.",
};

pub(super) static AUTH_CONFIG: Definition = Definition {
    id: "job.docker.auth-config",
    context: Context::Job,
    station: Station::Configuration,
    weight: Weight::Risk,
    title: "docker understands DOCKER_AUTH_CONFIG",
    why: "Since 28.3.0 docker reads the variable too, by stricter rules than GitLab Runner, and drops a value with \
          credHelpers or credsStore at each call.",
};

pub(super) async fn client(facts: &Facts<'_>) -> Check {
    match facts.docker_version().await {
        Ok(version) => Check::pass(&CLIENT).seen(format!("{} {}", version.program.display(), version.text)),
        Err(reason) if facts.program("docker").is_some() => Check::skipped(&CLIENT, reason),
        Err(reason) => match other_client(facts) {
            Some(other) => Check::not_applicable(&CLIENT, format!("{reason}, but {other} is there")),
            None => Check::fail(&CLIENT, reason).fix(Fix::Lines {
                place: "the job in .gitlab-ci.yml".to_owned(),
                lines: "image: docker:29-cli".to_owned(),
            }),
        },
    }
}

fn other_client(facts: &Facts<'_>) -> Option<String> {
    let kaniko = facts.surroundings.place_of(KANIKO.as_ref());
    let on_path = OTHER_CLIENTS.iter().find_map(|name| facts.program(name));
    on_path.or_else(|| kaniko.is_file().then_some(kaniko)).map(|program| program.display().to_string())
}

pub(super) fn config(facts: &Facts<'_>) -> Check {
    let Some(file) = &facts.config_file else {
        return Check::skipped(&CONFIG, "neither DOCKER_CONFIG nor HOME is set");
    };
    let check = match (&file.content, facts.docker_config()) {
        (FileContent::NotFound, _) => Check::not_applicable(&CONFIG, format!("there is no {}", file.path)),
        (FileContent::OpenFailed(reason) | FileContent::ReadFailed(reason), _) => {
            Check::fail(&CONFIG, format!("it cannot be read: {reason}"))
        }
        (FileContent::Text(text), Err(_)) if is_marked(text.expose_secret()) => {
            Check::fail(&CONFIG, MistakeKind::ByteOrderMark.sentence()).fix(hints::without_mark(&file.path))
        }
        (FileContent::Text(_), Err(error)) => {
            let check = Check::fail(&CONFIG, error.to_string());
            match error.hint() {
                Some(hint) => check.seen(format!("hint: {hint}")),
                None => check,
            }
            .fix(Fix::command(format!("jq . {}", shell_word(&file.path))))
        }
        (FileContent::Text(_), Ok(config)) => {
            let check = Check::pass(&CONFIG);
            let check = match &config.credentials_store {
                Some(suffix) => check.seen(format!("credsStore is `{suffix}`")),
                None => check,
            };
            let helpers = config.credential_helpers.iter();
            helpers
                .fold(check, |check, (key, suffix)| check.seen(format!("credHelpers: `{suffix}` for {key}")))
        }
    };
    check.about(&file.path)
}

fn is_marked(text: &str) -> bool {
    mistake(text, &[]).is_some_and(|found| found.kind == MistakeKind::ByteOrderMark)
}

pub(super) async fn auth_config(facts: &Facts<'_>) -> Check {
    let Some(value) = facts.docker_auth_config() else {
        return Check::not_applicable(&AUTH_CONFIG, "DOCKER_AUTH_CONFIG is not set here");
    };
    let version = facts.docker_version().await;
    if let Ok(version) = version
        && !version.reads_variable()
    {
        return Check::not_applicable(&AUTH_CONFIG, format!("docker {} does not read it", version.text));
    }
    match environment_auths::parse(value.expose_secret()) {
        Ok(auths) => {
            let keys = auths.keys().cloned().collect::<Vec<_>>().join(", ");
            Check::pass(&AUTH_CONFIG).seen(format!("it comes before config.json, for {keys}"))
        }
        Err(error) => {
            let check = Check::fail(&AUTH_CONFIG, format!("docker drops it: {error}"));
            let check = match error.hint() {
                Some(hint) => check.seen(format!("hint: {hint}")),
                None => check,
            };
            check.fix(Fix::Lines {
                place: "the script of the job, before docker is called".to_owned(),
                lines: "unset DOCKER_AUTH_CONFIG".to_owned(),
            })
        }
    }
}
