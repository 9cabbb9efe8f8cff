//! Why a text is not a tree.

use super::{MAX_DEPTH, MAX_INPUT_BYTES, MAX_WEIGHT, Position};

/// A problem with a YAML file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct YamlError {
    /// Where it is.
    pub position: Position,
    /// What it is.
    pub problem: YamlProblem,
}

/// What is wrong with a YAML file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlProblem {
    /// It is not YAML; the text is the parser's.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// It is longer than [`MAX_INPUT_BYTES`].
    #[error("the file has {length} bytes, more than the {MAX_INPUT_BYTES} that GitLab allows")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// It is nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It weighs more than [`MAX_WEIGHT`] once aliases are followed.
    #[error("holds more than {MAX_WEIGHT} bytes once it is read and its aliases and references are followed")]
    TooLarge,
    /// An alias stands inside the node that it names.
    #[error("the alias stands inside the node that it refers to")]
    RecursiveAlias,
    /// A key is a list or a mapping.
    #[error("a key must be a single word or text")]
    KeyNotScalar,
    /// A merge key has neither a mapping nor a list of mappings.
    #[error("`<<` must be followed by a mapping or a list of mappings, usually an alias such as `*defaults`")]
    MergeNotMapping,
    /// A scalar holds a NUL character, which neither a script nor a variable can.
    #[error("the text holds a NUL character")]
    Nul,
}

impl YamlError {
    pub(super) fn new(position: Position, problem: YamlProblem) -> Self {
        Self { position, problem }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let YamlProblem::Syntax(text) = &self.problem else { return None };
        if text.contains("tab") {
            return Some("indent with spaces: YAML allows no tabs there".into());
        }
        if text.contains("mapping values are not allowed") || text.contains("':'") {
            return Some("put quotes around a text that contains `: `".into());
        }
        if text.contains("comments must be separated") {
            return Some("put a space in front of the `#`".into());
        }
        if text.contains("unknown anchor") {
            return Some("define the anchor with `&name` above the place that uses `*name`".into());
        }
        None
    }
}
