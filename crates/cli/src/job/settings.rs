//! What a runner's configuration and the project around the pipeline say about a local run.

use std::io::Read as _;
use std::path::Path;

use ecru_executor::Mount;
use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::predefined::{Commit, CommitReference, Predefined};

use super::sources::Project;
use crate::error::CommandError;
use crate::exit_code;

/// Where jobs find their project unless the runner's `builds_dir` says otherwise.
const BUILDS_DIR: &str = "/builds";

/// The most that is read of any file; the readers have limits of their own below it.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a file that the user named.
pub(crate) fn text_of(path: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(CommandError::new(
            exit_code::BAD_CONFIGURATION,
            format!("cannot read {}: {error}", path.display()),
        )
        .hint("name the pipeline with --file, and the runner's configuration with --config")),
    }
}

/// What GitLab would say of this project and run.
pub(crate) fn predefined(project: &Project, runner: &RunnerConfig) -> Predefined {
    let builds_dir = runner.builds_dir.clone().unwrap_or_else(|| BUILDS_DIR.to_owned());
    let project_path = format!("local/{}", project.name);
    Predefined {
        project_dir: format!("{builds_dir}/{project_path}"),
        builds_dir,
        commit: project.commit.clone().map(|sha| Commit {
            sha,
            reference: CommitReference::Branch(project.branch.clone().unwrap_or_else(|| "HEAD".to_owned())),
        }),
        default_branch: None,
        server_url: Some(runner.url.clone()).filter(|url| !url.is_empty()),
        project_path,
        project_id: 1,
        pipeline_id: 1,
        job_id: 1,
        runner_description: if runner.name.is_empty() { "ecru run".to_owned() } else { runner.name.clone() },
        runner_version: env!("CARGO_PKG_VERSION").to_owned(),
        runner_platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// The `volumes` of the runner that are files or folders of the engine's machine.
pub(super) fn mounts(runner: &RunnerConfig) -> Vec<Mount> {
    runner.docker.volumes.iter().filter_map(|volume| mount(volume)).collect()
}

/// `/host:/container` or `/host:/container:ro`.
fn mount(volume: &str) -> Option<Mount> {
    let mut parts = volume.split(':');
    let (source, target, mode) = (parts.next()?, parts.next()?, parts.next());
    let read_only = mode.is_some_and(|mode| mode.split(',').any(|option| option == "ro"));
    (source.starts_with('/') && target.starts_with('/')).then(|| Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    })
}

/// What of the runner's configuration a local run leaves out, each as a line for people.
pub(super) fn not_applied(runner: &RunnerConfig) -> Vec<String> {
    let docker = &runner.docker;
    let volumes = docker.volumes.iter().filter(|volume| mount(volume).is_none());
    let mut left_out: Vec<String> = volumes.map(|volume| format!("volume `{volume}`")).collect();
    if docker.privileged {
        left_out.push("`privileged`".to_owned());
    }
    if docker.network_mode.is_some() {
        left_out.push("`network_mode`".to_owned());
    }
    if !matches!(runner.executor.as_str(), "" | "docker" | "docker-autoscaler" | "docker+machine") {
        left_out.push(format!("executor `{}`", runner.executor));
    }
    left_out.iter().map(|what| format!("note: {what} of the runner is not applied by `ecru run`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_with_a_path_on_both_sides_are_mounts() {
        let mount = |text| mount(text).map(|mount| (mount.source, mount.target, mount.read_only));
        let owned =
            |source: &str, target: &str, read_only| Some((source.to_owned(), target.to_owned(), read_only));
        assert_eq!(mount("/a:/b"), owned("/a", "/b", false));
        assert_eq!(mount("/a:/b:ro"), owned("/a", "/b", true));
        assert_eq!(mount("/a:/b:z,ro"), owned("/a", "/b", true));
        assert_eq!(mount("/cache"), None);
        assert_eq!(mount("named:/b"), None);
    }
}
