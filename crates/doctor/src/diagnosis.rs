//! A diagnosis: the groups of checks of each context, side by side, each with a deadline.

use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;

use crate::checks::{self, job, job_host, pulls, runner};
use crate::context::{Known, known};
use crate::report::{Check, Context, Definition, Outcome, Report, Section};
use crate::surroundings::Surroundings;

/// The longest that a group of checks may take. Everything in it has a shorter deadline of its own; this one keeps the
/// other groups' checks where one of them was forgotten.
const GROUP_DEADLINE: Duration = Duration::from_secs(60);

/// A group of checks that is carried out.
struct Group<'a> {
    definitions: Vec<&'static Definition>,
    checks: Pin<Box<dyn Future<Output = Vec<Check>> + Send + 'a>>,
}

impl<'a> Group<'a> {
    fn new(
        definitions: impl AsRef<[&'static Definition]>,
        checks: impl Future<Output = Vec<Check>> + Send + 'a,
    ) -> Self {
        Self { definitions: definitions.as_ref().to_vec(), checks: Box::pin(checks) }
    }
}

/// Looks at every context that was asked for, else at those that this machine is.
///
/// Must be called within a tokio runtime that has threads for blocking work.
pub async fn diagnosis(surroundings: &Surroundings) -> Report {
    let sections = known(surroundings).into_iter().map(|known| section(known, surroundings));
    Report { sections: join_all(sections).await }
}

async fn section(known: Known, surroundings: &Surroundings) -> Section {
    let checks = match known.context {
        Context::Runner => of_runner(surroundings).await,
        Context::JobHost => of_job_host(surroundings).await,
        Context::Job => of_job(surroundings).await,
    };
    Section {
        context: known.context,
        known_by: known.by,
        checks: causes_only(in_order(known.context, checks)),
    }
}

async fn of_runner(surroundings: &Surroundings) -> Vec<Check> {
    let facts = runner::Facts::gather(surroundings);
    carried_out(vec![
        Group::new(runner::SETTINGS, runner::settings(&facts)),
        Group::new(runner::LOGINS, runner::logins(&facts)),
        Group::new(pulls::definitions(Context::Runner), of_pulls(&facts)),
        Group::new(runner::ANSWERS, runner::answers(&facts)),
        Group::new(runner::RISKS, runner::risks(&facts)),
    ])
    .await
}

async fn of_pulls(facts: &runner::Facts<'_>) -> Vec<Check> {
    match facts.puller() {
        _ if !facts.surroundings.asked.starts_programs => {
            pulls::skipped(Context::Runner, "nobody is to be asked")
        }
        None => pulls::skipped(Context::Runner, "it is not known who pulls, see above"),
        Some(puller) => pulls::checks(puller, facts.needs_identity(), facts.choices()).await,
    }
}

async fn of_job_host(surroundings: &Surroundings) -> Vec<Check> {
    let input = job_host::Input::of(surroundings);
    carried_out(vec![Group::new(job_host::DEFINITIONS, job_host::checks(&input))]).await
}

async fn of_job(surroundings: &Surroundings) -> Vec<Check> {
    let facts = job::Facts::gather(surroundings);
    carried_out(vec![
        Group::new(job::SETTINGS, job::settings(&facts)),
        Group::new(pulls::definitions(Context::Job), of_job_pulls(&facts)),
        Group::new(job::NETWORK, job::network(&facts)),
        Group::new(job::ENGINE, job::engine(&facts)),
    ])
    .await
}

async fn of_job_pulls(facts: &job::Facts<'_>) -> Vec<Check> {
    match facts.puller() {
        _ if !facts.surroundings.asked.starts_programs => {
            pulls::skipped(Context::Job, "nobody is to be asked")
        }
        Err(_) => pulls::skipped(Context::Job, "ecru's configuration cannot be read, see above"),
        Ok(puller) => pulls::checks(puller, true, facts.choices()).await,
    }
}

async fn carried_out(groups: Vec<Group<'_>>) -> Vec<Check> {
    let groups = groups.into_iter().map(|group| async move {
        tokio::time::timeout(GROUP_DEADLINE, group.checks).await.unwrap_or_else(|_| {
            let reason = format!("it did not end within {} s", GROUP_DEADLINE.as_secs());
            group.definitions.iter().map(|definition| Check::skipped(definition, &reason)).collect()
        })
    });
    join_all(groups).await.concat()
}

/// The checks in the order of the catalogue; those of one definition stay in theirs.
fn in_order(context: Context, mut checks: Vec<Check>) -> Vec<Check> {
    let catalogue = checks::of(context);
    let place = |check: &Check| {
        catalogue.iter().position(|definition| definition.id == check.definition.id).unwrap_or(usize::MAX)
    };
    checks.sort_by_key(place);
    checks
}

/// The checks, those skipped that only follow from one that failed before them.
fn causes_only(mut checks: Vec<Check>) -> Vec<Check> {
    let first = checks.iter().position(|check| check.is_error() && !check.is_consequence);
    for check in checks.iter_mut().skip(first.unwrap_or(usize::MAX)).filter(|check| check.is_consequence) {
        check.outcome = Outcome::Skipped("it waits for what fails, see above".to_owned());
        check.fixes.clear();
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Fix;

    #[test]
    fn what_follows_from_another_failure_is_not_told_again() {
        let definition = checks::of(Context::Runner)[0];
        let image = || {
            let fix = Fix::Command { command: "x".to_owned(), by_setup: true };
            Check::fail(definition, "no credentials: why").fix(fix).unless_told()
        };
        let alone = causes_only(vec![Check::pass(definition), image()]);
        assert!(alone[1].is_error() && alone[1].fixes.len() == 1);
        let behind = causes_only(vec![Check::fail(definition, "no helper"), image()]);
        assert_eq!(behind[1].outcome, Outcome::Skipped("it waits for what fails, see above".to_owned()));
        assert_eq!(behind[1].fixes, []);
    }
}
