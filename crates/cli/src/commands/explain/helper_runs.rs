//! Credential helpers, run from PATH as the runner does, with all that is worth telling about each run.

use std::time::Duration;

use ecru_docker::credential_helper::invoke::{Caller, InvokeError};
use ecru_docker::credential_helper::message::Verb;
use ecru_doctor::helper_runs::{HELPER_DEADLINE, answer_of};
use ecru_gitlab::registry_auth::{CredentialHelpers, HelperAnswer, HelperVerb};

use crate::outside::Outside;

/// What one run told beside its answer.
#[derive(Debug, Default)]
pub(super) struct HelperRun {
    /// How long it took; none if it never started or did not end.
    pub(super) duration: Option<Duration>,
    /// Its standard error, which the runner passes on to its own.
    pub(super) stderr: String,
    /// Why there is no answer.
    pub(super) problem: Option<String>,
    pub(super) hint: Option<String>,
    /// Whether it was stopped, where the runner would have waited on.
    pub(super) was_stopped: bool,
}

/// Runs helpers, or none at all.
pub(super) struct HelperRuns {
    caller: Option<Caller>,
    /// One for each call, in their order.
    pub(super) runs: Vec<HelperRun>,
}

impl HelperRuns {
    pub(super) fn new(runs_helpers: bool, outside: &Outside) -> Self {
        let caller = runs_helpers.then(|| Caller {
            path: outside.search_path().to_owned(),
            environment: outside.variables(),
            deadline: HELPER_DEADLINE,
        });
        Self { caller, runs: Vec::new() }
    }
}

impl CredentialHelpers for HelperRuns {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let Some(caller) = &self.caller else {
            self.runs.push(HelperRun::default());
            return HelperAnswer::NotRun;
        };
        let verb = match verb {
            HelperVerb::Get => Verb::Get,
            HelperVerb::List => Verb::List,
        };
        let invoked = caller.invoke(suffix, verb, stdin);
        self.runs.push(match &invoked {
            Ok(completed) => HelperRun {
                duration: Some(completed.duration),
                stderr: completed.stderr.clone(),
                ..HelperRun::default()
            },
            Err(error) => HelperRun {
                problem: Some(error.to_string()),
                hint: error.hint(),
                was_stopped: matches!(
                    error,
                    InvokeError::TimedOut { .. } | InvokeError::OutputTooLong { .. }
                ),
                ..HelperRun::default()
            },
        });
        answer_of(invoked)
    }
}
