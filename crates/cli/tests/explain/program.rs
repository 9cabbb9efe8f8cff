//! The program, its exit code, and what it printed.

use std::path::Path;

use ecru_testkit::Sandbox;
use serde_json::Value;

/// What one run gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs `ecru explain` with these arguments and variables.
pub(crate) fn explain(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_ecru"))
        .arg("explain")
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Writes a file below the sandbox's home.
pub(crate) fn write(sandbox: &Sandbox, name: &str, text: impl AsRef<[u8]>) {
    let path = sandbox.home().join(Path::new(name));
    std::fs::create_dir_all(path.parent().expect("it is below the home")).expect("a folder");
    std::fs::write(path, text).expect("a file in the sandbox");
}
