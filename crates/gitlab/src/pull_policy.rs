//! When an image is pulled.

use std::fmt;
use std::str::FromStr;

/// A pull policy of the docker executor. Several in a list are tried in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// Pull, even if the image is there. The runner's default.
    Always,
    /// Pull if the image is not there.
    IfNotPresent,
    /// Never pull.
    Never,
}

impl PullPolicy {
    /// The name by which GitLab and the runner know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfNotPresent => "if-not-present",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for PullPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that names no pull policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pull policy: use `always`, `if-not-present` or `never`")]
pub struct UnknownPullPolicy(
    /// The text.
    pub String,
);

impl FromStr for PullPolicy {
    type Err = UnknownPullPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Always, Self::IfNotPresent, Self::Never]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| UnknownPullPolicy(text.to_owned()))
    }
}
