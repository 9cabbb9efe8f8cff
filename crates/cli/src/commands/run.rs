//! `ecru run JOB`: one job on this machine's engine.

use std::sync::Arc;
use std::time::Duration;

use ecru_executor::Engine;
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::credentials::home_of_runner;
use crate::job::observer::JobOnScreen;
use crate::job::{JobRequest, PlannedJob, project_variable};
use crate::outside::Outside;
use crate::terminal::Screen;

/// Runs the job; returns its script's exit code.
pub(super) async fn run(
    args: &RunArgs,
    outside: &Outside,
    cancelled: &CancellationToken,
) -> Result<u8, CommandError> {
    let screen = Arc::new(Screen::on_stderr(args.plain));
    let request = JobRequest {
        job: &args.job,
        pipeline: &args.file,
        config: args.config.as_deref(),
        runner: args.runner.as_deref(),
        home: home_of_runner(args.home.as_deref(), outside),
        project_variables: args
            .variables
            .iter()
            .map(|text| project_variable(text, outside))
            .collect::<Result<_, _>>()?,
        docker: args.docker,
        timeout: Duration::from_secs(args.timeout),
    };
    // The files first: what is wrong with them can be told without an engine.
    let planned = PlannedJob::new(&request, outside)?;
    for remark in planned.remarks() {
        screen.line(remark);
    }
    let address = planned.engine_address().or(outside.text("DOCKER_HOST"));
    let engine = Engine::connect(address)
        .await
        .map_err(|error| CommandError::from_error(exit_code::NO_ENGINE, &error).maybe_hint(error.hint()))?;
    let mut observer = JobOnScreen::new(screen.clone());
    let exit_code = planned.run(&engine, &screen, &mut observer, cancelled).await?;
    Ok(u8::try_from(exit_code).unwrap_or(u8::MAX))
}
