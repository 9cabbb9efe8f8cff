//! What can be wrong with a `config.toml`. No text repeats a value, because values here are tokens and passwords.

use super::MAX_INPUT_BYTES;
use crate::position::Position;

/// A problem with a `config.toml`, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct ConfigError {
    /// Where it is.
    pub position: Position,
    /// What it is.
    pub problem: ConfigProblem,
}

/// What is wrong with a `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// It is not TOML; the text is the parser's.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// It is longer than [`MAX_INPUT_BYTES`].
    #[error("the file has {length} bytes, more than {MAX_INPUT_BYTES}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A value has the wrong form.
    #[error("`{key}` must be {expected}")]
    Form {
        /// The key.
        key: &'static str,
        /// The form that it must have.
        expected: &'static str,
    },
}

impl ConfigError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            ConfigProblem::Syntax(_) => {
                Some("put JSON between single quotes: environment = ['DOCKER_AUTH_CONFIG={…}']".into())
            }
            ConfigProblem::Form { key: "environment", .. } => {
                Some("write environment = [\"NAME=value\", \"OTHER=value\"]".into())
            }
            _ => None,
        }
    }
}

/// Something in a `config.toml` that the runner passes over in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// Entries of `environment` have no `=`.
    #[error("{position}: the runner drops {} of `environment` without `=`", entries(*.count))]
    EnvironmentWithoutValue {
        /// Where the first of them is.
        position: Position,
        /// How many there are.
        count: usize,
    },
}

fn entries(count: usize) -> String {
    if count == 1 { "an entry".to_owned() } else { format!("{count} entries") }
}

/// Why no runner was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// There is none.
    #[error("the file has no `[[runners]]`")]
    NoRunners,
    /// There are several, and no name was given.
    #[error("the file has {} runners", available.len())]
    NameNeeded {
        /// Their names.
        available: Vec<String>,
    },
    /// None has that name.
    #[error("no runner is called `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        available: Vec<String>,
    },
    /// Several have that name.
    #[error("several runners are called `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
}

/// How many names a hint lists.
const MAX_LISTED_NAMES: usize = 20;

impl SelectionError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let list = |names: &[String]| {
            let listed = names.iter().take(MAX_LISTED_NAMES).map(|name| format!("`{name}`"));
            let list = format!("the names are {}", listed.collect::<Vec<_>>().join(", "));
            match names.len().saturating_sub(MAX_LISTED_NAMES) {
                0 => list,
                more => format!("{list} and {more} more"),
            }
        };
        match self {
            Self::NoRunners => Some("register a runner with `gitlab-runner register`".into()),
            Self::NameNeeded { available } => {
                Some(format!("choose one with `--runner NAME`: {}", list(available)))
            }
            Self::Unknown { available, .. } => Some(list(available)),
            Self::SameName { .. } => Some("give each of them a `name` of its own".into()),
        }
    }
}
