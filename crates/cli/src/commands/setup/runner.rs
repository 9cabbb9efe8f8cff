//! `ecru setup runner`: the gitlab-runner service of a machine.

use ecru_doctor::setup_runner::{Outlet, PlanError, Request, plan};

use super::applying::{Texts, carry_out, take_back};
use super::{service, text};
use crate::args::{SetupOutlet, SetupRunnerArgs};
use crate::error::CommandError;
use crate::exit_code;
use crate::job::helper_program::{OwnHelper, own_helper};
use crate::outside::Outside;
use crate::wanted_registries::wanted_registries;

/// As its command is called.
pub(super) const SET_UP: &str = "runner";

/// Sets up; the exit code says whether everything is as it should be.
pub(in crate::commands) fn run(args: &SetupRunnerArgs, outside: &Outside) -> Result<u8, CommandError> {
    if args.applying.undo {
        return take_back(SET_UP, &args.applying, outside);
    }
    let wanted = wanted_registries(&args.registries, &args.role_arns)?;
    let aws_environment = pairs(&args.aws_environment)?;
    let service = service(&args.applying.root, args.home.as_deref(), args.config.as_deref(), outside)?;
    let own = match &args.helper {
        Some(file) => OwnHelper { file: file.clone(), passed_over: None },
        None => {
            own_helper().map_err(|error| CommandError::from_error(exit_code::NOTHING_TO_SET_UP, &error))?
        }
    };
    let request = Request {
        root: &args.applying.root,
        registries: &wanted,
        outlet: match args.outlet {
            SetupOutlet::DockerConfig => Outlet::DockerConfig,
            SetupOutlet::ConfigToml => Outlet::ConfigToml,
        },
        creds_store: args.creds_store,
        runner: args.runner.as_deref(),
        aws_environment: &aws_environment,
        program: &own.file,
    };
    let again = || plan(&service, &request).map_err(|error| no_plan(&error));
    let texts = Texts {
        set_up: SET_UP,
        shown: &|planned| text::plan(&service, planned, &request, own.passed_over.as_deref()),
        applied: text::applied(&service, &request),
    };
    carry_out(&args.applying, outside, again, &texts)
}

fn pairs(arguments: &[String]) -> Result<Vec<(String, String)>, CommandError> {
    let pair = |argument: &String| {
        let (name, value) = argument.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    arguments.iter().map(pair).collect::<Option<_>>().ok_or_else(|| {
        CommandError::new(exit_code::BAD_CONFIGURATION, "`--aws-env` needs a name and a value")
            .hint("--aws-env AWS_PROFILE=ci")
    })
}

fn no_plan(error: &PlanError) -> CommandError {
    let code = match error {
        PlanError::Program(_) | PlanError::NoUnit => exit_code::NOTHING_TO_SET_UP,
        _ => exit_code::BAD_CONFIGURATION,
    };
    CommandError::from_error(code, error).maybe_hint(error.hint())
}
