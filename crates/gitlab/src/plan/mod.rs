//! A job made ready to run: everything inherited, expanded and put into the order of the runner.

pub(crate) mod images;

use ecru_docker::reference::ReferenceError;
use indexmap::IndexMap;
use secrecy::SecretString;

use crate::ci::{CiWarning, ID_TOKENS, Image, Job, JobError, Pipeline};
use crate::config_toml::RunnerConfig;
use crate::position::FileNumber;
use crate::predefined::{JobFacts, Predefined};
use crate::pull_policy::{ForbiddenPullPolicies, PullPolicy};
use crate::script;
use crate::variables::{self, DOCKER_AUTH_CONFIG, ExpansionError, Variable};
use images::Scope;

/// The most services that a job may have, those of the runner's settings included.
pub const MAX_SERVICES: usize = 100;

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The name of the job.
    pub job: &'a str,
    /// The runner's settings, if there are any.
    pub runner: Option<&'a RunnerConfig>,
    /// What GitLab would say about the project and the run.
    pub predefined: &'a Predefined,
    /// Variables above all others, as pipeline variables are.
    pub extra_variables: &'a [Variable],
}

/// A job that is ready to run.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// Its name.
    pub job: String,
    /// Its stage.
    pub stage: String,
    /// Its image.
    pub image: PlannedImage,
    /// Its services in the order in which they start, those of the runner's settings first.
    pub services: Vec<PlannedService>,
    /// The environment of its container, each name once.
    pub variables: Vec<Variable>,
    /// The names of the variables in which GitLab gives it ID tokens. Their values, if somebody gives them, are the job's
    /// alone: the runner's own process has none.
    pub id_tokens: Vec<String>,
    /// The folder of the project in its container.
    pub project_dir: String,
    /// What its shell reads; see [`script::shell_command`].
    pub script: String,
    /// What a second shell reads afterwards, whatever became of the first.
    pub after_script: Option<String>,
    /// The value of DOCKER_AUTH_CONFIG, by which the runner pulls.
    pub docker_auth_config: Option<SecretString>,
    /// What a person should know before it runs.
    pub warnings: Vec<String>,
}

/// An image to pull and start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedImage {
    /// The reference, variables expanded.
    pub name: String,
    /// What is started in place of the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// When it is pulled; tried in this order, never empty.
    pub pull_policies: Vec<PullPolicy>,
    /// The platform to pull, if it is not the engine's own.
    pub platform: Option<String>,
    /// The user to run as, if it is not the image's own.
    pub user: Option<String>,
}

/// A service to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedService {
    /// Its image.
    pub image: PlannedImage,
    /// The names under which the job reaches it; at least one.
    pub aliases: Vec<String>,
    /// The arguments in place of the image's command.
    pub command: Option<Vec<String>>,
    /// The environment of its container, each name once.
    pub variables: Vec<Variable>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The job cannot be had.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Neither the job nor the runner names an image.
    #[error("job `{job}` names no image")]
    NoImage {
        /// The job.
        job: String,
    },
    /// Nothing is left of an image's name after its variables were replaced.
    #[error("nothing is left of image `{image}` after its variables were replaced")]
    EmptyImage {
        /// The image as written.
        image: String,
    },
    /// There are more than [`MAX_SERVICES`].
    #[error("job `{job}` has {count} services, more than {MAX_SERVICES}")]
    TooManyServices {
        /// The job.
        job: String,
        /// How many there are.
        count: usize,
    },
    /// The image of a service cannot be read.
    #[error("invalid service image name `{image}`")]
    ServiceName {
        /// The image, variables expanded.
        image: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// The runner's settings allow none of the pull policies that an image asks for.
    #[error(transparent)]
    PullPolicy(#[from] ForbiddenPullPolicies),
    /// Variables cannot be expanded.
    #[error(transparent)]
    Expansion(#[from] ExpansionError),
}

impl PlanError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Job(error) => error.hint(),
            Self::NoImage { job } => {
                Some(format!("add `image:` to `{job}` or to `default:`, or `image` to `[runners.docker]`"))
            }
            Self::EmptyImage { .. } => Some("define the variables that it uses".into()),
            Self::ServiceName { source, .. } => source.hint(),
            Self::PullPolicy(error) => Some(error.hint()),
            Self::Expansion(_) | Self::TooManyServices { .. } => None,
        }
    }
}

/// Makes a plan.
pub fn plan(request: &PlanRequest<'_>) -> Result<JobPlan, PlanError> {
    let job = request.pipeline.job(request.job)?;
    if let Some(position) = job.steps {
        return Err(JobError::NoShell { name: job.name, keyword: "run", position }.into());
    }
    let runner = request.runner.cloned().unwrap_or_default();
    let image = job_image(&job, &runner)?;
    let variables = job_variables(request, &job, &image.name, &runner)?;
    let scope = Scope::new(&variables, request.runner);
    let of_pipeline = request.pipeline.warnings().iter();
    let of_job =
        job.warnings.iter().filter(|warning| !(warning.is_about(ID_TOKENS) && has_tokens(request, &job)));
    let mut warnings: Vec<String> =
        of_pipeline.chain(of_job).map(|warning| placed(request.pipeline, warning)).collect();

    let services = scope.services(&job, &runner, &mut warnings)?;
    let project_dir = request.predefined.project_dir.clone();
    let commands = job.before_script.iter().chain(&job.script).map(String::as_str);
    let after_script = (!job.after_script.is_empty())
        .then(|| script::after_script(&project_dir, job.after_script.iter().map(String::as_str)));
    Ok(JobPlan {
        image: scope.image(&image)?,
        services,
        script: script::job_script(&project_dir, runner.pre_build_script.as_deref(), commands),
        after_script,
        docker_auth_config: variables::last_value(&variables, DOCKER_AUTH_CONFIG).map(Into::into),
        variables: each_name_once(variables.iter().cloned()),
        id_tokens: job.id_tokens,
        project_dir,
        warnings,
        job: job.name,
        stage: job.stage,
    })
}

/// Whether somebody gave what GitLab would give as the job's ID tokens.
fn has_tokens(request: &PlanRequest<'_>, job: &Job) -> bool {
    let is_given = |name: &String| request.extra_variables.iter().any(|variable| variable.key == *name);
    job.id_tokens.iter().all(is_given)
}

/// A warning with the file that it is about, if that is not the first.
fn placed(pipeline: &Pipeline, warning: &CiWarning) -> String {
    let file = pipeline.file_of(warning.position).filter(|_| warning.position.file != FileNumber::default());
    file.map_or_else(|| warning.to_string(), |file| format!("{file}: {warning}"))
}

fn job_image(job: &Job, runner: &RunnerConfig) -> Result<Image, PlanError> {
    let of_runner = || runner.default_image().map(images::named_image);
    let image = job.image.clone().or_else(of_runner);
    image.ok_or_else(|| PlanError::NoImage { job: job.name.clone() })
}

/// From the lowest level to the highest; those of GitLab are expanded among each other before the runner sees them.
fn job_variables(
    request: &PlanRequest<'_>,
    job: &Job,
    image: &str,
    runner: &RunnerConfig,
) -> Result<Vec<Variable>, ExpansionError> {
    let facts = JobFacts { name: &job.name, stage: &job.stage, image };
    let mut of_gitlab = request.predefined.variables(facts);
    of_gitlab.extend(job.variables.iter().chain(request.extra_variables).cloned());
    let mut variables = runner.environment.clone();
    variables.extend(variables::expand_between(&of_gitlab)?);
    variables::expand_all(&variables)
}

fn each_name_once(variables: impl IntoIterator<Item = Variable>) -> Vec<Variable> {
    let by_key: IndexMap<String, Variable> =
        variables.into_iter().map(|variable| (variable.key.clone(), variable)).collect();
    by_key.into_values().collect()
}
