//! CI/CD variables: their levels, and how their values are expanded.
//!
//! Two programs expand them, one after the other. GitLab expands references between the variables of
//! `.gitlab-ci.yml` before it hands the job out, and leaves what it does not know; the runner expands all
//! variables once more, where what is unknown becomes empty (GitLab documentation, "Where variables can be used").

mod expand_gitlab;
mod expand_runner;

use std::collections::HashMap;
use std::fmt;

pub use expand_gitlab::expand_between;
pub use expand_runner::{expand, is_name, referenced_names};

/// The name of the variable that holds registry credentials.
pub const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// The longest value, in bytes: Linux takes no longer string in a process's environment (`MAX_ARG_STRLEN`).
pub const MAX_VALUE_BYTES: usize = 128 * 1024;

/// The most that all values together may have, in bytes: Linux takes no larger environment by default (`ARG_MAX`).
pub const MAX_TOTAL_BYTES: usize = 2 * 1024 * 1024;

/// One variable. `Debug` shows no value, because many variables are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
    /// Never expanded: `expand: false` in `.gitlab-ci.yml`, "Expand variable" switched off in GitLab's settings.
    pub is_raw: bool,
    /// Also given to services. Variables from GitLab's settings and pipeline variables are not.
    pub is_public: bool,
}

impl fmt::Debug for Variable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Variable").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Variable {
    /// A public variable whose value is expanded.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), is_raw: false, is_public: true }
    }

    /// The same variable, but never expanded.
    #[must_use]
    pub fn raw(self) -> Self {
        Self { is_raw: true, ..self }
    }

    /// The same variable, but not given to services.
    #[must_use]
    pub fn private(self) -> Self {
        Self { is_public: false, ..self }
    }
}

/// Why variables could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpansionError {
    /// A text grows beyond [`MAX_VALUE_BYTES`].
    #[error("{subject} becomes longer than {MAX_VALUE_BYTES} bytes when variables are replaced")]
    TooLong {
        /// What it is, such as ``variable `A` ``.
        subject: String,
    },
    /// All values together grow beyond [`MAX_TOTAL_BYTES`].
    #[error("the variables become longer than {MAX_TOTAL_BYTES} bytes in all")]
    TooMuch,
}

impl ExpansionError {
    fn of_variable(variable: &Variable) -> Self {
        Self::TooLong { subject: format!("variable `{}`", variable.key) }
    }
}

/// The value of the last variable called `key`: the runner puts higher levels behind lower ones (`spec/variables.go`).
pub fn last_value<'a>(variables: &'a [Variable], key: &str) -> Option<&'a str> {
    variables.iter().rev().find(|variable| variable.key == key).map(|variable| variable.value.as_str())
}

/// All variables with their values expanded once against all of them, as the runner does (`JobVariables.Expand`).
pub fn expand_all(variables: &[Variable]) -> Result<Vec<Variable>, ExpansionError> {
    expand_against(variables, &LastValues::of(variables))
}

/// Variables with their values expanded once against others.
pub fn expand_against(
    variables: &[Variable],
    last_values: &LastValues<'_>,
) -> Result<Vec<Variable>, ExpansionError> {
    let mut budget = Budget::default();
    let expanded = variables.iter().map(|variable| {
        let value = match variable.is_raw {
            true => variable.value.clone(),
            false => expand(&variable.value, |key| last_values.get(key))
                .ok_or_else(|| ExpansionError::of_variable(variable))?,
        };
        let expanded = Variable { value, ..variable.clone() };
        budget.spend(&expanded)?;
        Ok(expanded)
    });
    expanded.collect()
}

/// What is left of [`MAX_TOTAL_BYTES`].
struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_TOTAL_BYTES)
    }
}

impl Budget {
    fn spend(&mut self, variable: &Variable) -> Result<(), ExpansionError> {
        if variable.value.len() > MAX_VALUE_BYTES {
            return Err(ExpansionError::of_variable(variable));
        }
        let cost = variable.key.len() + variable.value.len();
        self.0 = self.0.checked_sub(cost).ok_or(ExpansionError::TooMuch)?;
        Ok(())
    }
}

/// Values by name, where of several variables of one name the last counts.
pub struct LastValues<'a>(HashMap<&'a str, &'a str>);

impl<'a> LastValues<'a> {
    /// Takes the values of `variables`.
    pub fn of(variables: &'a [Variable]) -> Self {
        Self(variables.iter().map(|variable| (variable.key.as_str(), variable.value.as_str())).collect())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_names_counts_for_look_ups_and_expansion() {
        let variables = [Variable::new("A", "low"), Variable::new("B", "$A"), Variable::new("A", "high")];
        assert_eq!(last_value(&variables, "A"), Some("high"));
        assert_eq!(last_value(&expand_all(&variables).unwrap(), "B"), Some("high"));
    }

    #[test]
    fn the_runner_expands_once_and_not_what_is_raw() {
        let variables = [
            Variable::new("A", "$B"),
            Variable::new("B", "$C"),
            Variable::new("C", "c"),
            Variable::new("R", "$C").raw(),
        ];
        let expanded = expand_all(&variables).unwrap();
        assert_eq!(last_value(&expanded, "A"), Some("$C"));
        assert_eq!(last_value(&expanded, "R"), Some("$C"));
    }

    #[test]
    fn values_that_grow_too_long_are_refused() {
        let long = Variable::new("A", "x".repeat(MAX_VALUE_BYTES / 2 + 1));
        let variables = [long, Variable::new("B", "$A$A")];
        let message = expand_all(&variables).unwrap_err().to_string();
        assert!(message.starts_with("variable `B` becomes longer than"), "{message}");
        let many: Vec<Variable> =
            (0..40).map(|_| Variable::new("A", "x".repeat(MAX_VALUE_BYTES / 2))).collect();
        assert_eq!(expand_all(&many), Err(ExpansionError::TooMuch));
        let endless = [Variable::new("A", "$B".repeat(1_000_000)), Variable::new("B", "x".repeat(100_000))];
        assert!(expand_all(&endless).is_err());
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", Variable::new("A", "s3cr3t")).contains("s3cr3t"));
    }
}
