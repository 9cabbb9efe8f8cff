//! `ecru check`: every image that a pipeline uses, with the runner's credentials, asked of its registry.

mod credentials;
mod distinct;
mod gitlab_registries;
mod left_open;
mod lookups;
mod output;
mod places;
mod platforms;
mod report;

use std::path::Path;

use ecru_gitlab::ci::{Pipeline, PipelineError};
use ecru_gitlab::config_toml::{Puller, RunnerConfig};
use ecru_gitlab::image_uses::{UsesRequest, image_uses};
use ecru_gitlab::variables::{DOCKER_AUTH_CONFIG, Variable};
use tokio_util::sync::CancellationToken;

use secrecy::ExposeSecret as _;

use self::gitlab_registries::GitlabRegistries;
use self::places::Places;
use self::report::Report;
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::settings::{predefined, text_of, value_of};
use crate::job::sources::described_project;
use crate::job::{ecru_config, file_failure, folder_of, project_pipeline, project_variable, runner_config};
use crate::outside::Outside;
use crate::terminal::{Screen, hand_out, printable};

/// Checks, prints the report, and returns 0 if nothing is wrong with what could be checked.
pub(super) async fn run(
    args: &CheckArgs,
    outside: &Outside,
    cancelled: &CancellationToken,
) -> Result<u8, CommandError> {
    let screen = Screen::on_stderr(args.plain);
    let (runner, remarks) = runner_config(args.config.as_deref(), args.runner.as_deref())?;
    let variables = variables(args, outside)?;
    let pipeline = pipeline(args, &variables)?;
    let ecru_config = ecru_config(outside)?;
    let mut report = survey(args, &pipeline, &runner, &variables, &ecru_config);
    // A large pipeline is no burden to what follows.
    drop(pipeline);
    report.notes.extend(remarks);
    let pulls_nothing = runner.puller() == Puller::Nobody;
    if pulls_nothing {
        report.tell_of_no_pull(&runner.executor);
    }
    if !args.offline && !pulls_nothing {
        let work = async {
            credentials::choose(&mut report, args, &runner, outside, &screen).await?;
            let of_gitlab = GitlabRegistries::of(&variables, &runner);
            lookups::look_up(&mut report, args, &runner, &of_gitlab, outside, &screen).await?;
            left_open::leave_open(&mut report.images);
            let platform = args.platform.as_deref();
            platforms::compare(&mut report, platform.is_some(), platform.unwrap_or(platforms::USUAL));
            Ok::<(), CommandError>(())
        };
        tokio::select! {
            result = work => result?,
            () = cancelled.cancelled() => return Ok(exit_code::INTERRUPTED),
        }
    }
    let rendered = output::rendered(&report, args.format, crate::terminal::columns());
    // A line feed in the text would be one more copy of it.
    let text = printable(rendered.trim_end());
    screen.without_bars(|| hand_out(text).and_then(|()| hand_out("\n")))?;
    Ok(if report.has_failures() { exit_code::CHECK_FAILED } else { exit_code::OK })
}

/// What is known of the project's own variables, which are not given to services.
fn variables(args: &CheckArgs, outside: &Outside) -> Result<Vec<Variable>, CommandError> {
    let mut variables = args
        .variables
        .iter()
        .map(|text| project_variable(text, outside).map(|(key, value)| Variable::new(key, value).private()))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(argument) = &args.docker_auth_config {
        variables.push(Variable::new(DOCKER_AUTH_CONFIG, value_of(argument)?.expose_secret()).private());
    }
    Ok(variables)
}

fn pipeline(args: &CheckArgs, variables: &[Variable]) -> Result<Pipeline, CommandError> {
    if let Some(path) = &args.merged {
        return Pipeline::parse(&text_of(path, None)?).map_err(|error| pipeline_failure(path, &error));
    }
    project_pipeline(
        &args.file,
        args.project.as_deref(),
        variables,
        "name the pipeline's file: `ecru check FILE`",
    )
}

fn pipeline_failure(path: &Path, error: &PipelineError) -> CommandError {
    file_failure(path, error, error.hint())
}

fn survey(
    args: &CheckArgs,
    pipeline: &Pipeline,
    runner: &RunnerConfig,
    variables: &[Variable],
    ecru_config: &ecru_ecr::config::Config,
) -> Report {
    let file = args.merged.as_ref().unwrap_or(&args.file);
    let project = described_project(Some(args.project.as_deref().unwrap_or(folder_of(file))));
    let uses = image_uses(&UsesRequest {
        pipeline,
        // Without settings nothing is restricted by them.
        runner: args.config.as_ref().map(|_| runner),
        predefined: &predefined(&project, runner),
        extra_variables: variables,
    });
    distinct::report(pipeline, &Places::of(file, args.project.as_deref()), uses, ecru_config)
}
