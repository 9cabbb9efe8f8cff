//! `extends`: jobs put together from others (GitLab, `lib/gitlab/ci/config/extendable/entry.rb`).

use std::collections::HashMap;
use std::sync::Arc;

use super::error::{CiError, CiProblem};
use super::merge::Merger;
use super::{MAX_NESTING, read};
use crate::yaml::{Mapping, Node};

/// Puts jobs together, each once.
pub(super) struct Extender<'a> {
    root: &'a Mapping,
    has_include: bool,
    done: HashMap<String, Arc<Node>>,
    chain: Vec<String>,
    merger: Merger,
}

impl<'a> Extender<'a> {
    pub(super) fn new(root: &'a Mapping, has_include: bool) -> Self {
        Self { root, has_include, done: HashMap::new(), chain: Vec::new(), merger: Merger::default() }
    }

    /// How many members were copied so far.
    pub(super) fn copies(&self) -> usize {
        self.merger.copies()
    }

    /// The top-level value `name` with everything that it extends, or none if there is no such value.
    pub(super) fn extended(&mut self, name: &str) -> Result<Option<Arc<Node>>, CiError> {
        if let Some(node) = self.done.get(name) {
            return Ok(Some(Arc::clone(node)));
        }
        let Some(member) = self.root.get(name) else { return Ok(None) };
        let Some(extends) = member.value.member("extends") else {
            return Ok(Some(Arc::clone(&member.value)));
        };
        let problem = |problem| CiError::new(extends.position, problem);
        if self.chain.iter().any(|outer| outer == name) {
            return Err(problem(CiProblem::ExtendsCircle { job: name.to_owned() }));
        }
        if self.chain.len() > MAX_NESTING {
            return Err(problem(CiProblem::ExtendsTooDeep { job: name.to_owned() }));
        }
        self.chain.push(name.to_owned());
        let node = self.put_together(name, &member.value, extends)?;
        self.chain.pop();
        self.done.insert(name.to_owned(), Arc::clone(&node));
        Ok(Some(node))
    }

    /// Later bases win over earlier ones, and the job over all of them.
    fn put_together(&mut self, name: &str, job: &Arc<Node>, extends: &Node) -> Result<Arc<Node>, CiError> {
        let mut merged: Option<Arc<Node>> = None;
        for base in read::names(extends, &format!("`extends` of `{name}`"))? {
            let unknown = || CiProblem::ExtendsUnknown {
                job: name.into(),
                base: base.into(),
                has_include: self.has_include,
            };
            let unknown = CiError::new(extends.position, unknown());
            let base = self.extended(base)?.ok_or(unknown)?;
            merged = Some(match merged {
                Some(earlier) => self.merge(&earlier, &base)?,
                None => base,
            });
        }
        match merged {
            Some(bases) => self.merge(&bases, job),
            None => Ok(Arc::clone(job)),
        }
    }

    fn merge(&mut self, below: &Arc<Node>, above: &Arc<Node>) -> Result<Arc<Node>, CiError> {
        self.merger
            .merged(below, above)
            .map_err(|problem| CiError::new(above.position, CiProblem::Limit(problem)))
    }
}
