//! `ecru run JOB`: one job on this machine's engine.

use std::sync::Arc;
use std::time::Duration;

use ecru_executor::Engine;
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::observer::JobOnScreen;
use crate::job::{JobRequest, PlannedJob};
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
        home: args.home.clone().or_else(|| outside.home()),
        project_variables: args
            .variables
            .iter()
            .map(|text| variable(text, outside))
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

/// `KEY=VALUE`, or `KEY` alone for a value of this process' environment, which keeps a secret out of the process list.
fn variable(text: &str, outside: &Outside) -> Result<(String, String), CommandError> {
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
