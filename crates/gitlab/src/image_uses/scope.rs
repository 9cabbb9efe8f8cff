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
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        job: &'a Job,
        instance: &Instance,
        image: &str,
        runner: &RunnerConfig,
        predefined: &Predefined,
        extra: &[Variable],
    ) -> Result<Self, ExpansionError> {
        let facts = JobFacts { name: &instance.name, stage: &job.stage, image };
        let mut of_gitlab = predefined.variables(facts);
        of_gitlab.retain(|variable| !predefined::is_stand_in(&variable.key));
        of_gitlab.extend(job.variables.iter().chain(&instance.variables).chain(extra).cloned());
        let mut expanded = runner.environment.clone();
        expanded.extend(variables::expand_between(&of_gitlab)?);
        let expanded = variables::expand_all(&expanded)?;
        let defined = runner.environment.iter().cloned().chain(of_gitlab).collect();
        Ok(Self { defined, expanded, of_rules: &job.variables_of_rules })
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        variables::last_value(&self.expanded, key)
    }

    pub(super) fn image(&self, written: &str) -> Result<ImageUse, ExpansionError> {
        let (unresolved, may_differ) = self.dependencies(written);
        let name = match unresolved.is_empty() && !written.contains("$[[") {
            true => Some(self.expand(written, "the name of an image")?),
            false => None,
        };
        Ok(ImageUse { written: written.to_owned(), name, unresolved, may_differ })
    }

    pub(super) fn expand(&self, text: &str, subject: &str) -> Result<String, ExpansionError> {
        let values = LastValues::of(&self.expanded);
        variables::expand(text, |key| values.get(key))
            .ok_or_else(|| ExpansionError::TooLong { subject: subject.to_owned() })
    }

    /// The variables behind a text, whatever stands between: those that nobody here defines, and those that rules may
    /// define otherwise.
    fn dependencies(&self, text: &str) -> (Vec<String>, Vec<String>) {
        let (mut unresolved, mut may_differ) = (Vec::new(), Vec::new());
        let mut seen: HashSet<&str> = HashSet::new();
        let mut next: Vec<&str> = variables::referenced_names(text);
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            if self.of_rules.iter().any(|of_rules| of_rules == name) {
                may_differ.push(name.to_owned());
            }
            match self.defined.iter().rev().find(|variable| variable.key == name) {
                Some(variable) if variable.is_raw => {}
                Some(variable) => next.extend(variables::referenced_names(&variable.value)),
                None => unresolved.push(name.to_owned()),
            }
        }
        unresolved.sort_unstable();
        may_differ.sort_unstable();
        (unresolved, may_differ)
    }
}
