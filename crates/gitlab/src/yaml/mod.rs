//! YAML as a tree that knows where each node stands, as GitLab reads it.
//!
//! GitLab loads its files with Ruby's Psych, which is YAML 1.1 with rules of its own for merge keys and for plain
//! scalars; both are followed here, because they decide what a job is. Custom tags are kept for `!reference`.

mod build;
mod error;
mod node;
mod scalar;
#[cfg(test)]
mod tests;

use crate::position::Position;

pub(crate) use build::{Documents, parse};
pub use error::{YamlError, YamlProblem};
pub(crate) use node::{Content, Mapping, Member, Node, Scalar};
pub(crate) use scalar::Plain;

/// The longest file that is read, in bytes: GitLab's own default limit (`max_yaml_size_bytes`).
pub const MAX_INPUT_BYTES: usize = 2 * 1024 * 1024;

/// The deepest nesting, aliases followed: GitLab's own default limit (`max_yaml_depth`).
pub const MAX_DEPTH: usize = 100;

/// How much a tree may weigh once aliases, merge keys and references are followed: the bytes of its scalars, and
/// 64 for every node. It ends "billion laughs" before they cost memory or time.
pub const MAX_WEIGHT: usize = 16 * 1024 * 1024;

/// What one node weighs besides its text.
pub(crate) const NODE_WEIGHT: usize = 64;
