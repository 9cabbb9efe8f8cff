//! What stands under `include`.

use std::sync::Arc;

use crate::ci::error::CiError;
use crate::ci::read;
use crate::position::Position;
use crate::yaml::{Content, Node};

/// One entry of `include`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) location: Location,
    pub(super) has_rules: bool,
    pub(super) has_inputs: bool,
}

/// Where an included file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In the same project.
    Local(String),
    /// Somewhere that only GitLab reads.
    Elsewhere { keyword: &'static str, name: String },
}

const SUBJECT: &str = "an entry of `include`";

/// Keywords of an entry that say where its file is and that only GitLab can follow.
const ELSEWHERE: [&str; 5] = ["project", "remote", "template", "component", "artifact"];

/// Reads the value of `include`: one entry or a list of them.
pub(super) fn entries(node: &Arc<Node>) -> Result<Vec<Entry>, CiError> {
    match &node.content {
        Content::Sequence(items) => items.iter().map(|item| entry(item)).collect(),
        _ => Ok(vec![entry(node)?]),
    }
}

fn entry(node: &Node) -> Result<Entry, CiError> {
    let position = node.position;
    if let Some(text) = node.as_text() {
        let location = match text.starts_with("http://") || text.starts_with("https://") {
            true => Location::Elsewhere { keyword: "remote", name: text.to_owned() },
            false => Location::Local(text.to_owned()),
        };
        return Ok(Entry { position, location, has_rules: false, has_inputs: false });
    }
    let expected = "a path, or a mapping with `local`, `project`, `remote`, `template` or `component`";
    read::mapping(node, SUBJECT, expected)?;
    let location = match node.member("local") {
        Some(local) => Location::Local(read::text(local, "`include:local`")?),
        None => elsewhere(node).ok_or_else(|| CiError::form(node, SUBJECT, expected))?,
    };
    let has = |keyword| node.member(keyword).is_some();
    Ok(Entry { position, location, has_rules: has("rules"), has_inputs: has("inputs") })
}

fn elsewhere(node: &Node) -> Option<Location> {
    let (keyword, value) =
        ELSEWHERE.into_iter().find_map(|keyword| Some((keyword, node.member(keyword)?)))?;
    let mut name = read::word(value).unwrap_or_default();
    let files = node.member("file").and_then(|file| read::names(file, "`file`").ok()).unwrap_or_default();
    for file in files.iter().filter(|_| keyword == "project") {
        name.push_str(if name.contains(": ") { ", " } else { ": " });
        name.push_str(file);
    }
    Some(Location::Elsewhere { keyword, name })
}
