//! The engine that carries out what `docker` is told in a job.

use std::path::Path;

use ecru_executor::Engine;

use super::Facts;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

/// The socket that docker asks if DOCKER_HOST is not set.
const SOCKET: &str = "/var/run/docker.sock";

/// What a client needs for a connection by TLS (Docker docs, "Protect the Docker daemon socket").
const CERTIFICATES_OF_CLIENT: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

pub(super) static CERTIFICATES: Definition = Definition {
    id: "job.engine.certificates",
    context: Context::Job,
    station: Station::Engine,
    weight: Weight::Error,
    title: "the job has the engine's certificates",
    why: "docker:dind makes certificates at its start; the job sees them only through a volume that both share.",
};

pub(super) static REACHABLE: Definition = Definition {
    id: "job.engine.reachable",
    context: Context::Job,
    station: Station::Engine,
    weight: Weight::Error,
    title: "a Docker engine answers",
    why: "The docker command only passes on what it is told; pulls and pushes are the engine's work.",
};

pub(super) async fn checks(facts: &Facts<'_>) -> Vec<Check> {
    if facts.program("docker").is_none() {
        let reason = "there is no docker command that would need it";
        return vec![Check::not_applicable(&CERTIFICATES, reason), Check::not_applicable(&REACHABLE, reason)];
    }
    vec![certificates(facts), reachable(facts).await]
}

fn uses_tls(facts: &Facts<'_>) -> bool {
    facts.variable("DOCKER_TLS_VERIFY").is_some() || facts.variable("DOCKER_TLS").is_some()
}

fn certificates(facts: &Facts<'_>) -> Check {
    if !uses_tls(facts) {
        return Check::not_applicable(&CERTIFICATES, "DOCKER_TLS_VERIFY is not set");
    }
    let Some(folder) = facts.variable("DOCKER_CERT_PATH") else {
        return Check::skipped(
            &CERTIFICATES,
            "DOCKER_CERT_PATH is not set, so that docker looks in its own folder",
        );
    };
    let missing: Vec<&str> = CERTIFICATES_OF_CLIENT
        .into_iter()
        .filter(|file| !facts.surroundings.place_of(&Path::new(folder).join(file)).is_file())
        .collect();
    if missing.is_empty() {
        return Check::pass(&CERTIFICATES).about(folder);
    }
    Check::fail(&CERTIFICATES, format!("{folder} lacks {}", missing.join(", "))).about(folder).fix(
        Fix::Lines {
            place: "the runner's config.toml, [runners.docker]".to_owned(),
            lines: "volumes = [\"/certs/client\", \"/cache\"]".to_owned(),
        },
    )
}

async fn reachable(facts: &Facts<'_>) -> Check {
    let host = facts.variable("DOCKER_HOST");
    let default = facts.surroundings.place_of(SOCKET.as_ref());
    let address = host.map_or_else(|| format!("unix://{}", default.display()), str::to_owned);
    if host.is_none() && !default.exists() {
        let reason = format!("DOCKER_HOST is not set, and there is no {SOCKET}");
        return no_engine().into_iter().fold(Check::fail(&REACHABLE, reason), Check::fix);
    }
    if !facts.surroundings.asked.starts_programs {
        return Check::skipped(&REACHABLE, "nobody is to be asked").about(address);
    }
    if uses_tls(facts) {
        return Check::skipped(&REACHABLE, "an engine behind TLS is not asked: `docker version` does")
            .about(address);
    }
    match Engine::connect(Some(&address)).await {
        Ok(engine) => {
            let it = engine.describe();
            Check::pass(&REACHABLE)
                .seen(format!("Docker {} (API {}) on {}", it.version, it.api_version, it.platform))
        }
        Err(error) => {
            let check = Check::fail(&REACHABLE, error.to_string());
            let check = match error.hint() {
                Some(hint) => check.seen(format!("hint: {hint}")),
                None => check,
            };
            no_engine().into_iter().fold(check, Check::fix)
        }
    }
    .about(address)
}

/// The two ways to an engine (GitLab, "Use Docker to build Docker images").
fn no_engine() -> [Fix; 2] {
    [
        Fix::Lines {
            place: "the job in .gitlab-ci.yml, for a runner with privileged = true".to_owned(),
            lines: "services:\n  - docker:29-dind\nvariables:\n  DOCKER_HOST: tcp://docker:2376\n  DOCKER_TLS_CERTDIR: \
                    \"/certs\"\n  DOCKER_TLS_VERIFY: \"1\"\n  DOCKER_CERT_PATH: /certs/client"
                .to_owned(),
        },
        Fix::Lines {
            place: "the runner's config.toml, [runners.docker], where all its jobs may rule the host".to_owned(),
            lines: format!("volumes = [\"{SOCKET}:{SOCKET}\", \"/cache\"]"),
        },
    ]
}
