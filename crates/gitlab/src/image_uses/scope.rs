//! What is known of a job's variables, and what is not.

use std::collections::HashSet;

use super::ImageUse;
use crate::ci::{Instance, Job};
use crate::config_toml::RunnerConfig;
use crate::predefined::{self, JobFacts, Predefined};
use crate::variables::{self, ExpansionError, LastValues, Variable};

/// The variables of one job: as they are defined, and as the runner would have them.
pub(super) struct Scope<'a> {
    defined: Vec<Variable>,
    expanded: Vec<Variable>,
    of_rules: &'a [String],
    /// Variables above all that `rules` may set.
    above_rules: &'a [Variable],
}

/// What stands behind a text: names of variables.
#[derive(Default)]
pub(super) struct Dependencies {
    /// Those that nobody here defines.
    pub(super) unresolved: Vec<String>,
    /// Those that rules may define otherwise.
    may_differ: Vec<String>,
    /// What stands in braces and can be no name, such as `A:-x`.
    without_meaning: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        job: &'a Job,
        instance: &Instance,
        image: &str,
        runner: &RunnerConfig,
        predefined: &Predefined,
        extra: &'a [Variable],
    ) -> Result<Self, ExpansionError> {
        let facts = JobFacts { name: &instance.name, stage: &job.stage, image };
        let mut of_gitlab = predefined.variables(facts);
        of_gitlab.retain(|variable| !predefined::is_stand_in(&variable.key));
        of_gitlab.extend(job.variables.iter().chain(&instance.variables).chain(extra).cloned());
        let mut expanded = runner.environment.clone();
        expanded.extend(variables::expand_between(&of_gitlab)?);
        let expanded = variables::expand_all(&expanded)?;
        let defined = runner.environment.iter().cloned().chain(of_gitlab).collect();
        Ok(Self { defined, expanded, of_rules: &job.variables_of_rules, above_rules: extra })
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        variables::last_value(&self.expanded, key)
    }

    pub(super) fn image(&self, written: &str) -> Result<ImageUse, ExpansionError> {
        let Dependencies { unresolved, may_differ, without_meaning } = self.dependencies(written);
        let name = match unresolved.is_empty() && !written.contains("$[[") {
            true => Some(self.expand(written, "the name of an image")?),
            false => None,
        };
        Ok(ImageUse { written: written.to_owned(), name, unresolved, may_differ, without_meaning })
    }

    pub(super) fn expand(&self, text: &str, subject: &str) -> Result<String, ExpansionError> {
        let values = LastValues::of(&self.expanded);
        variables::expand(text, |key| values.get(key))
            .ok_or_else(|| ExpansionError::TooLong { subject: subject.to_owned() })
    }

    /// The variables behind a text, whatever stands between.
    pub(super) fn dependencies(&self, text: &str) -> Dependencies {
        let mut found = Dependencies::default();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut next: Vec<&str> = variables::referenced_names(text);
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            let is_above_rules = self.above_rules.iter().any(|variable| variable.key == name);
            if !is_above_rules && self.of_rules.iter().any(|of_rules| of_rules == name) {
                found.may_differ.push(name.to_owned());
            }
            match self.defined.iter().rev().find(|variable| variable.key == name) {
                Some(variable) if variable.is_raw => {}
                Some(variable) => next.extend(variables::referenced_names(&variable.value)),
                None if variables::is_name(name) => found.unresolved.push(name.to_owned()),
                // The runner takes it for a variable that nobody has set.
                None => found.without_meaning.push(name.to_owned()),
            }
        }
        found.unresolved.sort_unstable();
        found.may_differ.sort_unstable();
        found.without_meaning.sort_unstable();
        found
    }
}
