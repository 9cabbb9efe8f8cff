//! What last went wrong when the helper was asked, as it has recorded it.

use std::time::{Duration, SystemTime};

use ecru_ecr::access::Access;
use ecru_ecr::cache::DirectoryError;
use ecru_ecr::environment::Environment;
use ecru_ecr::last_failure::LastFailure;
use ecru_ecr::token::FailureKind;

use super::identity::Answers;
use crate::report::{Check, Context, Definition, Station, Weight};
use crate::surroundings::Puller;
use crate::timestamp::timestamp;

/// Ids are written out at compile time, since they must never change.
macro_rules! definition {
    ($context:ident, $prefix:literal) => {
        Definition {
            id: concat!($prefix, ".helper.last-failure"),
            context: Context::$context,
            station: Station::Helper,
            weight: Weight::Risk,
            title: "the helper has recorded no failure that still stands",
            why: "Docker and GitLab Runner show nothing of why the helper had none; its own record does.",
        }
    };
}

static OF_RUNNER: Definition = definition!(Runner, "runner");
static OF_JOB: Definition = definition!(Job, "job");

/// What is checked of the runner's helper.
pub static RUNNER: &[&Definition] = &[&OF_RUNNER];

/// What is checked of a job's helper.
pub static JOB: &[&Definition] = &[&OF_JOB];

/// The definitions of a context.
#[must_use]
pub fn definitions(context: Context) -> &'static [&'static Definition] {
    match context {
        Context::Runner | Context::JobHost => RUNNER,
        Context::Job => JOB,
    }
}

/// What the helper has recorded, at one moment.
#[derive(Debug)]
pub struct Recorded {
    failures: Result<Vec<LastFailure>, DirectoryError>,
    at: SystemTime,
}

/// Reads the records beside the puller's cache.
#[must_use]
pub fn recorded(puller: &Puller) -> Recorded {
    Recorded { failures: all(puller, &puller.own), at: (puller.clock)() }
}

fn all(puller: &Puller, environment: &Environment) -> Result<Vec<LastFailure>, DirectoryError> {
    let access = Access { config: &puller.config, environment, clock: puller.clock };
    access.failures().map_or(Ok(Vec::new()), |failures| failures.all())
}

impl Recorded {
    /// The same with what has gone wrong since, of each registry the newest.
    #[must_use]
    pub fn and_since(self, puller: &Puller) -> Self {
        let mut newer = all(puller, &puller.environment).unwrap_or_default();
        // What the diagnosis kept from the helper is no failure of it.
        newer.retain(|failure| failure.kind != FailureKind::NoIdentity || !puller.is_instance_unknown());
        let with_newer = |older: Vec<LastFailure>| {
            let is_renewed = |failure: &LastFailure| newer.iter().any(|new| new.registry == failure.registry);
            let kept: Vec<_> = older.into_iter().filter(|failure| !is_renewed(failure)).collect();
            newer.iter().cloned().chain(kept).collect()
        };
        Self { failures: self.failures.map(with_newer), at: (puller.clock)() }
    }
}

/// What the records mean, now that AWS was asked.
#[must_use]
pub fn checks(puller: &Puller, recorded: Recorded, answers: &Answers) -> Vec<Check> {
    let definition = match puller.context {
        Context::Runner | Context::JobHost => &OF_RUNNER,
        Context::Job => &OF_JOB,
    };
    match recorded.failures {
        Err(error) => vec![Check::skipped(definition, error.to_string())],
        Ok(failures) if failures.is_empty() => vec![Check::pass(definition).seen("no failure is recorded")],
        Ok(failures) => {
            failures.iter().map(|failure| check(definition, failure, recorded.at, answers)).collect()
        }
    }
}

fn check(
    definition: &'static Definition,
    failure: &LastFailure,
    now: SystemTime,
    answers: &Answers,
) -> Check {
    let age = words(now.duration_since(failure.at).unwrap_or_default());
    let check = match answers.has_token(&failure.registry) {
        Some(true) => {
            Check::pass(definition).seen(format!("old: it failed {age} ago, and now a password is given"))
        }
        _ => Check::fail(definition, format!("{age} ago: {}", failure.message)),
    };
    let check = check.about(failure.registry.host()).seen(format!(
        "at {}: {}",
        timestamp(failure.at),
        failure.message
    ));
    let check = match &failure.chosen_by {
        Some(by) => check.seen(format!("the identity was chosen by {by}")),
        None => check,
    };
    let attempts = failure.attempts.iter().map(|attempt| format!("{}: {}", attempt.source, attempt.reason));
    let check = attempts.fold(check, Check::seen);
    let call = failure.call.as_ref().and_then(|call| call.request_id.as_ref());
    let check = match call {
        Some(id) => check.seen(format!("AWS knows the request as {id}")),
        None => check,
    };
    match &failure.hint {
        Some(hint) => check.seen(format!("hint: {hint}")),
        None => check,
    }
}

/// A length of time, to the unit in which people count it.
fn words(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let (number, unit) = match minutes {
        0 => return "less than a minute".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        for (seconds, expected) in [
            (5, "less than a minute"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (86_399, "23 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }
}
