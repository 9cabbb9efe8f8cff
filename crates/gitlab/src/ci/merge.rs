//! Mappings laid over each other, as `extends` and `include` do it.

use std::sync::Arc;

use crate::yaml::{Content, MAX_WEIGHT, Mapping, Member, NODE_WEIGHT, Node, YamlProblem};

/// How many members may be copied while a pipeline is put together.
pub(super) const MAX_COPIES: usize = MAX_WEIGHT / NODE_WEIGHT;

/// Merges mappings key by key, and replaces all else (GitLab, `deep_merge` of ActiveSupport).
#[derive(Debug, Default)]
pub(super) struct Merger {
    copies: usize,
}

impl Merger {
    /// `above` laid over `below`.
    pub(super) fn merged(&mut self, below: &Arc<Node>, above: &Arc<Node>) -> Result<Arc<Node>, YamlProblem> {
        let (Some(lower), Some(upper)) = (below.as_mapping(), above.as_mapping()) else {
            return Ok(Arc::clone(above));
        };
        self.spend(lower.len())?;
        let mut merged = lower.clone();
        self.merge_into(&mut merged, upper)?;
        Node::new(above.position, None, Content::Mapping(Box::new(merged)))
    }

    /// Lays `upper` over `lower`. Keys keep the place where they first stood.
    pub(super) fn merge_into(&mut self, lower: &mut Mapping, upper: &Mapping) -> Result<(), YamlProblem> {
        self.spend(upper.len())?;
        for (key, member) in upper {
            let value = match lower.get(key) {
                Some(earlier) => self.merged(&earlier.value, &member.value)?,
                None => Arc::clone(&member.value),
            };
            lower.insert(Arc::clone(key), Member { key_position: member.key_position, value });
        }
        Ok(())
    }

    /// How many members were copied so far.
    pub(super) fn copies(&self) -> usize {
        self.copies
    }

    fn spend(&mut self, copies: usize) -> Result<(), YamlProblem> {
        self.copies = self.copies.saturating_add(copies);
        if self.copies > MAX_COPIES { Err(YamlProblem::TooLarge) } else { Ok(()) }
    }
}
