//! `ecru setup job`: what every container of a runner's jobs gets.

use std::fmt::Write as _;
use std::path::PathBuf;

use ecru_doctor::emit::DEFAULT_AUDIENCE;
use ecru_doctor::setup_job::{DOCKER_CONFIG_FILE, HELPER_FILE, JobPlan, Request, plan};
use ecru_doctor::setup_runner::PlanError;
use ecru_doctor::surroundings::Target;

use super::applying::{Texts, carry_out, take_back};
use super::runner_config;
use super::text::undo_command;
use crate::args::SetupJobArgs;
use crate::commands::emit::gitlab_ci_text;
use crate::error::CommandError;
use crate::exit_code;
use crate::job::helper_program::{is_static_program, static_helper};
use crate::outside::Outside;
use crate::terminal::hand_out;
use crate::wanted_registries::{registries, role_for_host};

/// As its command is called.
const SET_UP: &str = "job";

pub(super) fn run(args: &SetupJobArgs, outside: &Outside) -> Result<u8, CommandError> {
    if args.applying.undo {
        return take_back(SET_UP, &args.applying, outside);
    }
    if args.gitlab_ci {
        hand_out(gitlab_ci_text(&args.registries, &args.role_arns, DEFAULT_AUDIENCE)?)?;
        return Ok(exit_code::OK);
    }
    let registries = registries(&args.registries)?;
    let role_arn = only_role(&args.role_arns)?;
    let program = program(args)?;
    let root = &args.applying.root;
    let config = runner_config(root, args.config.as_deref(), outside)?;
    let request = Request {
        root,
        registries: &registries,
        config: &config,
        runner: args.runner.as_deref(),
        program: &program,
        role_arn: role_arn.as_deref(),
        engine_socket: args.engine_socket,
    };
    let runs_elsewhere = plan(&request).map_err(|error| no_plan(&error))?.runs_elsewhere;
    let texts = Texts {
        set_up: SET_UP,
        shown: &|planned| shown(&request, planned, runs_elsewhere),
        applied: format!(
            "Done. The runner reads its config.toml by itself. To take it back: {}\n",
            undo_command(SET_UP, &Target::at(root))
        ),
    };
    let again = || plan(&request).map(|JobPlan { plan, .. }| plan).map_err(|error| no_plan(&error));
    carry_out(&args.applying, outside, again, &texts)
}

/// All containers have the same variables, so there is one role for all registries.
fn only_role(arguments: &[String]) -> Result<Option<String>, CommandError> {
    let mut role = None;
    for argument in arguments {
        match role_for_host(argument)? {
            (None, arn) if role.is_none() => role = Some(arn),
            _ => {
                let message = "all containers have one role: several need a configuration in each job";
                return Err(CommandError::new(exit_code::BAD_CONFIGURATION, message)
                    .hint("ecru setup job --gitlab-ci"));
            }
        }
    }
    Ok(role)
}

/// Job images have another C library than this machine, or none.
fn program(args: &SetupJobArgs) -> Result<PathBuf, CommandError> {
    let no_helper = |message: String| CommandError::new(exit_code::NOTHING_TO_SET_UP, message);
    let Some(helper) = &args.helper else {
        return static_helper().map_err(|error| no_helper(error.to_string()));
    };
    match is_static_program(helper) {
        Ok(true) => Ok(helper.clone()),
        Ok(false) => Err(no_helper(format!("`{}` is no static program", helper.display()))
            .hint("cargo xtask dist --helper builds one")),
        Err(error) => {
            Err(no_helper(format!("cannot read `{}`", helper.display())).because(error.to_string()))
        }
    }
}

fn shown(request: &Request<'_>, planned: &ecru_doctor::plan::Plan, runs_elsewhere: bool) -> String {
    let mut text = format!("config.toml of the runner: {}\n\n", request.config.display());
    if planned.is_empty() {
        text.push_str("Nothing to do: everything is as it should be.\n");
    } else {
        text.push_str(&planned.diff());
        text.push('\n');
    }
    for note in notes(request, runs_elsewhere) {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn notes(request: &Request<'_>, runs_elsewhere: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if runs_elsewhere {
        notes.push(format!(
            "the containers run on other hosts: {HELPER_FILE} and {DOCKER_CONFIG_FILE} have to be there before the first \
             job, by their image or user data, or empty folders take their places"
        ));
    }
    notes.push(
        "docker in a job still needs an identity of AWS: the job's own ID token (ecru setup job --gitlab-ci prints the \
         lines), or the instance's metadata where containers reach it"
            .to_owned(),
    );
    notes.push(
        "the config.json of jobs is read-only: a job that runs docker login sets DOCKER_CONFIG to a folder of its own"
            .to_owned(),
    );
    if request.engine_socket {
        notes.push("with the engine's socket, every job is as good as root on its host".to_owned());
    }
    notes
}

fn no_plan(error: &PlanError) -> CommandError {
    let code = match error {
        PlanError::Program(_) => exit_code::NOTHING_TO_SET_UP,
        _ => exit_code::BAD_CONFIGURATION,
    };
    CommandError::from_error(code, error).maybe_hint(error.hint())
}
