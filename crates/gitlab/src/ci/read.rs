//! Values in the forms that GitLab accepts.

use std::str::FromStr;
use std::sync::Arc;

use super::error::{CiError, CiProblem, has_input};
use crate::pull_policy::PullPolicy;
use crate::variables::Variable;
use crate::yaml::{Content, Mapping, Node, Plain};

/// How deep lists of commands may be nested.
const MAX_COMMAND_NESTING: usize = 10;

/// A text, or a number or symbol as a text.
pub(super) fn word(node: &Node) -> Option<String> {
    match node.as_plain()? {
        Plain::Text(text) | Plain::Symbol(text) => Some(text.to_owned()),
        Plain::Number(number) => Some(number),
        Plain::Null | Plain::Bool(_) => None,
    }
}

/// The value of a variable: GitLab also takes `true` and `false`, and what Psych reads as such, and gives them to the
/// job as Ruby writes them (`lib/gitlab/config/entry/validators.rb`, `ScalarValidator`).
fn scalar(node: &Node) -> Option<String> {
    match node.as_plain()? {
        Plain::Bool(value) => Some(value.to_string()),
        _ => word(node),
    }
}

pub(super) fn text(node: &Node, subject: &str) -> Result<String, CiError> {
    node.as_text().map(str::to_owned).ok_or_else(|| CiError::form(node, subject, "a text"))
}

/// One text or a list of texts.
pub(super) fn names<'a>(node: &'a Node, subject: &str) -> Result<Vec<&'a str>, CiError> {
    if let Some(name) = node.as_text() {
        return Ok(vec![name]);
    }
    let expected = "a text or a list of texts";
    let items = node.as_sequence().ok_or_else(|| CiError::form(node, subject, expected))?;
    items.iter().map(|item| item.as_text().ok_or_else(|| CiError::form(item, subject, expected))).collect()
}

/// A list of texts, as `entrypoint` and `command` want it.
pub(super) fn texts(node: &Node, subject: &str) -> Result<Vec<String>, CiError> {
    let expected = "a list of texts, such as `[\"\"]`";
    let items = node.as_sequence().ok_or_else(|| CiError::form(node, subject, expected))?;
    items
        .iter()
        .map(|item| item.as_text().map(str::to_owned).ok_or_else(|| CiError::form(item, subject, expected)))
        .collect()
}

pub(super) fn mapping<'a>(
    node: &'a Node,
    subject: &str,
    expected: &'static str,
) -> Result<&'a Mapping, CiError> {
    node.as_mapping().ok_or_else(|| CiError::form(node, subject, expected))
}

/// Refuses keys that GitLab refuses, because a misspelt one would be passed over in silence.
pub(super) fn only_keywords(mapping: &Mapping, known: &[&str], subject: &str) -> Result<(), CiError> {
    for (keyword, member) in mapping {
        if !known.contains(&&**keyword) {
            let known = known.iter().map(|keyword| format!("`{keyword}`")).collect::<Vec<_>>().join(", ");
            return Err(CiError::new(
                member.key_position,
                CiProblem::UnknownKeyword { subject: subject.into(), keyword: keyword.to_string(), known },
            ));
        }
    }
    Ok(())
}

pub(super) fn pull_policies(node: &Node, subject: &str) -> Result<Vec<PullPolicy>, CiError> {
    let names = names(node, subject)?;
    names
        .into_iter()
        // A policy that is not known is as good as none.
        .filter(|name| !has_input(name))
        .map(|name| {
            PullPolicy::from_str(name).map_err(|_| {
                CiError::form(node, subject, "`always`, `if-not-present`, `never` or a list of them")
            })
        })
        .collect()
}

/// Commands: a text, or lists of texts in lists, in one flat list.
pub(super) fn commands(node: &Node, keyword: &'static str) -> Result<Vec<String>, CiError> {
    let mut commands = Vec::new();
    collect_commands(node, keyword, 0, &mut commands)?;
    Ok(commands)
}

fn collect_commands(
    node: &Node,
    keyword: &'static str,
    depth: usize,
    commands: &mut Vec<String>,
) -> Result<(), CiError> {
    if depth > MAX_COMMAND_NESTING {
        return Err(CiError::form(node, format!("`{keyword}`"), "nested no deeper than 10 levels"));
    }
    let wrong = |found| Err(CiError::new(node.position, CiProblem::Command { keyword, found }));
    match &node.content {
        Content::Sequence(items) => {
            items.iter().try_for_each(|item| collect_commands(item, keyword, depth + 1, commands))
        }
        Content::Mapping(_) => wrong("a mapping"),
        Content::Scalar(_) => match node.as_plain() {
            Some(Plain::Text(text)) => {
                commands.push(text.to_owned());
                Ok(())
            }
            Some(Plain::Null) => wrong("nothing"),
            Some(Plain::Bool(_)) => wrong("a truth value"),
            Some(Plain::Number(_)) => wrong("a number"),
            _ => wrong("a symbol"),
        },
    }
}

/// The variables of a service. Elsewhere a variable without a value is an empty one, and GitLab refuses it here
/// (`lib/gitlab/ci/config/entry/service.rb`).
pub(super) fn variables_of_service(node: &Node, subject: &str) -> Result<Vec<Variable>, CiError> {
    let members = mapping(node, subject, "a mapping of names and values")?;
    let empty = members.iter().find(|(_, member)| member.value.is_null());
    if let Some((key, member)) = empty {
        return Err(CiError::form(&member.value, format!("variable `{key}`"), "a text or a number"));
    }
    variables(node, subject)
}

/// The entries of a `variables` mapping, in their order.
pub(super) fn variables(node: &Node, subject: &str) -> Result<Vec<Variable>, CiError> {
    let mapping = mapping(node, subject, "a mapping of names and values")?;
    mapping.iter().map(|(key, member)| variable(key, &member.value)).collect()
}

fn variable(key: &str, node: &Arc<Node>) -> Result<Variable, CiError> {
    let subject = format!("variable `{key}`");
    if key.is_empty() || key.contains('=') {
        return Err(CiError::form(node, subject, "named without `=`"));
    }
    // GitLab takes nothing for an empty value (`lib/gitlab/config/entry/composable_hash.rb`).
    if let Some(value) = node.is_null().then(String::new).or_else(|| scalar(node)) {
        return Ok(Variable::new(key, value));
    }
    let expected = "a text, a number, `true`, `false`, or a mapping with `value`";
    let members = mapping(node, &subject, expected)?;
    only_keywords(members, &["value", "description", "options", "expand"], &subject)?;
    let value = match node.member("value") {
        Some(value) => scalar(value).ok_or_else(|| CiError::form(value, &subject, expected))?,
        None => String::new(),
    };
    let is_expanded = match node.member("expand").map(|expand| (expand, expand.as_plain())) {
        None | Some((_, Some(Plain::Bool(true)))) => true,
        Some((_, Some(Plain::Bool(false)))) => false,
        Some((expand, _)) => {
            return Err(CiError::form(expand, format!("`expand` of {subject}"), "`true` or `false`"));
        }
    };
    Ok(Variable { is_raw: !is_expanded, ..Variable::new(key, value) })
}
