//! What a runner's configuration and the project around the pipeline say about a local run.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use ecru_executor::Mount;
use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::predefined::{Commit, CommitReference, Predefined};
use secrecy::SecretString;

use super::sources::Project;
use crate::error::CommandError;
use crate::exit_code;

/// Where jobs find their project unless the runner's `builds_dir` says otherwise.
const BUILDS_DIR: &str = "/builds";

/// The most that is read of any file; the readers have limits of their own below it.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Values such as DOCKER_AUTH_CONFIG are a few kilobytes; the runner has no limit.
const MAX_VALUE_BYTES: u64 = 4 * 1024 * 1024;

/// The text of a file that the user named; `if_missing` is what to do where it is not there.
pub(crate) fn text_of(path: &Path, if_missing: Option<&str>) -> Result<String, CommandError> {
    let bytes = read(path, MAX_FILE_BYTES).map_err(|error| {
        let hint = if_missing.filter(|_| error.kind() == ErrorKind::NotFound);
        unreadable(&path.display().to_string(), &error).maybe_hint(hint.map(str::to_owned))
    })?;
    String::from_utf8(bytes).map_err(|_| unreadable(&path.display().to_string(), &"it is not UTF-8"))
}

/// The bytes of a file with values that the user named.
pub(crate) fn value_file(path: &Path) -> Result<Vec<u8>, CommandError> {
    read(path, MAX_VALUE_BYTES).map_err(|error| unreadable(&path.display().to_string(), &error))
}

/// A value, the content of `@FILE`, or for `-` of standard input. Bytes that are not UTF-8 are replaced, as Go's JSON
/// reader does.
pub(crate) fn value_of(argument: &OsStr) -> Result<SecretString, CommandError> {
    let text = |bytes: &[u8]| SecretString::from(String::from_utf8_lossy(bytes).into_owned());
    let bytes = argument.as_bytes();
    if bytes == b"-" {
        let read = read_limited(io::stdin(), MAX_VALUE_BYTES);
        return read.map(|bytes| text(&bytes)).map_err(|error| unreadable("standard input", &error));
    }
    match bytes.strip_prefix(b"@") {
        Some(path) => value_file(Path::new(OsStr::from_bytes(path))).map(|bytes| text(&bytes)),
        None => Ok(text(bytes)),
    }
}

fn unreadable(name: &str, reason: &dyn std::fmt::Display) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, format!("cannot read {name}: {reason}"))
}

/// The content of a file, which is refused and not cut if it is longer than `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Opening one waits for whoever writes to it, and no signal ends that. What a shell gives as `<(COMMAND)` has a writer.
    let is_of_shell = path.starts_with("/dev") || path.starts_with("/proc");
    if !is_of_shell && std::fs::metadata(path)?.file_type().is_fifo() {
        return Err(io::Error::other("it is a named pipe"));
    }
    read_limited(std::fs::File::open(path)?, most)
}

fn read_limited(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
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
    fn what_is_too_long_or_a_pipe_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().to_string(), "it has more than 4 bytes");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&pipe, 5).unwrap_err().to_string(), "it is a named pipe");
    }

    #[test]
    fn what_helps_where_a_file_is_missing_is_told_there_alone() {
        let folder = tempfile::tempdir().unwrap();
        let hints = |name: &str| {
            let error = text_of(&folder.path().join(name), Some("name another")).unwrap_err();
            error.report().contains("hint: name another")
        };
        std::fs::write(folder.path().join("latin"), b"\xe9").unwrap();
        assert!(hints("missing"));
        assert!(!hints("latin") && !hints("."));
    }

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
