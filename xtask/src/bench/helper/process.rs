//! Whole processes of a credential helper, measured from outside.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// A program that is asked for the credentials of one registry.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The program.
    pub(super) program: PathBuf,
    /// Its whole environment.
    pub(super) environment: Vec<(String, String)>,
    /// The registry that it reads from its stdin.
    pub(super) registry: String,
    /// Whether it must answer with credentials; `/bin/true` need not.
    pub(super) answers: bool,
}

impl Asked {
    /// The same program in another home directory.
    pub(super) fn at_home(&self, home: &Path) -> Self {
        let mut asked = self.clone();
        asked.environment.retain(|(name, _)| name != "HOME");
        asked.environment.push(("HOME".to_owned(), home.display().to_string()));
        asked
    }

    /// Asks once: from before the process is made until its answer is read and it has ended.
    ///
    /// # Errors
    /// Fails when the program does not give credentials.
    pub(super) fn time(&self) -> Result<Duration> {
        let started = Instant::now();
        let (answer, success) = self.run(&mut self.command(&self.program, &[]))?;
        let took = started.elapsed();
        ensure!(success, "`{}` failed: {}", self.program.display(), answer.trim());
        if self.answers {
            let answer: serde_json::Value = serde_json::from_str(&answer).context("it answers no JSON")?;
            let secret = answer["Secret"].as_str().unwrap_or_default();
            ensure!(!secret.is_empty(), "`{}` answers without a secret", self.program.display());
        }
        Ok(took)
    }

    /// Asks once, and returns the peak of the process's resident memory in bytes, as `meter` (the program
    /// `peak-memory`) measures it.
    ///
    /// # Errors
    /// Fails when the program fails.
    pub(super) fn peak_memory(&self, meter: &Path) -> Result<u64> {
        let program = self.program.to_string_lossy();
        let (answer, success) = self.run(&mut self.command(meter, &[&program]))?;
        ensure!(success, "`{program}` failed");
        answer.trim().parse().with_context(|| format!("`{answer}` is no number of bytes"))
    }

    fn command(&self, program: &Path, before: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(before).arg("get").env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command) -> Result<(String, bool)> {
        let mut child =
            command.spawn().with_context(|| format!("cannot start `{}`", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // `/bin/true` does not read it, and may be gone.
            let _ = stdin.write_all(self.registry.as_bytes());
        }
        let mut answer = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut answer)?;
        }
        Ok((answer, child.wait()?.success()))
    }
}
