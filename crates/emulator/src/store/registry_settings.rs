//! What a private registry is set to: repository creation templates, and whether it mounts blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{StoreError, TagMutability};
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::registry::names::{InvalidName, RepositoryName};

/// Settings of one registry. New ones have no templates and mount nothing ("Blob mounting in Amazon ECR", Amazon ECR
/// user guide: it has to be enabled).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RegistrySettings {
    templates: BTreeMap<TemplatePrefix, CreationTemplate>,
    pub(crate) blob_mounting: bool,
}

impl RegistrySettings {
    pub(crate) fn templates(&self) -> impl Iterator<Item = (&TemplatePrefix, &CreationTemplate)> {
        self.templates.iter()
    }

    pub(crate) fn template(&self, prefix: &TemplatePrefix) -> Option<&CreationTemplate> {
        self.templates.get(prefix)
    }

    pub(crate) fn add_template(
        &mut self,
        prefix: TemplatePrefix,
        template: CreationTemplate,
    ) -> Result<(), StoreError> {
        if self.templates.contains_key(&prefix) {
            return Err(StoreError::TemplateExists);
        }
        self.templates.insert(prefix, template);
        Ok(())
    }

    /// Adds a template, or puts it in the place of the one for the same prefix.
    pub(crate) fn put_template(&mut self, prefix: TemplatePrefix, template: CreationTemplate) {
        self.templates.insert(prefix, template);
    }

    pub(crate) fn remove_template(
        &mut self,
        prefix: &TemplatePrefix,
    ) -> Result<CreationTemplate, StoreError> {
        self.templates.remove(prefix).ok_or(StoreError::NoTemplate)
    }

    /// The template by which a repository is created: the one with the longest prefix that fits.
    pub(crate) fn template_for(
        &self,
        name: &RepositoryName,
        reason: AppliedFor,
    ) -> Option<&CreationTemplate> {
        let fits = self.templates.iter().filter(|(prefix, _)| prefix.fits(name));
        let most_specific = fits.max_by_key(|(prefix, _)| prefix.specificity())?.1;
        most_specific.applied_for.contains(&reason).then_some(most_specific)
    }
}

/// What a repository that ECR creates by itself is like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CreationTemplate {
    pub(crate) description: String,
    pub(crate) applied_for: BTreeSet<AppliedFor>,
    #[serde(flatten)]
    pub(crate) mutability: TagMutability,
    pub(crate) tags: Tags,
    pub(crate) policy: Option<Policy>,
    pub(crate) custom_role_arn: Option<String>,
    /// In seconds since 1970.
    pub(crate) created: i64,
}

/// Why ECR creates a repository by itself (Amazon ECR API reference, RepositoryCreationTemplate). The emulator has only
/// the last of these reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AppliedFor {
    Replication,
    PullThroughCache,
    CreateOnPush,
}

/// The repositories that a template is for: `team/app` stands for all that begin with `team/app/`, and `ROOT` for all
/// that no other template is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TemplatePrefix(String);

impl TemplatePrefix {
    const ROOT: &str = "ROOT";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn fits(&self, name: &RepositoryName) -> bool {
        self.0 == Self::ROOT || name.as_str().strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }

    fn specificity(&self) -> usize {
        if self.0 == Self::ROOT { 0 } else { self.0.len() }
    }
}

impl FromStr for TemplatePrefix {
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

impl TryFrom<String> for TemplatePrefix {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<TemplatePrefix> for String {
    fn from(prefix: TemplatePrefix) -> Self {
        prefix.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(prefixes: &[(&str, AppliedFor)]) -> RegistrySettings {
        let mut settings = RegistrySettings::default();
        for (prefix, reason) in prefixes {
            let template = CreationTemplate {
                description: (*prefix).into(),
                applied_for: BTreeSet::from([*reason]),
                mutability: TagMutability::default(),
                tags: Tags::new(),
                policy: None,
                custom_role_arn: None,
                created: 0,
            };
            settings.add_template(prefix.parse().unwrap(), template).unwrap();
        }
        settings
    }

    #[test]
    fn the_longest_prefix_that_fits_decides() {
        use AppliedFor::{CreateOnPush, Replication};
        let settings = settings(&[
            ("ROOT", CreateOnPush),
            ("team", CreateOnPush),
            ("team/app/", CreateOnPush),
            ("copies", Replication),
        ]);
        let found = |name: &str| {
            let template = settings.template_for(&name.parse().unwrap(), CreateOnPush);
            template.map(|template| template.description.clone())
        };
        assert_eq!(found("team/app/x").as_deref(), Some("team/app/"));
        assert_eq!(found("team/apple").as_deref(), Some("team"));
        assert_eq!(found("team").as_deref(), Some("ROOT"));
        assert_eq!(found("teams/app").as_deref(), Some("ROOT"));
        assert_eq!(found("copies/app"), None);
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_name_or_root() {
        for prefix in ["ROOT", "a", "team/app", "team/"] {
            assert!(prefix.parse::<TemplatePrefix>().is_ok(), "{prefix}");
        }
        for prefix in ["", "/", "root/", "Team", "a//", "a/../b", &"a".repeat(256)] {
            assert_eq!(prefix.parse::<TemplatePrefix>().is_ok(), prefix == "root/", "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_prefix_or_an_error(text in any::<String>()) {
            let _ = text.parse::<TemplatePrefix>();
        }
    }
}
