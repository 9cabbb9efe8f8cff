//! What is to be explained, gathered from arguments, files and the environment.

use std::path::PathBuf;

use ecru_gitlab::config_toml::{Puller, RunnerConfig};
use ecru_gitlab::registry_auth::{HOME_FILES, HomeFile, JobCredential, Runner};
use ecru_gitlab::variables::{self, DOCKER_AUTH_CONFIG};
use secrecy::SecretString;

use crate::args::{ExplainArgs, PullContext};
use crate::error::CommandError;
use crate::exit_code;
use crate::job::credentials::{home_file, home_of_runner};
use crate::job::given::{job_credentials, runner_of};
use crate::job::runner_config;
use crate::job::settings::value_of;
use crate::outside::Outside;

/// The first docker command that reads DOCKER_AUTH_CONFIG.
const DOCKER_READS_VARIABLE: (u16, u16) = (28, 3);

/// All that a decision is made from.
pub(super) struct Given {
    pub(super) context: PullContext,
    /// The runner's executor, if it pulls no image and nobody asks what another one would do.
    pub(super) executor_without_images: Option<String>,
    pub(super) runner: Runner,
    pub(super) docker_is_before_28_3: bool,
    pub(super) docker_auth_config: Option<SecretString>,
    /// The files of the home directory; for a job the one `config.json` of docker.
    pub(super) home_files: Vec<HomeFile>,
    pub(super) job_credentials: Vec<JobCredential>,
    pub(super) runs_helpers: bool,
    /// What a person should know about where all this comes from.
    pub(super) notes: Vec<String>,
}

impl Given {
    pub(super) fn collect(args: &ExplainArgs, outside: &Outside) -> Result<Self, CommandError> {
        let mut notes = Vec::new();
        let (config, warnings) = runner_config(args.config.as_deref(), args.runner.as_deref())?;
        notes.extend(warnings);
        let context = args.context.unwrap_or_else(|| context_of(&config));
        notes.extend(notes_of_executor(args, context, &config));
        let docker_auth_config = docker_auth_config(args, context, &config, outside, &mut notes)?;
        let home = home_of_runner(args.home.as_deref(), outside);
        match &home {
            None => notes.push("HOME is not set: name the home directory with --home".to_owned()),
            Some(home) if args.home.is_none() && outside.home().is_none() => {
                notes.push(format!("HOME is not set: {} is the account's home directory", home.display()));
            }
            Some(_) => {}
        }
        if context != PullContext::Job && outside.variable("DOCKER_CONFIG").is_some() {
            notes.push("DOCKER_CONFIG is set here, and GitLab Runner does not read it".to_owned());
        }
        Ok(Self {
            context,
            executor_without_images: executor_without_images(args, &config),
            runner: runner_of(
                args.decision.runner_version.as_deref(),
                args.decision.helpers_allowed,
                &config,
            )?,
            docker_is_before_28_3: docker_is_before_28_3(args)?,
            docker_auth_config,
            home_files: home_files(args, context, home, outside),
            job_credentials: match &args.decision.job_credentials {
                Some(path) => job_credentials(path)?,
                None => Vec::new(),
            },
            runs_helpers: !args.no_exec,
            notes,
        })
    }
}

fn context_of(config: &RunnerConfig) -> PullContext {
    match config.puller() {
        Puller::Kubelet => PullContext::Kubernetes,
        Puller::DockerEngine | Puller::Nobody => PullContext::Runner,
    }
}

fn executor_without_images(args: &ExplainArgs, config: &RunnerConfig) -> Option<String> {
    let pulls_nothing = args.context.is_none() && config.puller() == Puller::Nobody;
    pulls_nothing.then(|| config.executor.clone())
}

/// What the configuration says, or would say, about who pulls.
fn notes_of_executor(args: &ExplainArgs, context: PullContext, config: &RunnerConfig) -> Vec<String> {
    let mut notes = Vec::new();
    let is_another = config.puller() == Puller::Nobody || context != context_of(config);
    if args.context.is_some() && context != PullContext::Job && !config.executor.is_empty() && is_another {
        notes
            .push(format!("this runner's executor is `{}`, and --context asks for another", config.executor));
    }
    if context == PullContext::Kubernetes {
        let setting = "use_service_account_image_pull_secrets";
        if config.kubernetes.use_service_account_image_pull_secrets {
            notes.push(format!("`{setting}` is on: the pod does not get the Secret, though helpers run"));
        } else if args.config.is_none() {
            notes.push(format!(
                "with `{setting}` in config.toml the pod does not get the Secret: name it with --config"
            ));
        }
    }
    notes
}

fn docker_is_before_28_3(args: &ExplainArgs) -> Result<bool, CommandError> {
    let Some(text) = &args.docker_version else { return Ok(false) };
    let mut numbers = text.trim_start_matches('v').split('.').map(|number| number.parse::<u16>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => Ok((major, minor) < DOCKER_READS_VARIABLE),
        _ => Err(CommandError::new(
            exit_code::BAD_CONFIGURATION,
            format!("`{text}` is not a version of docker"),
        )
        .hint("write it as `docker --version` does, for instance 28.3.0")),
    }
}

/// The variable's value: the one given; else the one of the runner's configuration; for a job else its own environment's.
fn docker_auth_config(
    args: &ExplainArgs,
    context: PullContext,
    config: &RunnerConfig,
    outside: &Outside,
    notes: &mut Vec<String>,
) -> Result<Option<SecretString>, CommandError> {
    let expanded = variables::expand_all(&config.environment)
        .map_err(|error| CommandError::from_error(exit_code::BAD_CONFIGURATION, &error))?;
    let of_config = variables::last_value(&expanded, DOCKER_AUTH_CONFIG).map(SecretString::from);
    let of_environment = outside.variable(DOCKER_AUTH_CONFIG);
    if let Some(argument) = &args.docker_auth_config {
        if of_config.is_some() {
            notes.push("the job's DOCKER_AUTH_CONFIG replaces the one of config.toml, whole".to_owned());
        }
        return value_of(argument).map(Some);
    }
    if of_config.is_some() {
        notes.push("DOCKER_AUTH_CONFIG is the one in the `environment` of config.toml".to_owned());
    }
    match (context, of_environment) {
        (PullContext::Job, Some(value)) if of_config.is_none() => {
            Ok(Some(value.to_string_lossy().into_owned().into()))
        }
        (PullContext::Job, _) | (_, None) => Ok(of_config),
        (_, Some(_)) => {
            notes.push(
                "DOCKER_AUTH_CONFIG is set in this environment, and GitLab Runner does not read it there: only as a \
                 job's variable or from config.toml"
                    .to_owned(),
            );
            Ok(of_config)
        }
    }
}

fn home_files(
    args: &ExplainArgs,
    context: PullContext,
    home: Option<PathBuf>,
    outside: &Outside,
) -> Vec<HomeFile> {
    let docker_config = outside.variable("DOCKER_CONFIG").map(PathBuf::from);
    match (context, home, docker_config) {
        (PullContext::Job, _, Some(folder)) if args.home.is_none() => {
            vec![home_file(&folder.join("config.json"))]
        }
        (PullContext::Job, Some(home), _) => vec![home_file(&home.join(HOME_FILES[0]))],
        (_, Some(home), _) => HOME_FILES.map(|file| home_file(&home.join(file))).into(),
        (_, None, _) => Vec::new(),
    }
}
