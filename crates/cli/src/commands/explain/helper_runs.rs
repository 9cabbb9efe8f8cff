//! Credential helpers, run from PATH as often as the runner runs them, with all that is worth telling about each run.

use ecru_docker::credential_helper::invoke::Caller;
use ecru_doctor::helper_runs::{HELPER_DEADLINE, HelperRun, Question, answer_and_run};
use ecru_gitlab::registry_auth::{CredentialHelpers, HelperAnswer, HelperVerb};

use crate::outside::Outside;

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
        let question = Question { suffix: suffix.to_owned(), verb: verb.as_str(), stdin: stdin.to_owned() };
        let (answer, run) = match &self.caller {
            Some(caller) => answer_and_run(caller, None, &question),
            None => (HelperAnswer::NotRun, HelperRun::default()),
        };
        self.runs.push(run);
        answer
    }
}
