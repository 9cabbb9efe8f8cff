//! `ecru setup`: settings of other tools, as a plan, a diff, and changes that can be taken back.

mod applying;
mod job;
pub(super) mod job_host;
pub(super) mod runner;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecru_doctor::service::{self, Service, ServiceError, Surroundings};

use crate::args::{SetupArgs, SetupTarget};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// Sets up; the exit code says whether everything is as it should be.
pub(super) fn run(args: &SetupArgs, outside: &Outside) -> Result<u8, CommandError> {
    let root = match &args.target {
        SetupTarget::Runner(args) => &args.applying.root,
        SetupTarget::JobHost(args) => &args.applying.root,
        SetupTarget::Job(args) => &args.applying.root,
    };
    if !root.is_dir() {
        let message = format!("`{}` is no folder, and cannot be `/` of a machine", root.display());
        return Err(CommandError::new(exit_code::NOTHING_TO_SET_UP, message).hint("--root DIR"));
    }
    match &args.target {
        SetupTarget::Runner(args) => runner::run(args, outside),
        SetupTarget::JobHost(args) => job_host::run(args, outside),
        SetupTarget::Job(args) => job::run(args, outside),
    }
}

/// The gitlab-runner service of the machine below `root`, with the home directory and the configuration that are given.
fn service(
    root: &Path,
    home: Option<&Path>,
    config: Option<&Path>,
    outside: &Outside,
) -> Result<Service, CommandError> {
    found(root, home, config, outside).map_err(|error| {
        CommandError::from_error(exit_code::NOTHING_TO_SET_UP, &error).maybe_hint(error.hint())
    })
}

/// The configuration of the runner; one that is given needs no service on this machine.
fn runner_config(root: &Path, given: Option<&Path>, outside: &Outside) -> Result<PathBuf, CommandError> {
    match given {
        Some(config) => Ok(config.to_owned()),
        None => found(root, None, None, outside).map(|service| service.config).map_err(|error| {
            CommandError::from_error(exit_code::NOTHING_TO_SET_UP, &error)
                .hint("name the runner's configuration with --config FILE")
        }),
    }
}

fn found(
    root: &Path,
    home: Option<&Path>,
    config: Option<&Path>,
    outside: &Outside,
) -> Result<Service, ServiceError> {
    let variables: BTreeMap<String, String> = outside
        .variables()
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let surroundings = Surroundings { root, variables: &variables, uid: rustix::process::geteuid().as_raw() };
    service::chosen(&surroundings, home, config)
}
