//! Whether tags stay with their images ("Preventing image tags from being overwritten", Amazon ECR user guide).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::registry::names::{InvalidName, Tag};

/// How many filters there can be, and how many wildcards in one (Amazon ECR API reference,
/// ImageTagMutabilityExclusionFilter, and the page above).
pub(crate) const MAX_FILTERS: usize = 5;
const MAX_WILDCARDS: usize = 2;
const MAX_FILTER: usize = 128;

/// What holds for tags, and for which of them the opposite does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TagMutability {
    #[serde(default)]
    pub(crate) immutable: bool,
    #[serde(default)]
    pub(crate) exclusions: Vec<TagFilter>,
}

impl TagMutability {
    /// Whether a tag, once given, stays with its image.
    pub(crate) fn protects(&self, tag: &Tag) -> bool {
        self.immutable != self.exclusions.iter().any(|filter| filter.matches(tag.as_str()))
    }

    /// The name that the API has for it.
    pub(crate) const fn name(&self) -> &'static str {
        match (self.immutable, self.exclusions.is_empty()) {
            (false, true) => "MUTABLE",
            (true, true) => "IMMUTABLE",
            (false, false) => "MUTABLE_WITH_EXCLUSION",
            (true, false) => "IMMUTABLE_WITH_EXCLUSION",
        }
    }
}

/// A tag in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TagFilter(String);

impl TagFilter {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, tag: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == tag };
        let Some(middle) = tag.strip_prefix(first) else { return false };
        match rest.split_once('*') {
            None => middle.ends_with(rest),
            Some((between, last)) => middle.strip_suffix(last).is_some_and(|middle| middle.contains(between)),
        }
    }
}

impl FromStr for TagFilter {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
        let valid = (1..=MAX_FILTER).contains(&text.len())
            && text.bytes().all(is_letter)
            && text.matches('*').count() <= MAX_WILDCARDS;
        if valid { Ok(Self(text.into())) } else { Err(InvalidName("filter of tags")) }
    }
}

impl TryFrom<String> for TagFilter {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<TagFilter> for String {
    fn from(filter: TagFilter) -> Self {
        filter.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_filter_turns_the_rule_round() {
        let filter = |text: &str| text.parse::<TagFilter>().unwrap();
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        let exclusions = vec![filter("latest"), filter("dev-*"), filter("*rc*x")];
        for immutable in [true, false] {
            let mutability = TagMutability { immutable, exclusions: exclusions.clone() };
            for excluded in ["latest", "dev-", "dev-1", "rcx", "1rc2x"] {
                assert_eq!(mutability.protects(&tag(excluded)), !immutable, "{excluded}");
            }
            for other in ["v1", "latest1", "dev", "rc", "1rc2"] {
                assert_eq!(mutability.protects(&tag(other)), immutable, "{other}");
            }
        }
        // The two ends of a filter are different letters of the tag.
        assert!(!filter("ab*ba").matches("aba"));
        for text in ["", "a b", "***", "/", &"a".repeat(129)] {
            assert!(text.parse::<TagFilter>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_filter_matches_what_its_wildcards_are_replaced_by(
            first in "[a-z]{0,5}", second in "[a-z]{0,5}", third in "[a-z]{0,5}", any in "[a-z]{0,5}", other in "[a-z]{0,5}",
        ) {
            let filter = format!("{first}*{second}*{third}").parse::<TagFilter>().unwrap();
            let tag = format!("{first}{any}{second}{other}{third}");
            prop_assert!(filter.matches(&tag));
        }

        #[test]
        fn any_text_is_a_filter_or_an_error(text in any::<String>(), tag in any::<String>()) {
            let _ = text.parse::<TagFilter>().map(|filter| filter.matches(&tag));
        }
    }
}
