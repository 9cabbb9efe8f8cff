//! What a program prints, within limits.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// The most that is read of each stream, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Whether it ended with 0.
    pub succeeded: bool,
    /// What it wrote to standard output, at most 64 KiB of it.
    pub stdout: String,
    /// What it wrote to standard error, at most 64 KiB of it.
    pub stderr: String,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It did not start, or could not be read.
    #[error("`{program}` could not be run: {source}")]
    Io {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was killed because it did not end in time.
    #[error("`{program}` did not end within {:.1} s", deadline.as_secs_f32())]
    TimedOut {
        /// The program.
        program: String,
        /// The time that it had.
        deadline: Duration,
    },
}

/// Runs `program` with nothing on its standard input and exactly `environment`, and kills it at the deadline.
///
/// # Errors
/// If it does not start or does not end in time.
pub async fn printed(
    program: &Path,
    arguments: &[&str],
    environment: &[(OsString, OsString)],
    deadline: Duration,
) -> Result<Printed, ProgramError> {
    let name = program.display().to_string();
    let failed = |source| ProgramError::Io { program: name.clone(), source };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let whole = async {
        let (stdout, stderr) = futures_util::future::join(text(stdout), text(stderr)).await;
        child.wait().await.map(|status| Printed { succeeded: status.success(), stdout, stderr })
    };
    match tokio::time::timeout(deadline, whole).await {
        Ok(printed) => printed.map_err(failed),
        Err(_) => Err(ProgramError::TimedOut { program: name, deadline }),
    }
}

/// The start of a stream; the rest is not read, and who writes it ends by a signal.
async fn text(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read until an error is all there is.
        let _ = stream.take(MAX_BYTES).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, deadline: Duration) -> Result<Printed, ProgramError> {
        printed(Path::new("/bin/sh"), &["-c", script], &[("A".into(), "1".into())], deadline).await
    }

    #[tokio::test]
    async fn a_program_says_what_it_says() {
        let printed = shell("echo $A $HOME; echo e >&2; exit 3", Duration::from_secs(30)).await.unwrap();
        let expected = Printed { succeeded: false, stdout: "1\n".to_owned(), stderr: "e\n".to_owned() };
        assert_eq!(printed, expected);
    }

    #[tokio::test]
    async fn one_without_an_end_is_killed_and_one_that_talks_without_end_is_cut() {
        let error = shell("exec sleep 1000", Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, ProgramError::TimedOut { .. }), "{error}");
        let printed = shell("yes", Duration::from_secs(30)).await.unwrap();
        assert_eq!(printed.stdout.len() as u64, MAX_BYTES);
    }
}
