//! What can be wrong with a pipeline.

use crate::position::Position;
use crate::yaml::{Node, YamlError, YamlProblem};

use super::include::FileProblem;
use super::{MAX_INCLUDE_DEPTH, MAX_INCLUDES, MAX_INSTANCES, MAX_NESTING};

/// Why a text is no pipeline at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The text is not YAML, or goes beyond a limit.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// `include` has the wrong form, or all files together go beyond a limit.
    #[error(transparent)]
    Invalid(#[from] CiError),
    /// A file cannot be included.
    #[error("{position}: cannot include `{path}`: {problem}")]
    Include {
        /// Where it is included.
        position: Position,
        /// Its path or pattern.
        path: String,
        /// What stands against it.
        problem: IncludeProblem,
    },
    /// It is a list or a text.
    #[error("{position}: a pipeline must be a mapping of keywords and jobs")]
    NotMapping {
        /// Where it starts.
        position: Position,
    },
}

/// Why a file of the project cannot be included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncludeProblem {
    /// It cannot be read.
    #[error(transparent)]
    File(FileProblem),
    /// Its name has another ending than GitLab takes.
    #[error("its name must end in `.yml` or `.yaml`")]
    Extension,
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It includes itself, by itself or through others.
    #[error("the file includes itself")]
    Circle,
    /// Files include each other too deep.
    #[error("files include each other more than {MAX_INCLUDE_DEPTH} levels deep")]
    TooDeep,
    /// There are too many.
    #[error("more than {MAX_INCLUDES} files are included")]
    TooMany,
}

impl IncludeProblem {
    /// Whether there is nothing to include, and nothing wrong with what there is.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::File(FileProblem::NotFound) | Self::Empty)
    }
}

impl PipelineError {
    pub(super) fn include(position: Position, path: &str, problem: IncludeProblem) -> Self {
        Self::Include { position, path: path.to_owned(), problem }
    }

    /// Where the problem is, if it has one place.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Yaml(error) => Some(error.position),
            Self::Invalid(error) => Some(error.position),
            Self::Include { position, .. } | Self::NotMapping { position } => Some(*position),
            Self::Empty => None,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Yaml(error) => error.hint(),
            Self::Invalid(error) => error.hint(),
            Self::Include { problem: IncludeProblem::File(FileProblem::NotFound), .. } => {
                Some("paths start at the top folder of the project, whichever file they stand in".into())
            }
            Self::Include { .. } => None,
            Self::Empty | Self::NotMapping { .. } => Some(
                "write at least one job, for instance `greet: {image: alpine, script: [echo hello]}`".into(),
            ),
        }
    }
}

/// Why a job cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The pipeline has no job of that name.
    #[error("no job is called `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// A job with a similar name.
        similar: Option<String>,
        /// The names of all jobs.
        available: Vec<String>,
        /// The pipeline includes other files, which were not read.
        has_include: bool,
    },
    /// Names that start with a dot are templates and never run.
    #[error("{position}: `{name}` is a hidden job, which never runs")]
    Hidden {
        /// The name.
        name: String,
        /// Where it is.
        position: Position,
    },
    /// It starts another pipeline or runs GitLab Functions; it has no script.
    #[error("{position}: job `{name}` has `{keyword}` and no script for a runner's shell")]
    NoShell {
        /// The name.
        name: String,
        /// `trigger` or `run`.
        keyword: &'static str,
        /// Where the keyword is.
        position: Position,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Invalid(#[from] CiError),
}

/// How many names a hint lists.
const MAX_LISTED_NAMES: usize = 20;

impl JobError {
    /// Where the problem is, if it has one place.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Unknown { .. } => None,
            Self::Hidden { position, .. } | Self::NoShell { position, .. } => Some(*position),
            Self::Invalid(error) => Some(error.position),
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { similar, available, has_include, .. } => {
                Some(hint_for_unknown(similar.as_deref(), available, *has_include))
            }
            Self::Hidden { name, .. } => {
                Some(format!("name a job that extends it, or take the dot off `{name}`"))
            }
            Self::NoShell { .. } => Some("name a job that has a `script`".into()),
            Self::Invalid(error) => error.hint(),
        }
    }
}

fn hint_for_unknown(similar: Option<&str>, available: &[String], has_include: bool) -> String {
    let mut hint = match similar {
        Some(similar) => format!("did you mean `{similar}`? "),
        None => String::new(),
    };
    match available {
        [] => hint.push_str("the file has no job"),
        [only] => hint.push_str(&format!("the only job is `{only}`")),
        _ => hint.push_str(&format!("the jobs are {}", listed(available))),
    }
    if has_include {
        hint.push_str("; files under `include` are not read");
    }
    hint
}

/// A problem in a job, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct CiError {
    /// Where it is.
    pub position: Position,
    /// What it is.
    pub problem: CiProblem,
}

/// What is wrong in a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CiProblem {
    /// A value has the wrong form.
    #[error("{subject} must be {expected}")]
    Form {
        /// What has the value, such as `` `image` ``.
        subject: String,
        /// The form that it must have.
        expected: &'static str,
    },
    /// A value is an input, `$[[ inputs.… ]]`, which GitLab replaces.
    #[error("{subject} is made from `$[[ inputs ]]`, which are not evaluated")]
    Input {
        /// What has the value.
        subject: String,
    },
    /// A keyword is not known where it stands.
    #[error("{subject} has no keyword `{keyword}`; it has {known}")]
    UnknownKeyword {
        /// Where it stands.
        subject: String,
        /// The keyword.
        keyword: String,
        /// The keywords that are known.
        known: String,
    },
    /// A job has no script.
    #[error("job `{job}` has no `script`")]
    NoScript {
        /// The job.
        job: String,
        /// The pipeline includes other files, which were not read.
        has_include: bool,
    },
    /// A command is not a text.
    #[error("a command in `{keyword}` must be a text, not {found}")]
    Command {
        /// The keyword.
        keyword: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// `!reference` names something that is not there.
    #[error("`!reference [{path}]` names nothing in this file")]
    ReferenceNotFound {
        /// What it names.
        path: String,
        /// The pipeline includes other files, which were not read.
        has_include: bool,
    },
    /// `!reference` is not followed by a list of names.
    #[error("`!reference` must be followed by a list of names, such as `!reference [.setup, script]`")]
    ReferenceForm,
    /// `!reference` leads back to itself.
    #[error("`!reference [{path}]` leads back to itself")]
    ReferenceCircle {
        /// What it names.
        path: String,
    },
    /// References are nested too deep.
    #[error("`!reference` is nested deeper than {MAX_NESTING} levels")]
    ReferenceTooDeep,
    /// `extends` names a job that is not there.
    #[error("`extends` of `{job}` names `{base}`, which is not in this file")]
    ExtendsUnknown {
        /// The job that extends.
        job: String,
        /// What it names.
        base: String,
        /// The pipeline includes other files, which were not read.
        has_include: bool,
    },
    /// `extends` leads back to the same job.
    #[error("`extends` of `{job}` leads back to `{job}`")]
    ExtendsCircle {
        /// The job.
        job: String,
    },
    /// `extends` is nested too deep.
    #[error("`extends` of `{job}` is nested deeper than {MAX_NESTING} levels")]
    ExtendsTooDeep {
        /// The job.
        job: String,
    },
    /// `parallel:matrix` makes more jobs than GitLab allows.
    #[error("`matrix` makes more than {MAX_INSTANCES} jobs")]
    MatrixTooLarge,
    /// The job goes beyond a limit once everything is put together.
    #[error("{0}")]
    Limit(YamlProblem),
}

impl CiError {
    pub(super) fn new(position: Position, problem: CiProblem) -> Self {
        Self { position, problem }
    }

    pub(super) fn form(node: &Node, subject: impl Into<String>, expected: &'static str) -> Self {
        let subject = subject.into();
        let problem = match node.as_text().is_some_and(has_input) {
            true => CiProblem::Input { subject },
            false => CiProblem::Form { subject, expected },
        };
        Self::new(node.position, problem)
    }

    /// Whether GitLab may see no problem here: it knows the inputs, and reads what is included from elsewhere.
    pub fn may_be_none(&self) -> bool {
        match &self.problem {
            CiProblem::Input { .. } => true,
            CiProblem::NoScript { has_include, .. } => *has_include,
            CiProblem::ReferenceNotFound { path, has_include } => *has_include || has_input(path),
            CiProblem::ExtendsUnknown { base, has_include, .. } => *has_include || has_input(base),
            _ => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let of_include = "`include` is not read: put the file's merged content, as GitLab's pipeline editor shows \
                          it, into one file";
        match &self.problem {
            CiProblem::Command { found: "a mapping", .. } => {
                Some("put quotes around a command that contains `: `".into())
            }
            CiProblem::Command { .. } => Some("put quotes around it".into()),
            CiProblem::ReferenceNotFound { has_include: true, .. }
            | CiProblem::NoScript { has_include: true, .. }
            | CiProblem::ExtendsUnknown { has_include: true, .. } => Some(of_include.into()),
            CiProblem::NoScript { .. } => Some("add `script:` with at least one command".into()),
            _ => None,
        }
    }
}

/// Whether a text has a place for an input (GitLab, "CI/CD inputs"), which stays as it is here.
pub(crate) fn has_input(text: &str) -> bool {
    text.contains("$[[")
}

/// The first of `names` for a message.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(MAX_LISTED_NAMES).map(|name| format!("`{name}`")).collect();
    match names.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
