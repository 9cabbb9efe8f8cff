//! Whole processes of a credential helper, measured from outside.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::outside;

/// How closely the end of a process that takes seconds is watched.
const POLL: Duration = Duration::from_millis(5);

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
        self.with("HOME", &home.display().to_string())
    }

    /// The same program with a variable set.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut asked = self.clone();
        asked.environment.retain(|(known, _)| known != name);
        asked.environment.push((name.to_owned(), value.to_owned()));
        asked
    }

    /// The same program, asked for another registry.
    pub(super) fn for_registry(&self, registry: &str) -> Self {
        Self { registry: registry.to_owned(), ..self.clone() }
    }

    /// Asks once: from before the process is made until its answer is read and it has ended.
    ///
    /// # Errors
    /// Fails when the program does not give credentials.
    pub(super) fn time(&self) -> Result<Duration> {
        let started = Instant::now();
        let answer = self.answer(&mut self.command(&self.program, &[], "get"))?;
        let took = started.elapsed();
        if self.answers {
            let answer: Value = serde_json::from_str(&answer).context("it answers no JSON")?;
            let secret = answer["Secret"].as_str().unwrap_or_default();
            ensure!(!secret.is_empty(), "`{}` answers without a secret", self.program.display());
        }
        Ok(took)
    }

    /// The servers that it lists.
    ///
    /// # Errors
    /// Fails when it does not answer with an object of them.
    pub(super) fn listed(&self) -> Result<Vec<String>> {
        let answer = self.answer(&mut self.command(&self.program, &[], "list"))?;
        let answer: Value = serde_json::from_str(&answer).context("it lists no JSON")?;
        Ok(answer.as_object().context("it lists no object")?.keys().cloned().collect())
    }

    /// Asks once, and returns the peak of the process's resident memory in bytes, as `meter` (the program
    /// `peak-memory`) measures it.
    ///
    /// # Errors
    /// Fails when the program fails.
    pub(super) fn peak_memory(&self, meter: &Path) -> Result<u64> {
        let program = self.program.to_string_lossy();
        let answer = self.answer(&mut self.command(meter, &[&program], "get"))?;
        answer.trim().parse().with_context(|| format!("`{answer}` is no number of bytes"))
    }

    /// Asks once, and returns how many sockets it opened, as `strace` saw it.
    ///
    /// # Errors
    /// Fails when the program fails, or may not be traced.
    pub(super) fn sockets_opened(&self) -> Result<usize> {
        let strace = outside::program("strace").context("there is no `strace`")?;
        let trace = tempfile::NamedTempFile::new()?;
        let (file, program) = (trace.path().to_string_lossy(), self.program.to_string_lossy());
        let tracer = ["-f", "-qq", "-e", "trace=socket,connect,exit_group", "-o", &file, &program];
        self.answer(&mut self.command(&strace, &tracer, "get"))?;
        let trace = std::fs::read_to_string(trace.path())?;
        ensure!(trace.contains("exit_group("), "`strace` saw nothing");
        Ok(trace.matches("socket(").count())
    }

    /// Asks once, and returns how long it took until it ended, with whatever answer; none if it still runs after
    /// `limit`, when it is ended.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub(super) fn time_to_end(&self, limit: Duration) -> Result<Option<Duration>> {
        let started = Instant::now();
        let mut command = self.command(&self.program, &[], "get");
        let mut child = self.start(command.stdout(Stdio::null()))?;
        while child.try_wait()?.is_none() {
            if started.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
        Ok(Some(started.elapsed()))
    }

    fn command(&self, program: &Path, before: &[&str], verb: &str) -> Command {
        let mut command = Command::new(program);
        command.args(before).arg(verb).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn start(&self, command: &mut Command) -> Result<Child> {
        let mut child =
            command.spawn().with_context(|| format!("cannot start `{}`", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // `/bin/true` does not read it, and may be gone.
            let _ = stdin.write_all(self.registry.as_bytes());
        }
        Ok(child)
    }

    fn answer(&self, command: &mut Command) -> Result<String> {
        let mut child = self.start(command)?;
        let mut answer = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut answer)?;
        }
        ensure!(child.wait()?.success(), "`{}` failed: {}", self.program.display(), answer.trim());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(program: &str) -> Asked {
        Asked {
            program: program.into(),
            environment: Vec::new(),
            registry: "r".to_owned(),
            answers: program != "/bin/true",
        }
    }

    #[test]
    fn a_helper_that_does_not_answer_is_no_measurement() {
        assert!(asked("/bin/true").time().is_ok());
        assert!(asked("/bin/false").time().is_err());
        assert!(asked("/bin/echo").time().is_err());
        assert!(asked("/bin/true").listed().is_err());
        assert!(asked("/nonexistent").time().is_err());
    }

    #[test]
    fn a_variable_is_set_once() {
        let asked = asked("/bin/true").with("A", "1").with("B", "2").with("A", "3");
        let expected = [("B", "2"), ("A", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(asked.environment, expected);
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let endless = asked("/usr/bin/yes");
        assert_eq!(endless.time_to_end(Duration::from_millis(1)).unwrap(), None);
        assert!(asked("/bin/false").time_to_end(Duration::from_secs(60)).unwrap().is_some());
    }
}
