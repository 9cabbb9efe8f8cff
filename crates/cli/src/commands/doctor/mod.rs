//! `ecru doctor`: what is wrong in the context that this machine is, and what puts it right.

mod fix;
mod html;
mod json;
mod junit;
mod text;

use std::path::{Path, PathBuf};

use ecru_doctor::checks::job_host::Probe;
use ecru_doctor::diagnosis::diagnosis;
use ecru_doctor::report::{Context, Report};
use ecru_doctor::surroundings::{Asked, Surroundings};
use ecru_ecr::clock::system_time;
use ecru_gitlab::registry_auth::VersionError;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::args::{DoctorArgs, DoctorContext, DoctorFormat};
use crate::error::CommandError;
use crate::example_images::GUEST_NAME;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::{hand_out, printable, printable_json, printable_xml, width};

/// Looks, puts right what it is told to, looks again; the exit code says whether a check failed.
pub(super) async fn run(
    args: &DoctorArgs,
    outside: &Outside,
    cancelled: &CancellationToken,
) -> Result<u8, CommandError> {
    ecru_helper::harden_process();
    let root = root(args)?;
    let scratch = scratch(&root)?;
    let surroundings = surroundings(args, outside, root, scratch.as_ref().map(TempDir::path))?;
    if args.fix && args.format != DoctorFormat::Text {
        return Err(CommandError::new(
            exit_code::BAD_CONFIGURATION,
            "--fix shows a diff and asks, in text only",
        )
        .hint("ecru doctor --fix --yes; ecru doctor --format json"));
    }
    let Some(mut report) = cancelled.run_until_cancelled(diagnosis(&surroundings)).await else {
        return Ok(exit_code::INTERRUPTED);
    };
    if args.fix && (report.first_error().is_some() || fix::has_work(&report)) {
        hand_out(rendered(&report, args, outside))?;
        fix::carry_out(&report, args, &surroundings, outside)?;
        let Some(again) = cancelled.run_until_cancelled(diagnosis(&surroundings)).await else {
            return Ok(exit_code::INTERRUPTED);
        };
        report = again;
    }
    if report.sections.is_empty() {
        let missing = args.config.as_deref().filter(|config| !config.is_file());
        return Err(CommandError::new(
            exit_code::NO_CONTEXT,
            "this is neither a runner nor a job host nor a job: there is no gitlab-runner service, no Docker engine, and \
             CI_JOB_ID is not set",
        )
        .hint("run this where gitlab-runner runs, or say what to look at with --context runner")
        .maybe_hint(missing.map(|config| format!("`{}`, which --config names, is no file", config.display()))));
    }
    hand_out(rendered(&report, args, outside))?;
    if let Some(file) = &args.html {
        html::write(&report, &surroundings, file)?;
    }
    Ok(if report.first_error().is_some() { exit_code::UNHEALTHY } else { exit_code::OK })
}

fn rendered(report: &Report, args: &DoctorArgs, outside: &Outside) -> String {
    match args.format {
        DoctorFormat::Text => printable(&text::text(report, args.all, width(outside))),
        DoctorFormat::Json => printable_json(&format!("{:#}\n", json::document(report))),
        DoctorFormat::Junit => printable_xml(&junit::junit(report)),
    }
}

/// Where passwords are kept while another machine's root is looked at; it is gone with the diagnosis.
fn scratch(root: &Path) -> Result<Option<TempDir>, CommandError> {
    let folder = || {
        TempDir::with_prefix("ecru-doctor-").map_err(|error| {
            CommandError::new(exit_code::BAD_CONFIGURATION, "cannot make a folder for passwords")
                .because(error.to_string())
                .hint("name a folder that can be written to in TMPDIR")
        })
    };
    (root != Path::new("/")).then(folder).transpose()
}

/// The folder that is `/` of the machine, as an absolute path.
fn root(args: &DoctorArgs) -> Result<PathBuf, CommandError> {
    let root = match (&args.root, &args.config) {
        (Some(root), _) => root.clone(),
        (None, Some(config)) => root_of(config).unwrap_or_else(|| PathBuf::from("/")),
        (None, None) => PathBuf::from("/"),
    };
    let root = std::path::absolute(&root).map_err(|error| not_there(&root, &error.to_string()))?;
    if !root.is_dir() {
        return Err(not_there(&root, "it is no folder"));
    }
    Ok(root)
}

fn surroundings(
    args: &DoctorArgs,
    outside: &Outside,
    root: PathBuf,
    scratch: Option<&Path>,
) -> Result<Surroundings, CommandError> {
    let runner_version = args.runner_version.as_deref().map(str::parse).transpose();
    let runner_version = runner_version.map_err(|error: VersionError| {
        CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
    })?;
    Ok(Surroundings {
        environment: outside.environment(),
        uid: rustix::process::geteuid().as_raw(),
        clock: system_time,
        scratch: scratch.map(Path::to_owned),
        probe: probe(),
        asked: Asked {
            contexts: args.contexts.iter().map(|context| context_of(*context)).collect(),
            config: args.config.as_deref().map(|path| path_of_machine(&root, path)).transpose()?,
            home: args.home.as_deref().map(|path| path_of_machine(&root, path)).transpose()?,
            runner: args.runner.clone(),
            runner_version,
            images: args.images.clone(),
            starts_programs: !args.no_exec,
            metadata_wanted: args.metadata_wanted,
        },
        root,
    })
}

/// This program, as a guest of containers.
fn probe() -> Option<Probe> {
    let program = std::env::current_exe().ok()?;
    let arguments = [GUEST_NAME, "metadata"].map(str::to_owned).into();
    Some(Probe { program, arguments })
}

fn context_of(context: DoctorContext) -> Context {
    match context {
        DoctorContext::Runner => Context::Runner,
        DoctorContext::JobHost => Context::JobHost,
        DoctorContext::Job => Context::Job,
    }
}

/// The folder that stands for a machine whose `config.toml` this is. Looked at as a file of this machine, another one's
/// would be judged by the service, files and identity of this one.
fn root_of(config: &Path) -> Option<PathBuf> {
    let config = std::path::absolute(config).ok()?;
    let root = config.ancestors().nth(3)?;
    let is_usual = config == root.join("etc/gitlab-runner/config.toml");
    (is_usual && root.join("etc/passwd").is_file()).then(|| root.to_owned())
}

/// A path as the machine below `root` has it. One that is not absolute, or is below `root` already, is taken from the
/// folder of this command.
fn path_of_machine(root: &Path, path: &Path) -> Result<PathBuf, CommandError> {
    let absolute = std::path::absolute(path).map_err(|error| not_there(path, &error.to_string()))?;
    if let Ok(below) = absolute.strip_prefix(root) {
        return Ok(Path::new("/").join(below));
    }
    if path.is_absolute() {
        return Ok(absolute);
    }
    Err(not_there(path, "it is not below the folder that --root names"))
}

fn not_there(path: &Path, reason: &str) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, format!("cannot look at `{}`", path.display()))
        .because(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("etc/gitlab-runner/config.toml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        std::fs::write(&config, "").unwrap();
        assert_eq!(root_of(&config), None, "a backup of one folder is no machine");
        std::fs::write(folder.path().join("etc/passwd"), "").unwrap();
        assert_eq!(root_of(&config).as_deref(), Some(folder.path()));
        assert_eq!(root_of(&folder.path().join("etc/config.toml")), None);
    }

    #[test]
    fn paths_are_those_of_the_machine() {
        let of = |root: &str, path: &str| path_of_machine(Path::new(root), Path::new(path)).ok();
        assert_eq!(of("/m", "/m/etc/x"), Some(PathBuf::from("/etc/x")));
        assert_eq!(of("/m", "/etc/x"), Some(PathBuf::from("/etc/x")));
        assert_eq!(of("/", "/etc/x"), Some(PathBuf::from("/etc/x")));
        let here = std::env::current_dir().unwrap();
        assert_eq!(of("/", "x"), Some(here.join("x")));
        assert_eq!(of(&here.display().to_string(), "./x/y"), Some(PathBuf::from("/x/y")));
        assert_eq!(of("/nowhere", "x"), None);
    }
}
