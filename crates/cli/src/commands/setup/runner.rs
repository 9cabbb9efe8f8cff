//! `ecru setup runner`: the gitlab-runner service of a machine.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use ecru_doctor::apply::{ApplyError, Machine, apply, undo};
use ecru_doctor::edit::ecru_config::Wanted;
use ecru_doctor::plan::Plan;
use ecru_doctor::service::{self, Service, Surroundings};
use ecru_doctor::setup_runner::{HELPER, Outlet, PlanError, Request, plan};
use ecru_ecr::registry::Registry;

use super::text;
use crate::args::{SetupOutlet, SetupRunnerArgs};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::printable;

/// Where records and backups of root's set-ups are.
const STATE: &str = "/var/lib/ecru/setup";

/// How often a plan is made again because somebody changed a file meanwhile.
const ATTEMPTS: usize = 50;

/// Sets up; the exit code says whether everything is as it should be.
pub(in crate::commands) fn run(args: &SetupRunnerArgs, outside: &Outside) -> Result<u8, CommandError> {
    let state = state(args, outside)?;
    let machine = Machine { root: &args.root, state: &state };
    if args.undo {
        return take_back(args, machine);
    }
    let wanted = wanted(args)?;
    let aws_environment = pairs(&args.aws_environment)?;
    let service = service(args, outside)?;
    let program = program(args)?;
    let request = Request {
        root: &args.root,
        registries: &wanted,
        outlet: match args.outlet {
            SetupOutlet::DockerConfig => Outlet::DockerConfig,
            SetupOutlet::ConfigToml => Outlet::ConfigToml,
        },
        creds_store: args.creds_store,
        runner: args.runner.as_deref(),
        aws_environment: &aws_environment,
        program: &program,
    };
    let planned = plan(&service, &request).map_err(|error| no_plan(&error))?;
    say(&text::plan(&service, &planned, &request));
    if planned.is_empty() {
        return Ok(exit_code::OK);
    }
    if !is_confirmed(args) {
        say(text::NOT_APPLIED);
        return Ok(exit_code::NOT_APPLIED);
    }
    apply_until_current(planned, machine, || plan(&service, &request))?;
    say(&text::applied(&service, &request));
    Ok(exit_code::OK)
}

/// With `--yes` nobody looked at the diff, and a plan for what changed meanwhile is as good.
fn apply_until_current(
    mut planned: Plan,
    machine: Machine<'_>,
    again: impl Fn() -> Result<Plan, PlanError>,
) -> Result<(), CommandError> {
    for attempt in 1.. {
        match apply(&planned, machine) {
            Ok(()) => return Ok(()),
            Err(ApplyError::Changed { .. }) if attempt < ATTEMPTS => {
                planned = again().map_err(|error| no_plan(&error))?;
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(())
}

fn take_back(args: &SetupRunnerArgs, machine: Machine<'_>) -> Result<u8, CommandError> {
    if !args.yes && std::io::stdout().is_terminal() && !is_answered_yes("Take the last set-up back?") {
        return Ok(exit_code::NOT_APPLIED);
    }
    let undone = undo(machine).map_err(|error| failed(&error))?;
    say(&text::undone(&undone));
    Ok(exit_code::OK)
}

fn is_confirmed(args: &SetupRunnerArgs) -> bool {
    if args.yes {
        return true;
    }
    !args.dry_run && std::io::stdout().is_terminal() && is_answered_yes("Make these changes?")
}

fn is_answered_yes(question: &str) -> bool {
    say(&format!("{question} [y/N] "));
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// A reader that went away has seen what it wanted.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(printable(text).as_bytes());
}

fn state(args: &SetupRunnerArgs, outside: &Outside) -> Result<PathBuf, CommandError> {
    if args.root != Path::new("/") || rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from(STATE));
    }
    let of_home = || outside.home().map(|home| home.join(".local/state"));
    let folder = outside.variable("XDG_STATE_HOME").map(PathBuf::from).or_else(of_home);
    folder.map(|folder| folder.join("ecru/setup")).ok_or_else(|| {
        CommandError::new(exit_code::NOTHING_TO_SET_UP, "HOME is not set, so there is no place for a backup")
    })
}

fn wanted(args: &SetupRunnerArgs) -> Result<Vec<Wanted>, CommandError> {
    let registry = |text: &str| {
        Registry::parse(text).map_err(|error| {
            CommandError::new(exit_code::BAD_CONFIGURATION, format!("`{text}` is no registry of ECR"))
                .because(error.to_string())
        })
    };
    let mut wanted: Vec<Wanted> = Vec::new();
    for text in &args.registries {
        let registry = registry(text)?;
        if !wanted.iter().any(|other| other.registry == registry) {
            wanted.push(Wanted { registry, role_arn: None });
        }
    }
    for role in &args.role_arns {
        let (host, arn) = role.split_once('=').map_or((None, role.as_str()), |(host, arn)| (Some(host), arn));
        if !arn.starts_with("arn:") {
            return Err(CommandError::new(
                exit_code::BAD_CONFIGURATION,
                format!("`{arn}` is no ARN of a role"),
            ));
        }
        let host = host.map(registry).transpose()?;
        let mut chosen =
            wanted.iter_mut().filter(|one| host.as_ref().is_none_or(|host| one.registry == *host)).peekable();
        if chosen.peek().is_none() {
            let message = format!("`--role-arn {role}` is for none of the registries");
            return Err(CommandError::new(exit_code::BAD_CONFIGURATION, message));
        }
        chosen.for_each(|one| one.role_arn = Some(arn.to_owned()));
    }
    Ok(wanted)
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

fn service(args: &SetupRunnerArgs, outside: &Outside) -> Result<Service, CommandError> {
    let variables: BTreeMap<String, String> = outside
        .variables()
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let uid = rustix::process::geteuid().as_raw();
    let surroundings = Surroundings { root: &args.root, variables: &variables, uid };
    service::chosen(&surroundings, args.home.as_deref(), args.config.as_deref()).map_err(|error| {
        CommandError::from_error(exit_code::NOTHING_TO_SET_UP, &error).maybe_hint(error.hint())
    })
}

fn program(args: &SetupRunnerArgs) -> Result<PathBuf, CommandError> {
    if let Some(helper) = &args.helper {
        return Ok(helper.clone());
    }
    let this = std::env::current_exe()
        .map_err(|error| CommandError::from_error(exit_code::NOTHING_TO_SET_UP, &error))?;
    let beside = this.with_file_name(HELPER);
    Ok(if beside.is_file() { beside } else { this })
}

fn no_plan(error: &PlanError) -> CommandError {
    let code = match error {
        PlanError::Program(_) | PlanError::NoUnit => exit_code::NOTHING_TO_SET_UP,
        _ => exit_code::BAD_CONFIGURATION,
    };
    CommandError::from_error(code, error).maybe_hint(error.hint())
}

fn failed(error: &ApplyError) -> CommandError {
    CommandError::from_error(exit_code::SETUP_FAILED, error).maybe_hint(error.hint())
}
