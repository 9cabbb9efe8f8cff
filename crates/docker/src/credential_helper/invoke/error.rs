//! Why calling a helper gave no answer.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::credential_helper::message::{MessageError, Verb};

/// Why a helper gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The suffix is empty or holds a path separator.
    #[error("`{suffix}` is not the suffix of a credential helper")]
    PathInSuffix {
        /// The suffix as configured.
        suffix: String,
    },
    /// No directory of PATH holds the program.
    #[error("`{program}` is not on PATH ({})", .path.display())]
    NotOnPath {
        /// The name of the program.
        program: String,
        /// The value of PATH that was searched.
        path: OsString,
    },
    /// PATH holds the program, but nowhere as an executable file.
    #[error("`{}` is not executable", .program.display())]
    NotExecutable {
        /// The first such file.
        program: PathBuf,
    },
    /// The program was found through a relative directory of PATH, which Go programs refuse to run.
    #[error("`{}` was found in a directory of PATH that is not absolute", .program.display())]
    RelativePath {
        /// The program as found.
        program: PathBuf,
    },
    /// The request is longer than any registry's name.
    #[error("the request is longer than {limit} bytes")]
    RequestTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The system refused to start the program, as for a script without its interpreter.
    #[error("`{}` could not be started: {source}", .program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The helper was killed because it did not end in time.
    #[error("`{} {verb}` did not end within {:.1} s", .program.display(), .deadline.as_secs_f32())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// What it was asked.
        verb: Verb,
        /// The time that it had.
        deadline: Duration,
    },
    /// The helper was killed because it wrote more than any answer needs.
    #[error("`{} {verb}` wrote more than {limit} bytes", .program.display())]
    OutputTooLong {
        /// The program.
        program: PathBuf,
        /// What it was asked.
        verb: Verb,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Reading from the helper failed.
    #[error("`{} {verb}` could not be read: {source}", .program.display())]
    Unreadable {
        /// The program.
        program: PathBuf,
        /// What it was asked.
        verb: Verb,
        /// What the system said.
        source: io::Error,
    },
    /// The helper ended with a failure that is not "not found".
    #[error("`{} {verb}` failed ({ending}): {output}", .program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// What it was asked.
        verb: Verb,
        /// Its exit code or signal, in words.
        ending: String,
        /// Its words on stdout, in one printable line, and nothing that may be a password.
        output: String,
    },
    /// The helper succeeded, but its answer cannot be read.
    #[error("`{} {verb}` gave no valid answer: {source}", .program.display())]
    Malformed {
        /// The program.
        program: PathBuf,
        /// What it was asked.
        verb: Verb,
        /// What is wrong with it.
        source: MessageError,
    },
}

impl InvokeError {
    /// What the user can do about it, as a line or command to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotOnPath { program, .. } => {
                Some(format!("install `{program}` in a directory of the calling process's PATH"))
            }
            Self::NotExecutable { program } => Some(format!("chmod 755 {}", program.display())),
            _ => None,
        }
    }
}
