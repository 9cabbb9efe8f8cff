//! Running one job: the order of its steps.

mod belongings;
mod containers;
mod error;
mod image_choice;
mod readiness;
mod services;
mod sources;
mod spec_check;
mod stage;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::credential::CredentialLookup;
use crate::engine::Engine;
use crate::job::JobSpec;
use crate::observer::{AfterScriptOutcome, Event, Observer, Stage};
use belongings::Belongings;
pub use belongings::RUN_LABEL;
use containers::{Container, Surroundings};
pub use error::{ContainerRole, RunError};
use image_choice::ImageChoice;
use stage::StageEnd;

/// How a job ended that could be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobResult {
    /// The exit code of the script: 0 for success, 128 and the signal's number if it was killed.
    pub exit_code: i32,
}

/// Runs one job with its services, and removes everything that it made.
///
/// `observer` receives the script's output and all else that happens. `cancel` ends the run at any time; what the run
/// made is then removed before this returns, within [`crate::Limits::cleanup`]. A cancelled or timed-out job runs no
/// after-script.
///
/// # Errors
///
/// A [`RunError`] if the script could not be run to its end. A script that ends with another exit code than 0 is no
/// error, and neither is anything that happens to the after-script.
pub async fn run_job(
    engine: &Engine,
    spec: &JobSpec,
    credentials: &dyn CredentialLookup,
    observer: &mut dyn Observer,
    cancel: &CancellationToken,
) -> Result<JobResult, RunError> {
    spec_check::check(spec)?;
    let belongings = Belongings::new(engine.clone(), spec.limits.cleanup)?;
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(RunError::Cancelled),
        outcome = run_stages(engine, spec, credentials, &belongings, observer) => outcome,
    };
    for left in belongings.remove_all().await {
        observer.event(Event::NotRemoved { kind: left.kind, name: &left.name, reason: &left.reason });
    }
    outcome
}

async fn run_stages(
    engine: &Engine,
    spec: &JobSpec,
    credentials: &dyn CredentialLookup,
    belongings: &Belongings,
    observer: &mut dyn Observer,
) -> Result<JobResult, RunError> {
    let limit = spec.limits.job;
    let (container, exit_code) = tokio::select! {
        biased;
        () = sleep(limit) => return Err(RunError::TimedOut { limit }),
        outcome = run_script(engine, spec, credentials, belongings, observer) => outcome?,
    };
    observer.event(Event::ScriptFinished { exit_code });
    if let Some(after_script) = &spec.after_script {
        run_after_script(engine, spec, &container, after_script, exit_code, observer).await;
    }
    Ok(JobResult { exit_code })
}

/// Brings up the services and the job container, and runs the script, in the order of GitLab Runner v19.3.0
/// (executors/docker: network, services one by one, wait for all, then the job's own image).
async fn run_script(
    engine: &Engine,
    spec: &JobSpec,
    credentials: &dyn CredentialLookup,
    belongings: &Belongings,
    observer: &mut dyn Observer,
) -> Result<(Container, i32), RunError> {
    let surroundings = Surroundings::create(engine, belongings, spec).await?;
    observer.event(Event::NetworkCreated { network: &surroundings.network });
    let mut images = ImageChoice::new(engine, credentials, spec.limits.credential_lookup);
    let services = services::start(engine, spec, &surroundings, belongings, &mut images, observer).await?;
    readiness::wait_for_all(engine, &services, &surroundings, spec.limits.wait_for_services, observer)
        .await?;

    let role = ContainerRole::Job;
    let image = images.obtain(&role, &spec.image, observer).await?;
    let container = Container::create(
        engine,
        belongings,
        "job",
        role,
        &spec.image,
        containers::job_body(spec, &image, &surroundings),
    )
    .await?;
    sources::unpack(engine, &container, &spec.working_dir, spec.sources.clone()).await?;
    let end = stage::run(engine, &container, Stage::Script, spec.script.clone(), observer).await?;
    let exit_code = script_exit_code(spec, &image.platform, end)?;
    Ok((container, exit_code))
}

/// Returns the exit code of a script, unless its output shows that no shell ever ran.
///
/// A program of another platform is found only when the kernel executes it. By then the engine has called the start
/// a success; the container runtime's only words about it are in the script's output.
fn script_exit_code(spec: &JobSpec, platform: &str, end: StageEnd) -> Result<i32, RunError> {
    match end.exec_failure() {
        Some(reason) => Err(RunError::StartFailed {
            container: ContainerRole::Job,
            image: spec.image.name.clone(),
            reason: format!("{reason} (the image is for {platform})"),
        }),
        None => Ok(end.exit_code),
    }
}

/// Runs the after-script as GitLab does: in the same container, started once more, so that files stay but processes
/// and shell variables do not; with its own limit; and with `CI_JOB_STATUS` (GitLab docs, "after_script").
async fn run_after_script(
    engine: &Engine,
    spec: &JobSpec,
    container: &Container,
    after_script: &str,
    exit_code: i32,
    observer: &mut dyn Observer,
) {
    let status = if exit_code == 0 { "success" } else { "failed" };
    let script = format!("export CI_JOB_STATUS={status}\n{after_script}");
    let limit = spec.limits.after_script;
    let stage = stage::run(engine, container, Stage::AfterScript, script, observer);
    let outcome = match timeout(limit, stage).await {
        Ok(Ok(end)) => AfterScriptOutcome::Exited { exit_code: end.exit_code },
        Ok(Err(error)) => AfterScriptOutcome::Failed { reason: error.to_string() },
        Err(_) => AfterScriptOutcome::TimedOut { limit },
    };
    observer.event(Event::AfterScriptFinished { outcome: &outcome });
}
