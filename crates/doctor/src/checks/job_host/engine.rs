//! The Docker engine: whether it answers, and which version it is.

use ecru_executor::{Engine, EngineError};

use crate::report::{Check, Context, Definition, Fix, Station, Weight};

pub(super) static ANSWERS: Definition = Definition {
    id: "job-host.engine.answers",
    context: Context::JobHost,
    station: Station::Engine,
    weight: Weight::Error,
    title: "the Docker engine answers",
    why: "It pulls the images of jobs, with credentials that the runner sends along, and runs their containers.",
};

pub(super) static VERSION: Definition = Definition {
    id: "job-host.engine.version",
    context: Context::JobHost,
    station: Station::Engine,
    weight: Weight::Risk,
    title: "the Docker engine is one that every client of Docker 29 speaks with",
    why: "The `docker` of a job's image refuses engines whose newest API is too old for it, whatever the runner's own client \
          does.",
};

/// The oldest version of the API that all clients of Docker 29 speak, which is that of Docker 25.0: those before 29.3 do
/// not go below it (moby/moby#51186), later ones do not go below 1.40 (moby/moby#52067).
const OLDEST_API: (u32, u32) = (1, 44);

pub(super) fn answers(engine: &Result<Engine, EngineError>) -> Check {
    match engine {
        Ok(engine) => {
            let about = engine.describe();
            Check::pass(&ANSWERS)
                .about(&about.address)
                .seen(format!("Docker {} on {}, {}", about.version, about.operating_system, about.platform))
        }
        Err(error) => {
            let check = Check::fail(&ANSWERS, error.to_string());
            let start = Fix::command("systemctl start docker");
            match error.hint() {
                Some(hint) => check.seen(hint).fix(start),
                None => check.fix(start),
            }
        }
    }
}

pub(super) fn version(engine: Option<&Engine>) -> Check {
    let Some(about) = engine.map(Engine::describe) else {
        return Check::skipped(&VERSION, "the engine does not answer");
    };
    let Some(newest) = number_of(&about.newest_api_version) else {
        return Check::skipped(&VERSION, "the engine does not say which API it speaks");
    };
    let seen = format!("Docker {} speaks the API up to version {}", about.version, about.newest_api_version);
    if newest < OLDEST_API {
        return Check::fail(
            &VERSION,
            "`docker` 29.0 to 29.2 in a job refuses this engine, which is older than 25.0",
        )
        .seen(seen)
        .fix(Fix::Lines {
            place: "the job, until the engine is upgraded".to_owned(),
            lines: "image: docker:28".to_owned(),
        });
    }
    Check::pass(&VERSION).seen(seen)
}

fn number_of(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(number_of("1.44"), Some((1, 44)));
        assert!(number_of("1.9").unwrap() < OLDEST_API);
        assert_eq!(number_of(""), None);
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_an_error() {
        let check = answers(&Engine::connect(Some("unix:///nonexistent/docker.sock")).await);
        assert!(check.is_error(), "{check:?}");
        assert!(matches!(version(None).outcome, Outcome::Skipped(_)));
    }
}
