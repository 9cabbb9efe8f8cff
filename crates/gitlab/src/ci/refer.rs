//! `!reference [name, key, …]`: values taken from elsewhere in the file
//! (GitLab, `lib/gitlab/ci/config/yaml/tags/reference.rb`).

use std::collections::HashMap;
use std::sync::Arc;

use super::error::{CiError, CiProblem};
use super::extend::Extender;
use super::{MAX_NESTING, read};
use crate::yaml::{Content, Mapping, Member, Node};

pub(super) const TAG: &str = "reference";

/// Replaces references, each target once. `extends` has been followed in what they point to.
pub(super) struct Referrer<'a> {
    extender: Extender<'a>,
    has_include: bool,
    done: HashMap<Vec<String>, Arc<Node>>,
    chain: Vec<Vec<String>>,
}

impl<'a> Referrer<'a> {
    pub(super) fn new(root: &'a Mapping, has_include: bool) -> Self {
        let extender = Extender::new(root, has_include);
        Self { extender, has_include, done: HashMap::new(), chain: Vec::new() }
    }

    /// The top-level value `name` after `extends` and `!reference`, or none if there is no such value.
    pub(super) fn complete(&mut self, name: &str) -> Result<Option<Arc<Node>>, CiError> {
        match self.extender.extended(name)? {
            Some(node) => self.resolve(&node).map(Some),
            None => Ok(None),
        }
    }

    /// Whether something is included that was not read.
    pub(super) fn has_include(&self) -> bool {
        self.has_include
    }

    /// How many members were copied so far.
    pub(super) fn copies(&self) -> usize {
        self.extender.copies()
    }

    fn resolve(&mut self, node: &Arc<Node>) -> Result<Arc<Node>, CiError> {
        if node.tag.as_deref() == Some(TAG) {
            return self.follow(node);
        }
        let content = match &node.content {
            Content::Scalar(_) => return Ok(Arc::clone(node)),
            Content::Sequence(items) => self.resolve_items(items)?.map(Content::Sequence),
            Content::Mapping(mapping) => {
                self.resolve_members(mapping)?.map(|members| Content::Mapping(Box::new(members)))
            }
        };
        match content {
            Some(content) => Node::new(node.position, node.tag.clone(), content)
                .map_err(|problem| CiError::new(node.position, CiProblem::Limit(problem))),
            None => Ok(Arc::clone(node)),
        }
    }

    /// None if nothing changed.
    fn resolve_items(&mut self, items: &[Arc<Node>]) -> Result<Option<Vec<Arc<Node>>>, CiError> {
        let resolved = items.iter().map(|item| self.resolve(item)).collect::<Result<Vec<_>, _>>()?;
        let is_same = items.iter().zip(&resolved).all(|(before, after)| Arc::ptr_eq(before, after));
        Ok((!is_same).then_some(resolved))
    }

    /// None if nothing changed.
    fn resolve_members(&mut self, mapping: &Mapping) -> Result<Option<Mapping>, CiError> {
        let mut resolved = None;
        for (key, member) in mapping {
            let value = self.resolve(&member.value)?;
            if !Arc::ptr_eq(&value, &member.value) {
                let key_position = member.key_position;
                let copy: &mut Mapping = resolved.get_or_insert_with(|| mapping.clone());
                copy.insert(Arc::clone(key), Member { key_position, value });
            }
        }
        Ok(resolved)
    }

    fn follow(&mut self, node: &Node) -> Result<Arc<Node>, CiError> {
        let problem = |problem| CiError::new(node.position, problem);
        let path = read_path(node).ok_or_else(|| problem(CiProblem::ReferenceForm))?;
        if let Some(done) = self.done.get(&path) {
            return Ok(Arc::clone(done));
        }
        if self.chain.contains(&path) {
            return Err(problem(CiProblem::ReferenceCircle { path: path.join(", ") }));
        }
        if self.chain.len() == MAX_NESTING {
            return Err(problem(CiProblem::ReferenceTooDeep));
        }
        let not_found = CiProblem::ReferenceNotFound { path: path.join(", "), has_include: self.has_include };
        let target = self.find(&path)?.ok_or_else(|| problem(not_found))?;
        self.chain.push(path.clone());
        let resolved = self.resolve(&target)?;
        self.chain.pop();
        self.done.insert(path, Arc::clone(&resolved));
        Ok(resolved)
    }

    fn find(&mut self, path: &[String]) -> Result<Option<Arc<Node>>, CiError> {
        let Some((first, keys)) = path.split_first() else { return Ok(None) };
        let Some(mut node) = self.extender.extended(first)? else { return Ok(None) };
        for key in keys {
            let Some(member) = node.member(key) else { return Ok(None) };
            node = Arc::clone(member);
        }
        Ok(Some(node))
    }
}

fn read_path(node: &Node) -> Option<Vec<String>> {
    let names = node.as_sequence().filter(|names| !names.is_empty())?;
    names.iter().map(|name| read::word(name)).collect()
}
