//! The decision of whoever pulls, in one form for all of them.

use ecru_doctor::helper_runs::HelperRun;
use ecru_gitlab::docker_cli;
use ecru_gitlab::kubelet::{self, Candidate};
use ecru_gitlab::registry_auth::{
    self, HelperCall, Inputs, Outcome, ResolvedCredential, Source, Trace, resolve_all_as, resolve_as,
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
}

/// One entry of the Secret that the kubernetes executor makes.
pub(super) struct SecretLine {
    pub(super) key: String,
    pub(super) credential: ResolvedCredential,
    /// How many others the kubelet tries first; none if the entry does not match the image.
    pub(super) place: Option<usize>,
    /// Whether only the kubelet's rules make it match.
    pub(super) is_beyond_the_runner: bool,
}

/// Decides as whoever pulls in the given context does.
pub(super) fn explain(image: &str, given: &Given, outside: &Outside) -> Explanation {
    let mut helpers = HelperRuns::new(given.runs_helpers, outside);
    let mut explanation = match given.context {
        PullContext::Runner => of_runner(image, given, &mut helpers),
        PullContext::Job => of_job(image, given, &mut helpers),
        PullContext::Kubernetes => of_pod(image, given, &mut helpers),
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
    let verdict = match resolution.outcome {
        Outcome::Credential(credential) => Verdict::Found(credential),
        Outcome::Anonymous => Verdict::Anonymous,
        Outcome::Aborted(error) => Verdict::Aborted(error.to_string()),
    };
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
    let all = resolve_all_as(&given.runner, &inputs(given), helpers);
    let rules = format!("GitLab Runner {}, kubernetes executor, and a kubelet", given.runner.version);
    let path = registry_auth::image_path(image);
    let credentials = match all.outcome {
        Ok(credentials) => credentials,
        Err(error) => {
            let verdict = Verdict::Aborted(error.to_string());
            return Explanation::new(image, given, rules, path, verdict, all.trace);
        }
    };
    let secret = kubelet::image_pull_secret(&given.runner, &credentials);
    let candidates = match kubelet::candidates(image, &secret) {
        Ok(candidates) => candidates,
        Err(error) => {
            let verdict = Verdict::Aborted(error.to_string());
            let explanation = Explanation::new(image, given, rules, path, verdict, all.trace);
            return Explanation { hints: error.hint().into_iter().collect(), ..explanation };
        }
    };
    // The kubelet tries all of them, so that an empty one keeps none of the others out.
    let mut read = candidates
        .iter()
        .filter_map(|candidate| Some(as_the_kubelet_reads(credentials.get(candidate.index)?, candidate)));
    let first = read.next();
    let first_with_a_password = first.iter().cloned().chain(read).find(|credential| !credential.is_empty());
    let verdict = match first_with_a_password.or(first) {
        Some(credential) => Verdict::Found(Box::new(credential)),
        None => Verdict::Anonymous,
    };
    let lines = secret.into_iter().zip(credentials).enumerate().map(|(index, (entry, credential))| {
        let place = candidates.iter().position(|candidate| candidate.index == index);
        let candidate = place.and_then(|place| candidates.get(place));
        SecretLine {
            key: entry.key,
            credential,
            place,
            is_beyond_the_runner: candidate.is_some_and(|candidate| candidate.is_beyond_the_runner),
        }
    });
    let lines: Vec<SecretLine> = lines.collect();
    let explanation = Explanation::new(image, given, rules, path, verdict, all.trace);
    Explanation { secret: lines, ..explanation }
}

/// A kubelet takes user and password alone, and finds them under its own form of the key.
fn as_the_kubelet_reads(credential: &ResolvedCredential, candidate: &Candidate) -> ResolvedCredential {
    ResolvedCredential {
        path: candidate.pattern.clone(),
        identity_token: Default::default(),
        registry_token: Default::default(),
        ..credential.clone()
    }
}

/// The home file that was read, if one was.
pub(super) fn is_home_file(source: &Source) -> bool {
    matches!(source, Source::HomeFile(_))
}
