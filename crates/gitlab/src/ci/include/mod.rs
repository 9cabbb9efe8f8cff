//! `include`: a pipeline put together from several files (GitLab, `lib/gitlab/ci/config/external/`).
//!
//! Each file is laid over those that it includes, and later ones over earlier ones. Anchors stay within a file;
//! `extends` and `!reference` are followed afterwards, across all of them.

mod entry;
mod wildcard;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::error::{CiError, CiProblem, IncludeProblem, PipelineError};
use super::merge::Merger;
use super::warning::{CiWarning, CiWarningKind};
use crate::position::{FileNumber, Position};
use crate::variables::{self, Variable};
use crate::yaml::{self, Documents, Mapping, Node, YamlProblem};
use entry::{Entry, Location};

/// The most files that may be included, those included by others counted too, and each as often as it is included:
/// GitLab's own default (`ci_max_includes`).
pub const MAX_INCLUDES: usize = 150;

/// How deep files may include each other (GitLab, "Use CI/CD configuration from other files").
pub const MAX_INCLUDE_DEPTH: usize = 100;

/// The files of a project, as `include:local` finds them. Paths are relative to the project's top folder, with `/`
/// between their parts and none in front.
pub trait ProjectFiles {
    /// The text of a file.
    fn text(&mut self, path: &str) -> Result<String, FileProblem>;

    /// The paths of all files, in the order of their bytes, for paths with `*`.
    fn paths(&mut self) -> Result<Vec<String>, FileProblem>;
}

/// Why a file of the project cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// There is none at that path.
    #[error("there is no such file in the project")]
    NotFound,
    /// It is there, but cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// A file's own text as a tree, without what it includes.
#[derive(Debug)]
struct OwnContent {
    mapping: Mapping,
    include: Option<Arc<Node>>,
}

/// A file with everything that it includes, and how many files that is.
#[derive(Debug)]
struct Whole {
    mapping: Mapping,
    files: usize,
}

/// Puts a pipeline together.
pub(super) struct Includer<'a> {
    files: &'a mut dyn ProjectFiles,
    variables: &'a [Variable],
    /// The paths of the files that were read; the number of a file is its index.
    pub(super) paths: Vec<String>,
    pub(super) warnings: Vec<CiWarning>,
    /// Whether something is included that only GitLab reads.
    pub(super) is_incomplete: bool,
    done: HashMap<String, Arc<Whole>>,
    chain: Vec<String>,
    included: usize,
    weight: usize,
    merger: Merger,
}

impl<'a> Includer<'a> {
    pub(super) fn new(files: &'a mut dyn ProjectFiles, variables: &'a [Variable]) -> Self {
        Self {
            files,
            variables,
            paths: Vec::new(),
            warnings: Vec::new(),
            is_incomplete: false,
            done: HashMap::new(),
            chain: Vec::new(),
            included: 0,
            weight: 0,
            merger: Merger::default(),
        }
    }

    /// The whole pipeline of the file at `path`, whose text is at hand.
    pub(super) fn pipeline(&mut self, path: &str, text: &str) -> Result<Mapping, PipelineError> {
        self.chain.push(path.to_owned());
        let own = self.read(path, text)?;
        self.put_together(own)
    }

    fn put_together(&mut self, own: OwnContent) -> Result<Mapping, PipelineError> {
        let mut whole = Mapping::new();
        if let Some(include) = own.include {
            for entry in entry::entries(&include)? {
                self.add(&mut whole, &entry)?;
            }
        }
        self.lay_over(&mut whole, &own.mapping, Position::START)?;
        Ok(whole)
    }

    fn lay_over(
        &mut self,
        below: &mut Mapping,
        above: &Mapping,
        position: Position,
    ) -> Result<(), PipelineError> {
        let limit = |problem| CiError::new(position, CiProblem::Limit(problem)).into();
        self.merger.merge_into(below, above).map_err(limit)
    }

    fn add(&mut self, whole: &mut Mapping, entry: &Entry) -> Result<(), PipelineError> {
        let path = match &entry.location {
            Location::Local(path) => path,
            Location::Elsewhere { keyword, name } => {
                self.is_incomplete = true;
                self.warn(entry, CiWarningKind::IncludedElsewhere { keyword, name: name.clone() });
                return Ok(());
            }
        };
        let Some(path) = self.expanded(path) else {
            self.is_incomplete = true;
            self.warn(entry, CiWarningKind::IncludedByVariable { path: path.clone() });
            return Ok(());
        };
        let paths = self.meant_by(&path, entry.position)?;
        if paths.is_empty() {
            self.warn(entry, CiWarningKind::IncludeMatchesNothing { path });
            return Ok(());
        }
        let mut were_read = false;
        for path in paths {
            match self.file(&path, entry.position) {
                Ok(file) => {
                    self.lay_over(whole, &file.mapping, entry.position)?;
                    were_read = true;
                }
                // GitLab evaluates `rules` first, and reads only what they let through
                // (`lib/gitlab/ci/config/external/mapper.rb`).
                Err(PipelineError::Include { position, problem, .. })
                    if entry.has_rules && position == entry.position && problem.is_absence() =>
                {
                    self.is_incomplete = true;
                    self.warn(entry, CiWarningKind::IncludeMissing { path, problem });
                }
                Err(error) => return Err(error),
            }
        }
        if entry.has_rules && were_read {
            self.warn(entry, CiWarningKind::IncludeRules);
        }
        if entry.has_inputs && were_read {
            self.warn(entry, CiWarningKind::IncludeInputs);
        }
        Ok(())
    }

    fn warn(&mut self, entry: &Entry, kind: CiWarningKind) {
        self.warnings.push(CiWarning { position: entry.position, kind });
    }

    /// The path from the project's top folder with its variables replaced, or none if one of them is not known.
    fn expanded(&self, path: &str) -> Option<String> {
        if !path.contains('$') {
            return Some(path.trim_start_matches('/').to_owned());
        }
        let names = variables::referenced_names(path);
        let value = |name: &str| variables::last_value(self.variables, name);
        if names.iter().any(|name| value(name).is_none()) {
            return None;
        }
        variables::expand(path, value).map(|path| path.trim_start_matches('/').to_owned())
    }

    /// The files that a path means: one, or those that a pattern matches but for the file in which it stands
    /// (`lib/gitlab/ci/config/external/mapper/location_expander.rb`).
    fn meant_by(&mut self, path: &str, position: Position) -> Result<Vec<String>, PipelineError> {
        if !path.contains('*') {
            return Ok(vec![path.to_owned()]);
        }
        let problem = |error| PipelineError::include(position, path, IncludeProblem::File(error));
        let mut found = self.files.paths().map_err(problem)?;
        let own = self.chain.last();
        found.retain(|candidate| wildcard::matches(path, candidate) && own != Some(candidate));
        Ok(found)
    }

    fn file(&mut self, path: &str, position: Position) -> Result<Arc<Whole>, PipelineError> {
        let problem = |problem| PipelineError::include(position, path, problem);
        if !has_yaml_extension(path) {
            return Err(problem(IncludeProblem::Extension));
        }
        if self.chain.iter().any(|outer| outer == path) {
            return Err(problem(IncludeProblem::Circle));
        }
        if self.chain.len() > MAX_INCLUDE_DEPTH {
            return Err(problem(IncludeProblem::TooDeep));
        }
        self.included += self.done.get(path).map_or(1, |done| done.files);
        if self.included > MAX_INCLUDES {
            return Err(problem(IncludeProblem::TooMany));
        }
        if let Some(done) = self.done.get(path) {
            return Ok(Arc::clone(done));
        }
        let included_before = self.included;
        let text = self.files.text(path).map_err(|error| problem(IncludeProblem::File(error)))?;
        let own = self.read(path, &text).map_err(|error| match error {
            PipelineError::Empty => problem(IncludeProblem::Empty),
            error => error,
        })?;
        self.chain.push(path.to_owned());
        let mapping = self.put_together(own)?;
        self.chain.pop();
        let whole = Arc::new(Whole { mapping, files: 1 + self.included - included_before });
        self.done.insert(path.to_owned(), Arc::clone(&whole));
        Ok(whole)
    }

    fn read(&mut self, path: &str, text: &str) -> Result<OwnContent, PipelineError> {
        let number = FileNumber(u16::try_from(self.paths.len()).unwrap_or(u16::MAX));
        self.paths.push(path.to_owned());
        let documents = yaml::parse(text, number)?;
        self.weight = self.weight.saturating_add(documents.weight);
        if self.weight > yaml::MAX_WEIGHT {
            let start = Position { file: number, ..Position::START };
            return Err(CiError::new(start, CiProblem::Limit(YamlProblem::TooLarge)).into());
        }
        let mut mapping = top_level(documents, &mut self.warnings)?;
        let include = mapping.shift_remove("include").map(|member| member.value);
        Ok(OwnContent { mapping, include: include.filter(|node| !node.is_null()) })
    }
}

/// Whether GitLab takes a file of this name (`lib/gitlab/ci/config/external/file/base.rb`, `YAML_ALLOWLIST_EXTENSION`).
fn has_yaml_extension(path: &str) -> bool {
    let extension = Path::new(path).extension();
    extension.is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yml") || extension.eq_ignore_ascii_case("yaml")
    })
}

/// The mapping of keywords and jobs in a file.
pub(super) fn top_level(
    documents: Documents,
    warnings: &mut Vec<CiWarning>,
) -> Result<Mapping, PipelineError> {
    let repeated = documents.repeated_keys.into_iter();
    warnings.extend(
        repeated.map(|(position, key)| CiWarning { position, kind: CiWarningKind::RepeatedKey { key } }),
    );
    let is_followed = documents.roots.len() > 1;
    let mut roots = documents.roots.into_iter().filter(|root| !root.is_null());
    let first = roots.next().ok_or(PipelineError::Empty)?;
    // A first document that holds `spec` is a header where another follows, else a job of that name
    // (`lib/gitlab/ci/config/yaml/result.rb`).
    let root = match (first.key_position("spec"), is_followed) {
        (Some(position), true) => {
            warnings.push(CiWarning { position, kind: CiWarningKind::InputsNotRead });
            roots.next().ok_or(PipelineError::Empty)?
        }
        _ => first,
    };
    let top_level = root.as_mapping().ok_or(PipelineError::NotMapping { position: root.position })?;
    Ok(top_level.clone())
}
