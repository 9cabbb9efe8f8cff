//! The client of the engine at `DOCKER_HOST`, with a configuration of its own.

use std::cell::RefCell;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Removes in the end what it gave to the engine.
pub(crate) struct Docker {
    folder: TempDir,
    images: RefCell<Vec<String>>,
}

/// What the client printed; it must have succeeded.
pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Docker {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), images: RefCell::default() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The name of an image that the engine is about to have.
    pub(crate) fn image(&self, name: &str) -> String {
        self.images.borrow_mut().push(name.to_owned());
        name.to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--config").arg(self.folder.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("`docker` runs")
    }

    /// Logs in with `user:password`; the password goes by standard input.
    pub(crate) fn log_in(&self, registry: &str, credential: &str) {
        let (user, password) = credential.split_once(':').unwrap();
        let mut client = self
            .command(&["login", "--username", user, "--password-stdin", registry])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`docker` runs");
        client.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        said(&client.wait_with_output().unwrap());
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        for image in self.images.borrow().iter() {
            self.run(&["image", "rm", image]);
        }
    }
}
