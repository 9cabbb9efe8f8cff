//! Calling a helper as Docker and gitlab-runner do, with the limits that they lack.
//!
//! Both start `docker-credential-<suffix> <verb>`, found on their own PATH, with their own environment, and write
//! the request to its stdin as it stands (docker-credential-helpers v0.9.8, `client/command.go`). Neither sets a
//! time limit; here a helper that does not end is killed with everything that it started.

mod error;
mod process;
mod quote;
mod search;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

pub use self::error::InvokeError;
use super::message::{Credential, MessageError, NOT_FOUND, ServerList, Verb, server_list_from_json};

/// The longest request, in bytes. It fits a pipe's buffer, so that writing it never waits for the helper.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// The longest answer on stdout, in bytes.
pub const MAX_STDOUT_BYTES: usize = 1024 * 1024;

/// How much of stderr is kept, in bytes; the rest is read and dropped.
pub const MAX_STDERR_BYTES: usize = 64 * 1024;

/// What Docker's client writes to the stdin of `list`.
const LIST_REQUEST: &str = "unused";

/// Where and how helpers are run.
#[derive(Clone)]
pub struct Caller {
    /// The value of PATH on which helpers are looked for.
    pub path: OsString,
    /// The whole environment of the helper.
    pub environment: Vec<(OsString, OsString)>,
    /// How long a helper may take before it is killed.
    pub deadline: Duration,
}

/// A user by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
}

impl fmt::Debug for Caller {
    /// Leaves out the environment's values: some of them are AWS keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("Caller")
            .field("path", &self.path)
            .field("environment", &names)
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl Caller {
    /// Runs `get` for `key`, which is written to the helper verbatim.
    ///
    /// # Errors
    /// If the helper could not be run to its end; see [`InvokeError`].
    pub fn get(&self, suffix: &str, key: &str) -> Result<Completed, InvokeError> {
        self.invoke(suffix, Verb::Get, key)
    }

    /// Runs `list`.
    ///
    /// # Errors
    /// If the helper could not be run to its end; see [`InvokeError`].
    pub fn list(&self, suffix: &str) -> Result<Completed, InvokeError> {
        self.invoke(suffix, Verb::List, LIST_REQUEST)
    }

    /// Runs `docker-credential-<suffix> <verb>` with `request` on its stdin, and waits for its end.
    ///
    /// As with Docker, a process that the helper leaves behind and that holds its outputs open counts as the
    /// helper itself.
    ///
    /// # Errors
    /// If the helper could not be run to its end; see [`InvokeError`].
    pub fn invoke(&self, suffix: &str, verb: Verb, request: &str) -> Result<Completed, InvokeError> {
        self.invoke_as(None, suffix, verb, request)
    }

    /// The same as another user, which only root may do: what root would read, or leave behind, is not that user's.
    ///
    /// # Errors
    /// If the helper could not be run to its end; see [`InvokeError`].
    pub fn invoke_as(
        &self,
        user: Option<User>,
        suffix: &str,
        verb: Verb,
        request: &str,
    ) -> Result<Completed, InvokeError> {
        if request.len() > MAX_REQUEST_BYTES {
            return Err(InvokeError::RequestTooLong { limit: MAX_REQUEST_BYTES });
        }
        let program = search::helper_program(suffix, &self.path)?;
        let asked = process::Asked { verb, request, user };
        process::run(program, asked, &self.environment, self.deadline)
    }
}

/// A helper that ran to its end.
#[derive(Debug)]
pub struct Completed {
    /// The program that was run.
    pub program: PathBuf,
    /// The verb that it was asked.
    pub verb: Verb,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stderr, at most [`MAX_STDERR_BYTES`] of it.
    pub stderr: String,
    /// How long it took.
    pub duration: Duration,
    stdout: Output,
    /// What it was given to store.
    given: SecretString,
}

impl Completed {
    /// The credential that `get` answered, or `None` if the helper said that it has none.
    ///
    /// # Errors
    /// If the helper failed in any other way, or its answer is not a credential.
    pub fn credential(&self) -> Result<Option<Credential>, InvokeError> {
        self.answer(Credential::from_json)
    }

    /// The servers that `list` answered, or `None` if the helper said that it has none.
    ///
    /// # Errors
    /// If the helper failed in any other way, or its answer is not a list.
    pub fn server_list(&self) -> Result<Option<ServerList>, InvokeError> {
        self.answer(server_list_from_json)
    }

    /// What it wrote to stdout, whatever it is: a password, for a caller that judges it by rules of its own. Bytes
    /// that are not UTF-8 are replaced.
    #[must_use]
    pub fn stdout_text(&self) -> SecretString {
        String::from_utf8_lossy(&self.stdout.0).into_owned().into()
    }

    /// Whether it did what it was asked; for `store` and `erase`, which answer nothing.
    ///
    /// # Errors
    /// If it failed.
    pub fn done(&self) -> Result<(), InvokeError> {
        if self.status.success() {
            Ok(())
        } else {
            Err(self.failed(&String::from_utf8_lossy(&self.stdout.0)))
        }
    }

    fn failed(&self, output: &str) -> InvokeError {
        InvokeError::Failed {
            program: self.program.clone(),
            verb: self.verb,
            ending: ending(self.status),
            output: quote::quoted(output, self.given.expose_secret()),
        }
    }

    fn answer<T>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, MessageError>,
    ) -> Result<Option<T>, InvokeError> {
        if self.status.success() {
            return read(&self.stdout.0).map(Some).map_err(|source| InvokeError::Malformed {
                program: self.program.clone(),
                verb: self.verb,
                source,
            });
        }
        let output = String::from_utf8_lossy(&self.stdout.0);
        let output = output.trim();
        if output == NOT_FOUND {
            return Ok(None);
        }
        Err(self.failed(output))
    }
}

/// The secret in a request of `store`; all of one that cannot be read.
fn given(verb: Verb, request: &str) -> SecretString {
    match verb {
        Verb::Store => {
            Credential::from_json(request.as_bytes()).map_or_else(|_| request.into(), |given| given.secret)
        }
        Verb::Get | Verb::Erase | Verb::List | Verb::Version => SecretString::default(),
    }
}

/// Bytes that may hold a password: wiped when dropped, and not shown by Debug.
struct Output(Zeroizing<Vec<u8>>);

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{} bytes]", self.0.len())
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}
