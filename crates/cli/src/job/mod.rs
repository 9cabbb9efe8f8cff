//! From the files of a project and a runner to a job that the executor can run, and its run.

pub(crate) mod credentials;
mod docker_access;
mod failure;
pub(crate) mod given;
pub(crate) mod helper_program;
pub(crate) mod observer;
mod project_files;
pub(crate) mod settings;
pub(crate) mod sources;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ecru_ecr::config::{Config, Source};
use ecru_executor::{Engine, JobSpec, Observer, run_job};
use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::config_toml::{ConfigToml, RunnerConfig};
use ecru_gitlab::plan::{JobPlan, PlanError, PlanRequest, plan};
use ecru_gitlab::variables::Variable;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::credentials::{RunnerCredentials, RunnerSources};
use self::project_files::FolderFiles;
use self::settings::text_of;
use self::sources::{Project, project_in};
use crate::args::DockerAccess;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::Screen;

/// What is to be run, and as which runner.
pub(crate) struct JobRequest<'a> {
    pub(crate) job: &'a str,
    pub(crate) pipeline: &'a Path,
    pub(crate) config: Option<&'a Path>,
    pub(crate) runner: Option<&'a str>,
    /// The home directory of the runner's process.
    pub(crate) home: Option<PathBuf>,
    /// CI/CD variables as GitLab's settings would give them.
    pub(crate) project_variables: Vec<(String, String)>,
    pub(crate) docker: DockerAccess,
    pub(crate) timeout: Duration,
}

/// A job whose files have been read and found good.
pub(crate) struct PlannedJob {
    plan: JobPlan,
    runner: RunnerConfig,
    project: Project,
    sources: RunnerSources,
    ecru_config: Config,
    docker: DockerAccess,
    timeout: Duration,
    remarks: Vec<String>,
}

impl PlannedJob {
    /// Reads everything that `request` names; touches neither the engine nor the network.
    pub(crate) fn new(request: &JobRequest<'_>, outside: &Outside) -> Result<Self, CommandError> {
        let (runner, mut remarks) = runner_config(request.config, request.runner)?;
        let project = project_in(Some(folder_of(request.pipeline)));
        let variables: Vec<Variable> = request
            .project_variables
            .iter()
            .map(|(key, value)| Variable::new(key, value).private())
            .collect();
        let pipeline =
            project_pipeline(request.pipeline, None, &variables, "name the pipeline's file with --file")?;
        let plan = plan(&PlanRequest {
            pipeline: &pipeline,
            job: request.job,
            runner: Some(&runner),
            predefined: &settings::predefined(&project, &runner),
            extra_variables: &variables,
        })
        .map_err(|error| plan_failure(&error))?;
        remarks.extend(plan.warnings.iter().map(|warning| format!("WARNING: {warning}")));
        remarks.extend(settings::not_applied(&runner));
        remarks.extend(project.remark());
        // What is given as a job's ID token is in this process' environment, and in no runner's.
        let runner_outside = outside.clone().without(&plan.id_tokens);
        let sources =
            RunnerSources::new(plan.docker_auth_config.clone(), request.home.as_deref(), &runner_outside);
        Ok(Self {
            plan,
            runner,
            project,
            sources,
            ecru_config: ecru_config(outside)?,
            docker: request.docker,
            timeout: request.timeout,
            remarks,
        })
    }

    /// What a person should know before the job runs.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The engine's address, if the runner's configuration names one.
    pub(crate) fn engine_address(&self) -> Option<&str> {
        self.runner.docker.host.as_deref()
    }

    /// Runs the job on `engine`; returns its script's exit code. What was made is removed by then.
    pub(crate) async fn run(
        &self,
        engine: &Engine,
        screen: &Arc<Screen>,
        observer: &mut dyn Observer,
        cancelled: &CancellationToken,
    ) -> Result<i32, CommandError> {
        let folder = TempDir::with_prefix("ecru-job-").map_err(|error| engine_failure(&error))?;
        let spec = self.spec(engine, folder.path())?;
        let sources =
            self.sources.clone().with_stand_in(folder.path()).map_err(|error| engine_failure(&error))?;
        let credentials = RunnerCredentials::new(sources, screen.clone());
        let result = run_job(engine, &spec, &credentials, observer, cancelled).await;
        result.map(|result| result.exit_code).map_err(|error| failure::run_failure(&error, &credentials))
    }

    fn spec(&self, engine: &Engine, folder: &Path) -> Result<JobSpec, CommandError> {
        let mounts = settings::mounts(&self.runner);
        let mut spec = spec::job_spec(&self.plan, &mounts, &self.runner.docker, self.timeout);
        spec.sources = self.project.archive.clone().ok();
        if self.docker == DockerAccess::Socket {
            let access = docker_access::docker_access(&engine.describe().address, &self.ecru_config, folder)
                .map_err(|error| {
                    CommandError::from_error(exit_code::ENGINE_FAILED, &error).maybe_hint(error.hint())
                })?;
            spec.mounts.extend(access.mounts);
            spec.env.extend(access.variables);
        }
        Ok(spec)
    }
}

/// The pipeline in `file` with what it includes from `project`, which is the file's folder if not given.
pub(crate) fn project_pipeline(
    file: &Path,
    project: Option<&Path>,
    variables: &[Variable],
    if_missing: &str,
) -> Result<Pipeline, CommandError> {
    let mut files = FolderFiles::new(project.unwrap_or_else(|| folder_of(file)));
    let shown = file.display().to_string();
    Pipeline::with_includes(&shown, &text_of(file, Some(if_missing))?, &mut files, variables).map_err(
        |error| CommandError::new(exit_code::BAD_CONFIGURATION, error.to_string()).maybe_hint(error.hint()),
    )
}

pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The chosen `[[runners]]`, or one without settings; with what is probably a mistake in it.
pub(crate) fn runner_config(
    path: Option<&Path>,
    name: Option<&str>,
) -> Result<(RunnerConfig, Vec<String>), CommandError> {
    let Some(path) = path else { return Ok((RunnerConfig::default(), Vec::new())) };
    let config =
        ConfigToml::parse(&text_of(path, None)?).map_err(|error| file_failure(path, &error, error.hint()))?;
    let runner = config.runner(name).map_err(|error| file_failure(path, &error, error.hint()))?;
    let warnings =
        config.warnings.iter().map(|warning| format!("WARNING: {}: {warning}", path.display())).collect();
    Ok((runner.clone(), warnings))
}

/// ecru's own configuration, as the helper reads it.
pub(crate) fn ecru_config(outside: &Outside) -> Result<Config, CommandError> {
    let sources = Source::all(Path::new(ecru_ecr::config::SYSTEM_FILE), &outside.environment());
    Config::load(&sources).map_err(|error| {
        CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
    })
}

pub(crate) fn file_failure(path: &Path, error: &dyn std::fmt::Display, hint: Option<String>) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, format!("{}: {error}", path.display())).maybe_hint(hint)
}

fn plan_failure(error: &PlanError) -> CommandError {
    let exit_code = match error {
        PlanError::Job(ecru_gitlab::ci::JobError::Unknown { .. }) | PlanError::NoImage { .. } => {
            exit_code::NO_SUCH_JOB
        }
        _ => exit_code::BAD_CONFIGURATION,
    };
    CommandError::from_error(exit_code, error).maybe_hint(error.hint())
}

fn engine_failure(error: &(dyn std::error::Error + 'static)) -> CommandError {
    CommandError::from_error(exit_code::ENGINE_FAILED, error)
}

/// `KEY=VALUE`, or `KEY` alone for a value of this process' environment, which keeps a secret out of the process list.
pub(crate) fn project_variable(text: &str, outside: &Outside) -> Result<(String, String), CommandError> {
    let refused = |why: &str| {
        CommandError::new(exit_code::BAD_CONFIGURATION, why)
            .hint("--variable KEY=VALUE, or --variable KEY after `export KEY`")
    };
    match text.split_once('=') {
        Some(("", _)) => Err(refused("a `--variable` has no name before its `=`")),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => {
            let value =
                outside.text(text).ok_or_else(|| refused(&format!("variable `{text}` is not set")))?;
            Ok((text.to_owned(), value.to_owned()))
        }
    }
}
