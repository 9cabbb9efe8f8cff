//! The decision of whoever pulls, in one form for all of them.

use ecru_doctor::helper_runs::HelperRun;
use ecru_gitlab::docker_cli;
use ecru_gitlab::kubelet::{self, PodResolution, SecretLine};
use ecru_gitlab::registry_auth::{
    self, HelperCall, Inputs, Outcome, ResolvedCredential, Source, Trace, resolve_as,
};

use super::given::Given;
use super::helper_runs::HelperRuns;
use super::wording;
use crate::args::PullContext;
use crate::outside::Outside;

/// What is known about one image.
pub(super) struct Explanation {
    pub(super) image: String,
    pub(super) context: PullContext,
    /// Whose rules were applied.
    pub(super) rules: String,
    /// What was looked up.
    pub(super) path: String,
    pub(super) verdict: Verdict,
    pub(super) trace: Trace,
    /// One for each helper call of the trace.
    pub(super) runs: Vec<HelperRun>,
    /// The entries of the pod's Secret, for a pod.
    pub(super) secret: Vec<SecretLine>,
    /// The job log's line about the source of the credentials.
    pub(super) job_log_line: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) hints: Vec<String>,
}

/// What happens.
pub(super) enum Verdict {
    Found(Box<ResolvedCredential>),
    Anonymous,
    Aborted(String),
    /// The runner's executor uses no image.
    NoPull {
        executor: String,
    },
}

impl Verdict {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Credential(credential) => Self::Found(credential),
            Outcome::Anonymous => Self::Anonymous,
            Outcome::Aborted(error) => Self::Aborted(error.to_string()),
        }
    }
}

/// Decides as whoever pulls in the given context does.
pub(super) fn explain(image: &str, given: &Given, outside: &Outside) -> Explanation {
    let mut helpers = HelperRuns::new(given.runs_helpers, outside);
    let mut explanation = match (given.context, &given.executor_without_images) {
        (PullContext::Runner, Some(executor)) => of_nobody(image, executor, given),
        (PullContext::Runner, None) => of_runner(image, given, &mut helpers),
        (PullContext::Job, _) => of_job(image, given, &mut helpers),
        (PullContext::Kubernetes, _) => of_pod(image, given, &mut helpers),
    };
    explanation.runs = helpers.runs;
    explanation.notes = given.notes.clone();
    wording::add_notes_and_hints(&mut explanation);
    explanation
}

impl Explanation {
    fn new(image: &str, given: &Given, rules: String, path: String, verdict: Verdict, trace: Trace) -> Self {
        Self {
            image: image.to_owned(),
            context: given.context,
            rules,
            path,
            verdict,
            hints: trace.hints.clone(),
            trace,
            runs: Vec::new(),
            secret: Vec::new(),
            job_log_line: None,
            notes: Vec::new(),
        }
    }

    /// Helper calls with what else is known of each.
    pub(super) fn helper_calls(&self) -> impl Iterator<Item = (&HelperCall, &HelperRun)> {
        self.trace.helper_calls.iter().zip(&self.runs)
    }
}

fn inputs(given: &Given) -> Inputs<'_> {
    Inputs {
        docker_auth_config: given.docker_auth_config.as_ref(),
        home_files: &given.home_files,
        job_credentials: &given.job_credentials,
    }
}

fn of_runner(image: &str, given: &Given, helpers: &mut HelperRuns) -> Explanation {
    let resolution = resolve_as(&given.runner, image, &inputs(given), helpers);
    let job_log_line = resolution.job_log_line();
    let verdict = Verdict::of(resolution.outcome);
    let rules = format!("GitLab Runner {}, docker executors", given.runner.version);
    let explanation = Explanation::new(image, given, rules, resolution.path, verdict, resolution.trace);
    Explanation { job_log_line, ..explanation }
}

fn of_job(image: &str, given: &Given, helpers: &mut HelperRuns) -> Explanation {
    let inputs = docker_cli::Inputs {
        docker_auth_config: given.docker_auth_config.as_ref(),
        config_file: given.home_files.first(),
        is_before_28_3: given.docker_is_before_28_3,
    };
    let resolution = docker_cli::resolve(image, &inputs, helpers);
    let verdict = match resolution.outcome {
        docker_cli::Outcome::Credential(credential) => Verdict::Found(credential),
        docker_cli::Outcome::Anonymous => Verdict::Anonymous,
        docker_cli::Outcome::Failed(error) => Verdict::Aborted(error.to_string()),
    };
    let version = if given.docker_is_before_28_3 { "before 28.3" } else { "28.3 or newer" };
    let rules = format!("the docker command, {version}, in a job");
    let path = resolution.key.unwrap_or_default();
    Explanation::new(image, given, rules, path, verdict, resolution.trace)
}

fn of_pod(image: &str, given: &Given, helpers: &mut HelperRuns) -> Explanation {
    let rules = format!("GitLab Runner {}, kubernetes executor, and a kubelet", given.runner.version);
    let PodResolution { resolution, secret } =
        kubelet::resolve_as(&given.runner, image, &inputs(given), helpers);
    let verdict = Verdict::of(resolution.outcome);
    Explanation {
        secret,
        ..Explanation::new(image, given, rules, resolution.path, verdict, resolution.trace)
    }
}

/// An executor that pulls no image asks for no credentials either (`helpers/docker/auth/auth.go` has two callers).
fn of_nobody(image: &str, executor: &str, given: &Given) -> Explanation {
    let rules = format!("GitLab Runner {}, executor `{executor}`", given.runner.version);
    let verdict = Verdict::NoPull { executor: executor.to_owned() };
    Explanation::new(image, given, rules, registry_auth::image_path(image), verdict, Trace::default())
}

/// The home file that was read, if one was.
pub(super) fn is_home_file(source: &Source) -> bool {
    matches!(source, Source::HomeFile(_))
}
