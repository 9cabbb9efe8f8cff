//! What a private registry is set to: repository creation templates, pull-through cache rules, and whether it mounts
//! blobs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CacheRules, RepositoryPrefix, Settings, StoreError, TagMutability};
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::registry::names::RepositoryName;

/// Settings of one registry. New ones have no templates and mount nothing ("Blob mounting in Amazon ECR", Amazon ECR
/// user guide: it has to be enabled).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RegistrySettings {
    templates: BTreeMap<RepositoryPrefix, CreationTemplate>,
    pub(crate) blob_mounting: bool,
    #[serde(default)]
    pub(crate) cache_rules: CacheRules,
}

impl RegistrySettings {
    pub(crate) fn templates(&self) -> impl Iterator<Item = (&RepositoryPrefix, &CreationTemplate)> {
        self.templates.iter()
    }

    pub(crate) fn template(&self, prefix: &RepositoryPrefix) -> Option<&CreationTemplate> {
        self.templates.get(prefix)
    }

    pub(crate) fn add_template(
        &mut self,
        prefix: RepositoryPrefix,
        template: CreationTemplate,
    ) -> Result<(), StoreError> {
        if self.templates.contains_key(&prefix) {
            return Err(StoreError::TemplateExists);
        }
        self.templates.insert(prefix, template);
        Ok(())
    }

    /// Adds a template, or puts it in the place of the one for the same prefix.
    pub(crate) fn put_template(&mut self, prefix: RepositoryPrefix, template: CreationTemplate) {
        self.templates.insert(prefix, template);
    }

    pub(crate) fn remove_template(
        &mut self,
        prefix: &RepositoryPrefix,
    ) -> Result<CreationTemplate, StoreError> {
        self.templates.remove(prefix).ok_or(StoreError::NoTemplate)
    }

    /// The template by which a repository is created: the one with the longest prefix that fits.
    pub(crate) fn template_for(
        &self,
        name: &RepositoryName,
        reason: AppliedFor,
    ) -> Option<&CreationTemplate> {
        let fits = self.templates.iter().filter(|(prefix, _)| prefix.rest_of(name).is_some());
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

impl CreationTemplate {
    /// What a repository is created with.
    pub(crate) fn settings(&self) -> Settings {
        Settings { tags: self.tags.clone(), mutability: self.mutability.clone(), policy: self.policy.clone() }
    }
}

/// Why ECR creates a repository by itself (Amazon ECR API reference, RepositoryCreationTemplate). The emulator
/// replicates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AppliedFor {
    Replication,
    PullThroughCache,
    CreateOnPush,
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
