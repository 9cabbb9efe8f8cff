//! One job with everything that it inherits.

use std::sync::Arc;

use indexmap::IndexMap;

use super::MAX_NESTING;
use super::error::{CiError, CiProblem, JobError};
use super::image::{self, Image, Service};
use super::matrix::{self, Parallel};
use super::read;
use super::refer::Referrer;
use super::warning::{CiWarning, CiWarningKind};
use crate::position::Position;
use crate::variables::Variable;
use crate::yaml::{Node, Plain};

/// A job as a runner gets it, except that variables are not expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its stage, `test` by default.
    pub stage: String,
    /// Its image, if the pipeline names one.
    pub image: Option<Image>,
    /// Its services.
    pub services: Vec<Service>,
    /// The variables of the pipeline and of the job, those of the job in place of the pipeline's.
    pub variables: Vec<Variable>,
    /// Commands that run before `script` in the same shell.
    pub before_script: Vec<String>,
    /// The commands; none for a job of steps.
    pub script: Vec<String>,
    /// Where `run` stands, if the job is one of steps (<https://docs.gitlab.com/ci/yaml/#run>).
    pub steps: Option<Position>,
    /// Commands that run afterwards in a shell of their own, whatever became of the script.
    pub after_script: Vec<String>,
    /// How many jobs GitLab makes of it. A local run runs it once.
    pub parallel: Parallel,
    /// The names of the variables in which GitLab gives it ID tokens.
    pub id_tokens: Vec<String>,
    /// The names of the variables that GitLab takes from an external store of secrets.
    pub secrets: Vec<String>,
    /// The names of variables that `rules`, which are not evaluated, may give other values than `variables` has: those
    /// of the job's own rules, and those of the workflow's where the job inherits the name and does not set it itself.
    pub variables_of_rules: Vec<String>,
    /// Where its name stands in the pipeline.
    pub position: Position,
    /// What a local run does not follow.
    pub warnings: Vec<CiWarning>,
}

/// The keyword for ID tokens, which GitLab alone can make.
pub(crate) const ID_TOKENS: &str = "id_tokens";

/// Keywords that change what runs and that are not followed, with what is missing then.
const NOT_FOLLOWED: [(&str, &str); 4] = [
    ("parallel", "the job runs once, without the variables of a matrix"),
    ("secrets", "the variables that it defines are missing"),
    (ID_TOKENS, "the variables that it defines are missing"),
    ("hooks", "its scripts do not run"),
];

/// Reads the job `name` from its top-level value, which is complete.
pub(super) fn read_job(name: &str, node: &Node, referrer: &mut Referrer<'_>) -> Result<Job, JobError> {
    let subject = format!("job `{name}`");
    read::mapping(node, &subject, "a mapping with `script`")?;
    if let Some(position) = node.key_position("trigger") {
        return Err(JobError::NoShell { name: name.into(), keyword: "trigger", position });
    }
    let defaults = Defaults::of(node, referrer)?;
    let value = |keyword: &str| defaults.value(node, keyword);
    let commands = |keyword: &'static str| match value(keyword) {
        Some(commands) => read::commands(commands, keyword),
        None => Ok(Vec::new()),
    };

    let steps = node.key_position("run");
    let script = match node.member("script") {
        Some(script) => read::commands(script, "script")?,
        None if steps.is_some() => Vec::new(),
        None => {
            return Err(CiError::new(
                node.position,
                CiProblem::NoScript { job: name.to_owned(), has_include: referrer.has_include() },
            )
            .into());
        }
    };
    let parallel =
        node.member("parallel").map(|node| matrix::parallel(node)).transpose()?.unwrap_or_default();
    let stage = node.member("stage").map(|stage| read::text(stage, "`stage`"));
    Ok(Job {
        name: name.to_owned(),
        stage: stage.transpose()?.unwrap_or_else(|| "test".to_owned()),
        image: value("image").map(|node| image::image(node)).transpose()?,
        services: value("services").map(|node| image::services(node)).transpose()?.unwrap_or_default(),
        variables: variables(node, &subject, referrer)?,
        before_script: commands("before_script")?,
        script,
        steps,
        after_script: commands("after_script")?,
        variables_of_rules: variables_of_rules(node, &parallel, referrer)?,
        parallel,
        secrets: node.member("secrets").map_or_else(Vec::new, |node| keys_of(node)),
        id_tokens: value(ID_TOKENS).map_or_else(Vec::new, |node| keys_of(node)),
        position: node.position,
        warnings: warnings(name, node),
    })
}

/// `default`, and the older form of it: the same keywords at the top level.
struct Defaults {
    default: Option<Arc<Node>>,
    top_level: IndexMap<&'static str, Arc<Node>>,
    inherit: Inherit,
}

/// The keywords that are read and may have a default.
pub(super) const WITH_DEFAULT: [&str; 4] = ["image", "services", "before_script", "after_script"];

impl Defaults {
    fn of(job: &Node, referrer: &mut Referrer<'_>) -> Result<Self, CiError> {
        let inherit = Inherit::read(job, "default")?;
        let default = referrer.complete("default")?.filter(|default| !default.is_null());
        if let Some(default) = &default {
            read::mapping(default, "`default`", "a mapping of keywords")?;
        }
        let mut top_level = IndexMap::new();
        for keyword in WITH_DEFAULT {
            top_level.extend(referrer.complete(keyword)?.map(|node| (keyword, node)));
        }
        Ok(Self { default, top_level, inherit })
    }

    /// The job's own value, else the inherited one. `null` counts as not given.
    fn value<'a>(&'a self, job: &'a Node, keyword: &str) -> Option<&'a Arc<Node>> {
        let default = || {
            let in_default = self.default.as_ref().and_then(|default| default.member(keyword));
            in_default.or_else(|| self.top_level.get(keyword).filter(|node| !node.is_null()))
        };
        job.member(keyword).or_else(|| if self.inherit.allows(keyword) { default() } else { None })
    }
}

/// `inherit:default` and `inherit:variables`.
enum Inherit {
    All(bool),
    Only(Vec<String>),
}

impl Inherit {
    fn read(job: &Node, keyword: &str) -> Result<Self, CiError> {
        let Some(node) = job.member("inherit").and_then(|inherit| inherit.member(keyword)) else {
            return Ok(Self::All(true));
        };
        if let Some(Plain::Bool(all)) = node.as_plain() {
            return Ok(Self::All(all));
        }
        let expected = "`true`, `false` or a list of names";
        let subject = format!("`inherit:{keyword}`");
        let names = node.as_sequence().ok_or_else(|| CiError::form(node, &subject, expected))?;
        let names =
            names.iter().map(|name| read::word(name).ok_or_else(|| CiError::form(name, &subject, expected)));
        Ok(Self::Only(names.collect::<Result<_, _>>()?))
    }

    fn allows(&self, name: &str) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Only(names) => names.iter().any(|allowed| allowed == name),
        }
    }
}

fn variables(job: &Node, subject: &str, referrer: &mut Referrer<'_>) -> Result<Vec<Variable>, CiError> {
    let inherit = Inherit::read(job, "variables")?;
    let of_pipeline = match referrer.complete("variables")?.filter(|node| !node.is_null()) {
        Some(node) => read::variables(&node, "`variables`")?,
        None => Vec::new(),
    };
    let of_job = match job.member("variables") {
        Some(node) => read::variables(node, &format!("`variables` of {subject}"))?,
        None => Vec::new(),
    };
    let inherited = of_pipeline.into_iter().filter(|variable| inherit.allows(&variable.key));
    let by_key: IndexMap<String, Variable> =
        inherited.chain(of_job).map(|variable| (variable.key.clone(), variable)).collect();
    Ok(by_key.into_values().collect())
}

fn keys_of(node: &Node) -> Vec<String> {
    node.as_mapping().map(|members| members.keys().map(ToString::to_string).collect()).unwrap_or_default()
}

/// What `rules:variables` may set, and `workflow:rules:variables` where nothing of the job stands above it: GitLab lays
/// those of the workflow over the pipeline's variables before the job inherits them, and those of a job's rules over the
/// job's own and its matrix's (`lib/gitlab/ci/pipeline/seed/build.rb`).
fn variables_of_rules(
    job: &Node,
    parallel: &Parallel,
    referrer: &mut Referrer<'_>,
) -> Result<Vec<String>, CiError> {
    let inherit = Inherit::read(job, "variables")?;
    let of_job = job.member("variables").and_then(|variables| variables.as_mapping());
    let of_matrix = parallel.names();
    let is_of_job =
        |name: &str| of_matrix.contains(name) || of_job.is_some_and(|variables| variables.contains_key(name));
    let mut names = Vec::new();
    if let Some(workflow) = referrer.complete("workflow")? {
        collect_variables_of_rules(&workflow, &mut names);
    }
    names.retain(|name| inherit.allows(name) && !is_of_job(name));
    collect_variables_of_rules(job, &mut names);
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn collect_variables_of_rules(holder: &Node, names: &mut Vec<String>) {
    if let Some(rules) = holder.member("rules") {
        collect_variables_of_nested_rules(rules, MAX_NESTING, names);
    }
}

/// Rules may stand in lists within the list, as `!reference` puts them there.
fn collect_variables_of_nested_rules(rules: &Node, depth: usize, names: &mut Vec<String>) {
    for item in rules.as_sequence().unwrap_or_default() {
        if let Some(variables) = item.member("variables").and_then(|variables| variables.as_mapping()) {
            names.extend(variables.keys().map(ToString::to_string));
        }
        if depth > 0 {
            collect_variables_of_nested_rules(item, depth - 1, names);
        }
    }
}

fn warnings(name: &str, job: &Node) -> Vec<CiWarning> {
    let warning = |position: Position, keyword, effect| CiWarning {
        position,
        kind: CiWarningKind::KeywordNotFollowed { keyword, job: name.to_owned(), effect },
    };
    let mut warnings: Vec<CiWarning> = NOT_FOLLOWED
        .into_iter()
        .filter_map(|(keyword, effect)| Some(warning(job.key_position(keyword)?, keyword, effect)))
        .collect();
    let rules = job.member("rules").and_then(|rules| rules.as_sequence()).unwrap_or_default();
    if let Some(position) = rules.iter().find_map(|rule| rule.key_position("variables")) {
        warnings.push(warning(position, "rules", "the variables that they define are missing"));
    }
    warnings
}
