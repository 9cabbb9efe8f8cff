//! A private home in which a test runs programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// The folders that hold a machine's own tools; the sandbox's `bin` comes before them.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A temporary folder with a home directory, a `bin` folder that is first in `PATH`, and nothing from the outside.
///
/// It is removed when the value is dropped.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    /// Makes an empty sandbox.
    #[must_use]
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("ecru-test-").tempdir().expect("a temporary folder");
        let sandbox = Self { root };
        for folder in [sandbox.home(), sandbox.bin(), sandbox.temporary()] {
            std::fs::create_dir(folder).expect("a folder in the sandbox");
        }
        sandbox
    }

    /// The folder that holds everything else.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `HOME` of the programs run here.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The first folder of their `PATH`, for stubs.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.root().join("bin")
    }

    fn temporary(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// The complete environment of the programs run here: nothing of the caller's own gets in, so neither the keys
    /// nor the settings of whoever runs the tests, and the AWS SDK asks no instance metadata service.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let home = self.home();
        vec![
            ("PATH", format!("{}:{SYSTEM_PATH}", self.bin().display())),
            ("HOME", text(home.clone())),
            ("TMPDIR", text(self.temporary())),
            ("XDG_CACHE_HOME", text(home.join(".cache"))),
            ("XDG_CONFIG_HOME", text(home.join(".config"))),
            ("XDG_DATA_HOME", text(home.join(".local/share"))),
            ("XDG_RUNTIME_DIR", text(self.temporary())),
            ("XDG_STATE_HOME", text(home.join(".local/state"))),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
        ]
    }

    /// A command for `program` (a name in the sandbox's `PATH`, or a path) with exactly that environment, started in
    /// the sandbox's home.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment()).current_dir(self.home());
        command
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_sees_the_sandbox_and_nothing_else() {
        let sandbox = Sandbox::new();
        let output = sandbox.command("env").output().unwrap();
        let mut seen: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        let mut given: Vec<_> =
            sandbox.environment().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        seen.sort_unstable();
        given.sort_unstable();
        assert_eq!(seen, given);
    }

    #[test]
    fn it_leaves_nothing_behind() {
        let sandbox = Sandbox::new();
        let root = sandbox.root().to_owned();
        sandbox.command("sh").args(["-c", "echo kept > file"]).assert().success();
        assert!(root.join("home/file").exists());
        drop(sandbox);
        assert!(!root.exists());
    }
}
