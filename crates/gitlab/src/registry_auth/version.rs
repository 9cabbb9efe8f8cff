//! Versions of GitLab Runner.

use std::fmt;
use std::str::FromStr;

/// A released version of GitLab Runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunnerVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

/// Why a text names no version that can be asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It is no version at all.
    #[error("`{text}` is not a version of GitLab Runner")]
    Malformed {
        /// The text.
        text: String,
    },
    /// It is from before the rules that are known here.
    #[error("GitLab Runner {version} is too old: its rules are known from {} on", RunnerVersion::OLDEST)]
    TooOld {
        /// The version.
        version: RunnerVersion,
    },
}

impl VersionError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { .. } => {
                Some("write it as `gitlab-runner --version` does, for instance 18.11.0".to_owned())
            }
            Self::TooOld { .. } => None,
        }
    }
}

impl RunnerVersion {
    /// The first version that runs the helpers of `credHelpers` (merge request 1386).
    pub const OLDEST: Self = Self::new(12, 0, 0);

    /// The newest version whose rules are known in full; what counts where no version is named.
    pub const NEWEST: Self = Self::new(19, 3, 0);

    /// The newest version that anything is known of: that it has an allow-list for helpers.
    pub const NEWEST_IN_PART: Self = Self::new(19, 4, 0);

    /// A version by its numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether it is `since`, or follows it in the same minor series or in a later one.
    pub(super) fn is_at_least(self, since: Self) -> bool {
        self >= since
    }

    /// Whether it has a change that came with `since`, and was brought to older series by `back_ports`.
    pub(super) fn has(self, since: Self, back_ports: &[Self]) -> bool {
        self.is_at_least(since)
            || back_ports
                .iter()
                .any(|port| (self.major, self.minor) == (port.major, port.minor) && self.patch >= port.patch)
    }
}

impl Default for RunnerVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for RunnerVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for RunnerVersion {
    type Err = VersionError;

    /// Reads `18.11.0`, `v18.11.0` or `18.11`, which is its first release. What is built before a release, such as
    /// `19.4.0-rc1` or `19.4.0~pre.12.g0123abcd`, is taken for that release: its changes are in it, as far as one can tell.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let malformed = || VersionError::Malformed { text: text.to_owned() };
        let numbers: Vec<u16> = without_build(text.strip_prefix('v').unwrap_or(text))
            .split('.')
            .map(|number| match number.bytes().all(|byte| byte.is_ascii_digit()) {
                true => number.parse().map_err(|_| malformed()),
                false => Err(malformed()),
            })
            .collect::<Result<_, _>>()?;
        let version = match numbers[..] {
            [major, minor] => Self::new(major, minor, 0),
            [major, minor, patch] => Self::new(major, minor, patch),
            _ => return Err(malformed()),
        };
        if version < Self::OLDEST {
            return Err(VersionError::TooOld { version });
        }
        Ok(version)
    }
}

/// A version without what tells builds of it apart.
fn without_build(version: &str) -> &str {
    match version.split_once(['-', '~', '+']) {
        Some((release, build)) if !build.is_empty() => release,
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for text in ["18.11", "18.11.0", "v18.11.0", "18.11.0-rc1", "v18.11.0~pre.12.g0123abcd", "18.11.0+b"]
        {
            assert_eq!(text.parse(), Ok(RunnerVersion::new(18, 11, 0)), "for {text}");
        }
        for text in ["", "18", "18.x", "18.11.0.1", "18.+1", "18.99999", "latest", "18.11.0-", "-rc1"] {
            let error = text.parse::<RunnerVersion>().unwrap_err();
            assert!(matches!(error, VersionError::Malformed { .. }), "for {text}");
            assert!(error.hint().is_some());
        }
        let error = "11.11.4".parse::<RunnerVersion>().unwrap_err();
        assert_eq!(error.to_string(), "GitLab Runner 11.11.4 is too old: its rules are known from 12.0.0 on");
    }

    #[test]
    fn back_ports_count_in_their_own_series_only() {
        let has = |text: &str| {
            let version: RunnerVersion = text.parse().unwrap();
            version.has(
                RunnerVersion::new(19, 4, 0),
                &[RunnerVersion::new(19, 3, 2), RunnerVersion::new(19, 1, 3)],
            )
        };
        for with in ["19.4.0", "19.3.2", "19.3.9", "19.1.3", "20.0"] {
            assert!(has(with), "{with}");
        }
        for without in ["19.3.1", "19.2.9", "19.1.2", "18.3.9"] {
            assert!(!has(without), "{without}");
        }
    }
}
