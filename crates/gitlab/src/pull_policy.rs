//! When an image is pulled.

use std::fmt;
use std::str::FromStr;

use crate::config_toml::RunnerConfig;

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

/// Which pull policies apply, and which are allowed (`common/config.go`, `GetAllowedPullPolicies`).
#[derive(Debug)]
pub(crate) struct PullPolicies {
    default: Vec<PullPolicy>,
    /// None without settings of a runner, which then restrict nothing.
    allowed: Option<Vec<PullPolicy>>,
}

impl PullPolicies {
    pub(crate) fn of(runner: Option<&RunnerConfig>) -> Self {
        let Some(RunnerConfig { docker, .. }) = runner else {
            return Self { default: vec![PullPolicy::Always], allowed: None };
        };
        let or = |policies: &[PullPolicy], otherwise: &[PullPolicy]| {
            if policies.is_empty() { otherwise.to_vec() } else { policies.to_vec() }
        };
        let default = or(&docker.pull_policies, &[PullPolicy::Always]);
        Self { allowed: Some(or(&docker.allowed_pull_policies, &default)), default }
    }

    /// Those that are tried for an image that asks for `asked`, in their order; never none.
    pub(crate) fn select(
        &self,
        image: &str,
        asked: &[PullPolicy],
    ) -> Result<Vec<PullPolicy>, ForbiddenPullPolicies> {
        let wanted = if asked.is_empty() { &self.default } else { asked };
        let Some(allowed) = &self.allowed else { return Ok(wanted.to_vec()) };
        let selected: Vec<PullPolicy> =
            wanted.iter().filter(|policy| allowed.contains(policy)).copied().collect();
        match selected.is_empty() {
            false => Ok(selected),
            true => Err(ForbiddenPullPolicies {
                image: image.to_owned(),
                wanted: wanted.to_vec(),
                allowed: allowed.clone(),
            }),
        }
    }
}

/// The runner's settings allow none of the pull policies that an image asks for, and its job fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the runner does not allow pull policy {} of image `{image}`", listed(.wanted))]
pub struct ForbiddenPullPolicies {
    /// The image, variables expanded.
    pub image: String,
    /// What is asked for.
    pub wanted: Vec<PullPolicy>,
    /// What is allowed.
    pub allowed: Vec<PullPolicy>,
}

impl ForbiddenPullPolicies {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        let allowed = listed(&self.allowed);
        format!("use {allowed}, or add the policy to `allowed_pull_policies` in `[runners.docker]`")
    }
}

fn listed(policies: &[PullPolicy]) -> String {
    policies.iter().map(|policy| format!("`{policy}`")).collect::<Vec<_>>().join(", ")
}
