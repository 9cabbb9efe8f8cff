//! What is known of a job's variables, and what is not.

use std::collections::HashSet;

use super::{ImageUse, UsesError, UsesRequest};
use crate::ci::{Image, Instance, Job, has_input};
use crate::config_toml::Puller;
use crate::predefined::{self, JobFacts};
use crate::pull_policy::{PullPolicies, PullPolicy};
use crate::variables::{self, ExpansionError, LastValues, Variable};

/// The names of the variables that tell the commit begin with it (GitLab, "Predefined CI/CD variables reference").
const OF_COMMIT: &str = "CI_COMMIT_";

/// The variables of one job: as they are defined, and as the runner would have them.
pub(super) struct Scope<'a> {
    policies: PullPolicies,
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
    /// Whether one of them tells the commit.
    is_of_commit: bool,
    /// What stands in braces and can be no name, such as `A:-x`.
    without_meaning: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        job: &'a Job,
        instance: &Instance,
        image: &str,
        request: &UsesRequest<'a>,
    ) -> Result<Self, ExpansionError> {
        let environment = request.runner.map_or(&[][..], |runner| &runner.environment);
        let extra = request.extra_variables;
        let facts = JobFacts { name: &instance.name, stage: &job.stage, image };
        let mut of_gitlab = request.predefined.variables(facts);
        of_gitlab.retain(|variable| !predefined::is_stand_in(&variable.key));
        of_gitlab.extend(job.variables.iter().chain(&instance.variables).chain(extra).cloned());
        let mut expanded = environment.to_vec();
        expanded.extend(variables::expand_between(&of_gitlab)?);
        let expanded = variables::expand_all(&expanded)?;
        let defined = environment.iter().cloned().chain(of_gitlab).collect();
        // Those of pods are in settings of their own.
        let runner = request.runner.filter(|runner| runner.puller() == Puller::DockerEngine);
        let policies = PullPolicies::of(runner);
        Ok(Self { policies, defined, expanded, of_rules: &job.variables_of_rules, above_rules: extra })
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        variables::last_value(&self.expanded, key)
    }

    pub(super) fn image(&self, image: &Image) -> Result<ImageUse, UsesError> {
        let written = &image.name;
        let Dependencies { unresolved, may_differ, without_meaning, is_of_commit } =
            self.dependencies(written);
        let name = match unresolved.is_empty() && !has_input(written) {
            true => Some(self.expand(written, "the name of an image")?),
            false => None,
        };
        let platform = image.platform.as_deref().filter(|platform| self.is_known(platform));
        let platform = platform.map(|platform| self.expand(platform, "the platform of an image"));
        let policies = self.policies.select(name.as_ref().unwrap_or(written), &image.pull_policies)?;
        Ok(ImageUse {
            written: written.clone(),
            name,
            unresolved,
            may_differ,
            is_of_commit,
            platform: platform.transpose()?,
            is_never_pulled: policies.iter().all(|policy| *policy == PullPolicy::Never),
            without_meaning,
        })
    }

    /// The variables behind the variable `key` that are not known; none if nobody defines it.
    pub(super) fn unknown_behind(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(_) => self.dependencies(&format!("${key}")).unresolved,
            None => Vec::new(),
        }
    }

    fn is_known(&self, text: &str) -> bool {
        self.dependencies(text).unresolved.is_empty() && !has_input(text)
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
            found.is_of_commit |= name.starts_with(OF_COMMIT);
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
