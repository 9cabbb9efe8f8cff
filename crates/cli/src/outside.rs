//! The outside world as the program found it at its start: read here once, and passed on as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use ecru_ecr::environment::Environment;

/// All variables of this process. Some values are secrets, so Debug shows names only.
#[derive(Clone, Default)]
pub(crate) struct Outside {
    variables: BTreeMap<OsString, OsString>,
}

impl Outside {
    /// The environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the edge at which the environment is read")]
    pub(crate) fn of_this_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// The value of a variable, if it is set and not empty.
    #[must_use]
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable as text.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variable(name)?.to_str()
    }

    /// `PATH`.
    #[must_use]
    pub(crate) fn search_path(&self) -> &OsStr {
        self.variable("PATH").unwrap_or_default()
    }

    /// `HOME`.
    #[must_use]
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// What of it matters to ECR.
    #[must_use]
    pub(crate) fn environment(&self) -> Environment {
        Environment::from_map(self.variables.clone())
    }

    /// All variables, for a child process.
    #[must_use]
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone().into_iter().collect()
    }

    /// The same with one variable set.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same without the variables of these names.
    #[must_use]
    pub(crate) fn without(mut self, names: &[String]) -> Self {
        self.variables.retain(|variable, _| !names.iter().any(|name| variable == OsStr::new(name)));
        self
    }

    /// The same without the variables whose names start with `prefix`.
    #[must_use]
    pub(crate) fn without_prefix(mut self, prefix: &str) -> Self {
        self.variables.retain(|name, _| !name.to_string_lossy().starts_with(prefix));
        self
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value() {
        let outside = Outside::default().with("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2");
        assert!(!format!("{outside:?}").contains("hunter2"));
    }

    #[test]
    fn variables_of_a_kind_can_be_taken_out() {
        let outside = Outside::default().with("AWS_REGION", "x").with("HOME", "/h").without_prefix("AWS_");
        assert_eq!(outside.variable("AWS_REGION"), None);
        assert_eq!(outside.home(), Some(PathBuf::from("/h")));
        assert_eq!(outside.without(&["HOME".to_owned()]).home(), None);
    }
}
