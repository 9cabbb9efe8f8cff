//! `parallel`: one job that GitLab makes several of.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::{CiError, CiProblem, has_input};
use super::read;
use crate::variables::Variable;
use crate::yaml::{Content, Node, Plain};

/// The most jobs that one may become (GitLab, "CI/CD YAML syntax reference", `parallel`).
pub const MAX_INSTANCES: usize = 200;

/// `parallel` of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Parallel {
    /// The job runs once.
    #[default]
    Once,
    /// It runs that many times.
    Times(usize),
    /// It runs once for each of these sets of variables.
    Matrix(Vec<Vec<(String, String)>>),
}

/// One of the jobs that GitLab makes of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name, such as `build: [linux, amd64]` or `test 1/5`.
    pub name: String,
    /// The variables that only it has; those of a matrix stand above those of the job.
    pub variables: Vec<Variable>,
}

impl Parallel {
    /// The names of the variables that every set of a matrix has.
    pub(super) fn names(&self) -> HashSet<&str> {
        let Self::Matrix(sets) = self else { return HashSet::new() };
        let has_it = |name: &str, set: &[(String, String)]| set.iter().any(|(key, _)| key == name);
        let of_first = sets.iter().take(1).flatten().map(|(key, _)| key.as_str());
        of_first.filter(|name| sets.iter().all(|set| has_it(name, set))).collect()
    }

    /// The jobs that GitLab makes of the job `name` (`lib/gitlab/ci/config/normalizer/`).
    pub fn instances(&self, name: &str) -> Vec<Instance> {
        let numbered = |index: usize, total: usize| {
            [("CI_NODE_INDEX", index + 1), ("CI_NODE_TOTAL", total)]
                .map(|(key, number)| Variable::new(key, number.to_string()).raw())
        };
        match self {
            Self::Once => vec![Instance { name: name.to_owned(), variables: Vec::new() }],
            Self::Times(total) => (0..*total)
                .map(|index| Instance {
                    name: format!("{name} {}/{total}", index + 1),
                    variables: numbered(index, *total).into(),
                })
                .collect(),
            Self::Matrix(sets) => sets
                .iter()
                .enumerate()
                .map(|(index, set)| {
                    let values: Vec<&str> = set.iter().map(|(_, value)| value.as_str()).collect();
                    let own = set.iter().map(|(key, value)| Variable::new(key, value));
                    Instance {
                        name: format!("{name}: [{}]", values.join(", ")),
                        variables: numbered(index, sets.len()).into_iter().chain(own).collect(),
                    }
                })
                .collect(),
        }
    }
}

/// Reads the value of `parallel`.
pub(super) fn parallel(node: &Node) -> Result<Parallel, CiError> {
    let expected = "a number from 1 to 200, or a mapping with `matrix`";
    let wrong = || CiError::form(node, "`parallel`", expected);
    // How many jobs it makes changes nothing of what they use.
    if node.as_text().is_some_and(has_input) {
        return Ok(Parallel::Once);
    }
    if let Some(Plain::Number(number)) = node.as_plain() {
        let times = number.parse().ok().filter(|times| (1..=MAX_INSTANCES).contains(times));
        return times.map(Parallel::Times).ok_or_else(wrong);
    }
    let entries = node.member("matrix").and_then(|matrix| matrix.as_sequence()).ok_or_else(wrong)?;
    let mut sets = Vec::new();
    for entry in entries {
        add_combinations(entry, &mut sets)?;
    }
    if sets.is_empty() {
        return Err(wrong());
    }
    Ok(Parallel::Matrix(sets))
}

/// Adds every combination of the values of one entry, the last variable changing fastest.
fn add_combinations(entry: &Arc<Node>, sets: &mut Vec<Vec<(String, String)>>) -> Result<(), CiError> {
    let members =
        read::mapping(entry, "an entry of `matrix`", "a mapping of names and values or lists of values")?;
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (key, member) in members {
        let values = values(key, &member.value)?;
        if combinations.len().saturating_mul(values.len()).saturating_add(sets.len()) > MAX_INSTANCES {
            return Err(CiError::new(entry.position, CiProblem::MatrixTooLarge));
        }
        let extended = combinations.iter().flat_map(|combination| {
            values.iter().map(|value| {
                let mut combination = combination.clone();
                combination.push((key.to_string(), value.clone()));
                combination
            })
        });
        combinations = extended.collect();
    }
    sets.extend(combinations.into_iter().filter(|combination| !combination.is_empty()));
    Ok(())
}

fn values(key: &str, node: &Node) -> Result<Vec<String>, CiError> {
    let wrong = |node: &Node| {
        CiError::form(node, format!("`{key}` of `matrix`"), "a text, a number or a list of them")
    };
    match &node.content {
        Content::Sequence(items) => {
            items.iter().map(|item| read::word(item).ok_or_else(|| wrong(item))).collect()
        }
        _ => Ok(vec![read::word(node).ok_or_else(|| wrong(node))?]),
    }
}
