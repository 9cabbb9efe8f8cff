//! The outside world of a developer command: its environment, its search path, its cache folder.
//!
//! Everything that reads the environment is here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// Folders of administrators' programs, which the search path of other users lacks.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The value of an environment variable; an empty one counts as unset.
#[expect(clippy::disallowed_methods, reason = "a developer command is an edge")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A command for `program` whose environment cannot disturb a test or be disturbed by one: no AWS setting of the
/// caller's gets in, and the AWS SDK asks no instance metadata service.
#[expect(clippy::disallowed_methods, reason = "a developer command is an edge")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// A command for the cargo that runs us, in the workspace.
pub(crate) fn cargo() -> Command {
    let mut cargo = cargo_called(&variable("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(crate::workspace::root());
    cargo
}

/// A command for this cargo. What `cargo run` has set for us ("Environment variables" of the Cargo book) is taken out:
/// build scripts that watch it, such as ring's, would else be run anew after every change between this command and a
/// cargo of the user's own.
pub(crate) fn cargo_called(program: &std::ffi::OsStr) -> Command {
    let mut cargo = command(program);
    for (name, _) in variables_of_this_package() {
        cargo.env_remove(name);
    }
    cargo
}

#[expect(clippy::disallowed_methods, reason = "a developer command is an edge")]
fn variables_of_this_package() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}

/// Where `program` is on this machine.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let system = SYSTEM_FOLDERS.iter().map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// The folder for what developer commands download (XDG Base Directory Specification, `XDG_CACHE_HOME`).
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(cache.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("ecru"))
}

/// Whether we may install programs and make namespaces.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the machine has Debian's package tools and lists.
pub(crate) fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    names_debian(&release) && program("apt-get").is_some()
}

/// Whether an os-release file (os-release(5)) is of Debian or of something like it.
fn names_debian(release: &str) -> bool {
    let values = release.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key, "ID" | "ID_LIKE").then(|| value.trim_matches('"'))
    });
    values.flat_map(str::split_whitespace).any(|value| value == "debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_children_are_told_from_others() {
        assert!(names_debian("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"));
        assert!(names_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(names_debian("ID=pop\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nNAME=\"not debian\"\n"));
    }

    #[test]
    fn a_command_carries_no_aws_setting_but_ours() {
        let command = command("true");
        let kept: Vec<_> = command
            .get_envs()
            .filter(|(name, value)| name.to_string_lossy().starts_with("AWS_") && value.is_some())
            .collect();
        assert_eq!(kept, [("AWS_EC2_METADATA_DISABLED".as_ref(), Some("true".as_ref()))]);
    }
}
