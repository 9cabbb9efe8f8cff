//! The runner's choice of credentials, made right before each pull as the runner does.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ecru_docker::credential_helper::invoke::{Caller, Completed, InvokeError};
use ecru_docker::credential_helper::message::{PROGRAM_PREFIX, Verb};
use ecru_doctor::helper_runs::{HELPER_DEADLINE, answer_of};
use ecru_executor::{CredentialLookup, LookupFuture, RegistryCredential};
use ecru_gitlab::config_toml::{Puller, RunnerConfig};
use ecru_gitlab::kubelet;
use ecru_gitlab::registry_auth::{
    self, CredentialHelpers, FileContent, HOME_FILES, HelperAnswer, HelperCall, HelperExit, HelperVerb,
    HomeFile, Inputs, JobCredential, Origin, Outcome, Resolution, Runner, Source, StdoutClass, Trace,
    Verdict,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::helper_program::HELPER_NAME;
use super::settings::read;
use crate::error::CommandError;
use crate::outside::Outside;
use crate::terminal::Screen;

/// Config files are a few kilobytes; the runner has no limit.
pub(crate) const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// What the runner decides from: its variable, its home, and where it finds helpers.
#[derive(Clone)]
pub(crate) struct RunnerSources {
    runner: Runner,
    docker_auth_config: Option<SecretString>,
    home_files: Vec<HomeFile>,
    job_credentials: Vec<JobCredential>,
    helpers: Caller,
    /// Whether kubelets pull for the runner.
    is_of_pods: bool,
    /// A folder with a helper of ours, for a machine where ecru is tried before it is installed.
    stand_in: Option<PathBuf>,
}

impl RunnerSources {
    /// The sources of a runner with the home directory `home` and the environment `outside`.
    pub(crate) fn new(
        docker_auth_config: Option<SecretString>,
        home: Option<&Path>,
        outside: &Outside,
    ) -> Self {
        let home_files =
            home.map(|home| HOME_FILES.map(|file| home_file(&home.join(file))).into()).unwrap_or_default();
        let helpers = Caller {
            path: outside.search_path().to_owned(),
            environment: outside.variables(),
            deadline: HELPER_DEADLINE,
        };
        Self {
            runner: Runner::default(),
            docker_auth_config,
            home_files,
            job_credentials: Vec::new(),
            helpers,
            is_of_pods: false,
            stand_in: None,
        }
    }

    /// The same for this runner, as its executor uses them, with what GitLab sends with the job.
    pub(crate) fn of_runner(
        mut self,
        runner: Runner,
        config: &RunnerConfig,
        job_credentials: &[JobCredential],
    ) -> Self {
        self.runner = runner;
        self.is_of_pods = config.puller() == Puller::Kubelet;
        self.job_credentials = job_credentials.to_vec();
        self
    }

    /// The same; where PATH has no `docker-credential-ecr-login`, the one in `folder` stands in for it.
    pub(crate) fn with_stand_in(mut self, folder: &Path) -> std::io::Result<Self> {
        std::os::unix::fs::symlink(std::env::current_exe()?, folder.join(HELPER_NAME))?;
        self.stand_in = Some(folder.to_owned());
        Ok(self)
    }

    /// Which credentials the runner uses for `image`, and what its helpers said on standard error meanwhile.
    pub(crate) fn resolve(&self, image: &str) -> Resolved {
        let mut helpers = Processes { sources: self, remarks: Vec::new(), stood_in: false };
        let resolution = registry_auth::resolve_as(&self.runner, image, &self.inputs(), &mut helpers);
        Resolved { resolution, remarks: helpers.remarks, stood_in: helpers.stood_in }
    }

    /// The same for several images. Each question is put to a helper once, where the runner would put it once for
    /// every image; what helpers say beside their answers stands with every image.
    pub(crate) fn resolve_all(&self, images: &[String]) -> Vec<Resolved> {
        let processes = Processes { sources: self, remarks: Vec::new(), stood_in: false };
        let mut helpers = Remembering { processes, answers: HashMap::new() };
        let (runner, inputs) = (&self.runner, self.inputs());
        let resolve = |image: &String| match self.is_of_pods {
            true => kubelet::resolve_as(runner, image, &inputs, &mut helpers).resolution,
            false => registry_auth::resolve_as(runner, image, &inputs, &mut helpers),
        };
        let resolutions: Vec<Resolution> = images.iter().map(resolve).collect();
        let Processes { mut remarks, stood_in, .. } = helpers.processes;
        if self.is_of_pods {
            remarks.extend(remarks_of_pods(&self.runner));
        }
        let resolved = |resolution| Resolved { resolution, remarks: remarks.clone(), stood_in };
        resolutions.into_iter().map(resolved).collect()
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            docker_auth_config: self.docker_auth_config.as_ref(),
            home_files: &self.home_files,
            job_credentials: &self.job_credentials,
        }
    }
}

/// What a pod may have besides, or does not get.
fn remarks_of_pods(runner: &Runner) -> Vec<Obstacle> {
    let withheld = runner
        .withholds_pull_secret
        .then_some("`use_service_account_image_pull_secrets` keeps the runner's credentials from its pods");
    let unseen = "the runner's `image_pull_secrets` and the node's own credential provider are not seen here";
    withheld.into_iter().chain([unseen]).map(|cause| Obstacle::Cause(cause.to_owned())).collect()
}

/// A decision, and what helpers said beside their answers.
pub(crate) struct Resolved {
    pub(crate) resolution: Resolution,
    pub(crate) remarks: Vec<Obstacle>,
    /// Whether our own helper answered because PATH has none.
    pub(crate) stood_in: bool,
}

impl Resolved {
    /// What kept credentials from being found: the runner's warnings, what it hides, what helpers said, and what to
    /// do about it. Nothing where credentials were found.
    pub(crate) fn obstacles(&self) -> Vec<Obstacle> {
        if self.resolution.credential().is_some() {
            return Vec::new();
        }
        let trace = &self.resolution.trace;
        let causes = trace.warnings.iter().chain(&trace.swallowed).cloned().map(Obstacle::Cause);
        let failed = trace.helper_calls.iter().filter(|call| has_failed(call)).map(|call| {
            let (program, verb) = (format!("{PROGRAM_PREFIX}{}", call.suffix), call.verb.as_str());
            Obstacle::Hint(format!("run `{program} {verb}` as the runner's user, and see what it says"))
        });
        causes.chain(self.remarks.iter().cloned()).chain(failed).collect()
    }
}

/// Something that kept credentials from being found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// What happened.
    Cause(String),
    /// What to do about it.
    Hint(String),
}

impl Obstacle {
    /// `error` with this told as its cause or its hint.
    pub(crate) fn told_with(error: CommandError, obstacle: Self) -> CommandError {
        match obstacle {
            Self::Cause(cause) => error.because(cause),
            Self::Hint(hint) => error.hint(hint),
        }
    }
}

/// A helper that ended badly and did not say that it has nothing.
fn has_failed(call: &HelperCall) -> bool {
    let ended_well = call.exit == HelperExit::Code(0);
    let never_started = call.exit == HelperExit::NotStarted;
    !ended_well && !never_started && call.stdout != StdoutClass::NotFound
}

/// The home directory of a runner's process: the one given, else HOME, else that of the account, as Docker's code takes
/// it (moby, `pkg/homedir`).
pub(crate) fn home_of_runner(given: Option<&Path>, outside: &Outside) -> Option<PathBuf> {
    let of_account = || ecru_doctor::service::home_of(Path::new("/"), rustix::process::getuid().as_raw());
    given.map(Path::to_owned).or_else(|| outside.home()).or_else(of_account)
}

/// What is to be known of helpers that a job's variable names: newer versions may treat it in another way.
pub(crate) fn note_of_allow_list(trace: &Trace) -> Option<String> {
    let runs_helpers = trace.entries.iter().any(|entry| {
        entry.source == Source::DockerAuthConfig
            && entry.origin != Origin::Static
            && entry.verdict != Verdict::NotPermitted
    });
    runs_helpers.then(|| {
        "GitLab Runner 19.4, 19.3.2, 19.2.4 and 19.1.3 run helpers that a job's DOCKER_AUTH_CONFIG names only where a \
         setting allows it: see with --runner-version 19.4"
            .to_owned()
    })
}

/// A file of the home directory, with what reading it gave.
pub(crate) fn home_file(path: &Path) -> HomeFile {
    use std::io::ErrorKind;
    let content = match read(path, MAX_CONFIG_BYTES) {
        Ok(bytes) => FileContent::Text(String::from_utf8_lossy(&bytes).into_owned().into()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => FileContent::NotFound,
            ErrorKind::IsADirectory | ErrorKind::Other => FileContent::ReadFailed(error.to_string()),
            _ => FileContent::OpenFailed(error.to_string()),
        },
    };
    HomeFile { path: path.display().to_string(), content }
}

/// Runs helpers as the runner does, and keeps what they say on standard error, which the runner sends to its own log.
struct Processes<'a> {
    sources: &'a RunnerSources,
    remarks: Vec<Obstacle>,
    stood_in: bool,
}

/// Runs helpers once for each question.
struct Remembering<'a> {
    processes: Processes<'a>,
    answers: HashMap<(String, &'static str, String), HelperAnswer>,
}

impl CredentialHelpers for Remembering<'_> {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let question = (suffix.to_owned(), verb.as_str(), stdin.to_owned());
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        let answer = self.processes.run(suffix, verb, stdin);
        self.answers.insert(question, answer.clone());
        answer
    }
}

impl Processes<'_> {
    fn invoke(&mut self, suffix: &str, verb: Verb, request: &str) -> Result<Completed, InvokeError> {
        let caller = &self.sources.helpers;
        match (caller.invoke(suffix, verb, request), &self.sources.stand_in) {
            (Err(InvokeError::NotOnPath { program, .. }), Some(folder)) if program == HELPER_NAME => {
                self.stood_in = true;
                Caller { path: folder.into(), ..caller.clone() }.invoke(suffix, verb, request)
            }
            (answer, _) => answer,
        }
    }
}

impl CredentialHelpers for Processes<'_> {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let verb = match verb {
            HelperVerb::Get => Verb::Get,
            HelperVerb::List => Verb::List,
        };
        let invoked = self.invoke(suffix, verb, stdin);
        match &invoked {
            Ok(completed) => {
                self.remarks.extend(completed.stderr.lines().map(|line| remark(suffix, line)));
            }
            Err(error) => self.remarks.extend(error.hint().map(Obstacle::Hint)),
        }
        answer_of(invoked)
    }
}

/// A line of a helper's standard error. Ours writes its hints as lines of their own.
fn remark(suffix: &str, line: &str) -> Obstacle {
    match line.split_once("hint: ") {
        Some((_, hint)) => Obstacle::Hint(hint.to_owned()),
        None if line.starts_with(PROGRAM_PREFIX) => Obstacle::Cause(line.to_owned()),
        None => Obstacle::Cause(format!("{PROGRAM_PREFIX}{suffix}: {line}")),
    }
}

/// Looks credentials up for the executor and tells the screen what the runner would tell its job log.
pub(crate) struct RunnerCredentials {
    sources: RunnerSources,
    screen: Arc<Screen>,
    obstacles: Mutex<BTreeMap<String, Vec<Obstacle>>>,
    told_of_stand_in: AtomicBool,
}

impl RunnerCredentials {
    pub(crate) fn new(sources: RunnerSources, screen: Arc<Screen>) -> Self {
        Self { sources, screen, obstacles: Mutex::default(), told_of_stand_in: AtomicBool::new(false) }
    }

    /// What may have kept credentials for `image` from being found.
    pub(crate) fn obstacles(&self, image: &str) -> Vec<Obstacle> {
        let obstacles = self.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        obstacles.get(image).cloned().unwrap_or_default()
    }

    fn remember(&self, image: &str, resolved: &Resolved) {
        let mut obstacles = self.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        obstacles.insert(image.to_owned(), resolved.obstacles());
    }
}

impl CredentialLookup for RunnerCredentials {
    fn credential_for<'a>(&'a self, image: &'a str) -> LookupFuture<'a> {
        Box::pin(async move {
            let (sources, name) = (self.sources.clone(), image.to_owned());
            let resolved = tokio::task::spawn_blocking(move || sources.resolve(&name)).await?;
            self.remember(image, &resolved);
            if resolved.stood_in && !self.told_of_stand_in.swap(true, Ordering::Relaxed) {
                self.screen.line(&format!(
                    "note: {HELPER_NAME} is not on PATH, so ecru stands in for it; a real runner would go without it"
                ));
            }
            for warning in &resolved.resolution.trace.warnings {
                self.screen.line(&format!("WARNING: {warning}"));
            }
            if let Some(line) = resolved.resolution.job_log_line() {
                self.screen.line(&line);
            }
            match resolved.resolution.outcome {
                Outcome::Anonymous => Ok(None),
                Outcome::Aborted(error) => Err(error.into()),
                Outcome::Credential(credential) => Ok(Some(registry_credential(&credential))),
            }
        })
    }
}

/// The credential in the words of the engine; an identity token travels under the user name `<token>`.
fn registry_credential(credential: &registry_auth::ResolvedCredential) -> RegistryCredential {
    let identity_token = &credential.identity_token;
    let (username, password) = if identity_token.expose_secret().is_empty() {
        (credential.username.clone(), credential.password.clone())
    } else {
        ("<token>".to_owned(), identity_token.clone())
    };
    RegistryCredential { username, password, server_address: credential.server_address.clone() }
}
