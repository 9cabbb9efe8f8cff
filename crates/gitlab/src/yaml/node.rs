//! The tree. Nodes are shared: an alias is one more pointer to the same node.
//!
//! Nodes are kept small, because a hostile file of two megabytes has a quarter of a million of them.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{MAX_DEPTH, MAX_WEIGHT, NODE_WEIGHT, Plain, Position, YamlProblem};

/// A node with its content, its own tag and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) position: Position,
    /// A local tag without its `!`, such as `reference`.
    pub(crate) tag: Option<Box<str>>,
    pub(crate) content: Content,
    weight: u32,
    height: u32,
}

#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Arc<Node>>),
    Mapping(Box<Mapping>),
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: Box<str>,
    /// Not quoted and without a tag, so that its form decides its type.
    pub(crate) is_plain: bool,
}

/// Keys in the order in which they first stand.
pub(crate) type Mapping = IndexMap<Arc<str>, Member>;

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key_position: Position,
    pub(crate) value: Arc<Node>,
}

impl Node {
    /// Makes a node, unless it is too deep or too heavy with all that it refers to.
    pub(crate) fn new(
        position: Position,
        tag: Option<Box<str>>,
        content: Content,
    ) -> Result<Arc<Self>, YamlProblem> {
        let (weight, height) = match &content {
            Content::Scalar(scalar) => (scalar.text.len(), 0),
            Content::Sequence(items) => measure(items.iter(), 0),
            Content::Mapping(mapping) => measure(mapping.values().map(|member| &member.value), NODE_WEIGHT),
        };
        let (weight, height) = (weight.saturating_add(NODE_WEIGHT), height + 1);
        if height > MAX_DEPTH {
            return Err(YamlProblem::TooDeep);
        }
        if weight > MAX_WEIGHT {
            return Err(YamlProblem::TooLarge);
        }
        let small = |number: usize| u32::try_from(number).map_err(|_| YamlProblem::TooLarge);
        Ok(Arc::new(Self { position, tag, content, weight: small(weight)?, height: small(height)? }))
    }

    pub(crate) fn as_mapping(&self) -> Option<&Mapping> {
        match &self.content {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    pub(crate) fn as_sequence(&self) -> Option<&[Arc<Node>]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// What a scalar means; none for a list or a mapping.
    pub(crate) fn as_plain(&self) -> Option<Plain<'_>> {
        match &self.content {
            Content::Scalar(scalar) => Some(Plain::of(scalar)),
            _ => None,
        }
    }

    /// The text of a scalar that is a string, not a number, a truth value or null.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self.as_plain()? {
            Plain::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.as_plain() == Some(Plain::Null)
    }

    /// The value of a member that is there and not null.
    pub(crate) fn member(&self, key: &str) -> Option<&Arc<Node>> {
        Some(&self.as_mapping()?.get(key)?.value).filter(|value| !value.is_null())
    }

    /// Where the key of a member stands that is there and not null.
    pub(crate) fn key_position(&self, key: &str) -> Option<Position> {
        self.as_mapping()?.get(key).filter(|member| !member.value.is_null()).map(|member| member.key_position)
    }
}

fn measure<'a>(children: impl Iterator<Item = &'a Arc<Node>>, weight_of_key: usize) -> (usize, usize) {
    children.fold((0, 0), |(weight, height), child| {
        let (child_weight, child_height) = (child.weight as usize, child.height as usize);
        (child_weight.saturating_add(weight).saturating_add(weight_of_key), child_height.max(height))
    })
}
