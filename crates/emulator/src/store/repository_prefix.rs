//! The beginnings of repository names that settings of a registry are for.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::registry::names::{InvalidName, RepositoryName};

/// The repositories that a template or a pull-through cache rule is for: `team/app` stands for all that begin with
/// `team/app/`, and `ROOT` for all that no other prefix is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RepositoryPrefix(String);

impl RepositoryPrefix {
    const ROOT: &str = "ROOT";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What names begin with, unless they may begin with anything.
    pub(super) fn written(&self) -> Option<&str> {
        (self.0 != Self::ROOT).then_some(&*self.0)
    }

    /// What a name has behind the prefix, if it begins with it.
    pub(crate) fn rest_of<'a>(&self, name: &'a RepositoryName) -> Option<&'a str> {
        match self.written() {
            Some(prefix) => name.as_str().strip_prefix(prefix)?.strip_prefix('/'),
            None => Some(name.as_str()),
        }
    }

    /// Of the prefixes that a name begins with, the one with the largest number counts.
    pub(super) fn specificity(&self) -> usize {
        self.written().map_or(0, str::len)
    }
}

impl FromStr for RepositoryPrefix {
    type Err = InvalidName;

    /// A slash at the end is assumed, so one that is written means nothing more.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == Self::ROOT {
            return Ok(Self(text.into()));
        }
        let prefix = text.strip_suffix('/').unwrap_or(text);
        // One letter is enough for a prefix, and too little for a repository.
        let probe = format!("{prefix}/x");
        probe.parse::<RepositoryName>().map(|_| Self(prefix.into()))
    }
}

impl TryFrom<String> for RepositoryPrefix {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RepositoryPrefix> for String {
    fn from(prefix: RepositoryPrefix) -> Self {
        prefix.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_prefix_is_the_beginning_of_a_name_or_root() {
        for prefix in ["ROOT", "a", "team/app", "team/"] {
            assert!(prefix.parse::<RepositoryPrefix>().is_ok(), "{prefix}");
        }
        for prefix in ["", "/", "root/", "Team", "a//", "a/../b", &"a".repeat(256)] {
            assert_eq!(prefix.parse::<RepositoryPrefix>().is_ok(), prefix == "root/", "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_prefix_or_an_error(text in any::<String>()) {
            let _ = text.parse::<RepositoryPrefix>();
        }
    }
}
