//! What is worth a warning about a pipeline.

use super::IncludeProblem;
use crate::position::Position;

/// Something that GitLab accepts or does, but that makes a local run differ or is probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {kind}")]
pub struct CiWarning {
    /// Where it is.
    pub position: Position,
    /// What it is.
    pub kind: CiWarningKind,
}

impl CiWarning {
    /// Whether it says that `keyword` of a job is not followed.
    pub(crate) fn is_about(&self, keyword: &str) -> bool {
        matches!(&self.kind, CiWarningKind::KeywordNotFollowed { keyword: other, .. } if *other == keyword)
    }
}

/// What a warning is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CiWarningKind {
    /// A key stands twice in one mapping.
    #[error("`{key}` stands twice, and GitLab keeps only the last")]
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// Other files are included.
    #[error("`include` is not read: what these files define is missing here")]
    IncludeNotRead,
    /// A file is included that only GitLab can read.
    #[error("`include:{keyword}` `{name}` is not read: what it defines is missing here")]
    IncludedElsewhere {
        /// `project`, `remote`, `template`, `component` or `artifact`.
        keyword: &'static str,
        /// What is included.
        name: String,
    },
    /// The path of an included file depends on a variable that is not known.
    #[error("`include:local` `{path}` is not read: a variable in it is not known here")]
    IncludedByVariable {
        /// The path as written.
        path: String,
    },
    /// No file matches the pattern of an included path, which GitLab takes for no include at all.
    #[error("`include:local` `{path}` matches no file of the project")]
    IncludeMatchesNothing {
        /// The pattern.
        path: String,
    },
    /// A file is not there, but `rules` may keep GitLab from looking for it.
    #[error("`include:local` `{path}` is not read: {problem}; its `rules` decide whether GitLab needs it")]
    IncludeMissing {
        /// Its path.
        path: String,
        /// What stands against it.
        problem: IncludeProblem,
    },
    /// Something at the top level is neither a keyword nor a job.
    #[error("`{name}` is neither a keyword nor a job, and GitLab refuses the pipeline")]
    NoJob {
        /// Its name.
        name: String,
    },
    /// There is no job.
    #[error("the pipeline has no job, and GitLab refuses it")]
    NoJobs,
    /// The same default is given in two ways.
    #[error("`{keyword}` stands at the top level and in `default`, and GitLab refuses the pipeline")]
    DefaultTwice {
        /// The keyword.
        keyword: &'static str,
    },
    /// A job is in a stage that the pipeline does not have.
    #[error(
        "stage `{stage}` of job `{job}` does not exist, and GitLab refuses the pipeline; there are {available}"
    )]
    UnknownStage {
        /// The stage.
        stage: String,
        /// The job.
        job: String,
        /// The stages that there are, or the first of them.
        available: String,
    },
    /// `include` has rules.
    #[error("`rules` of this `include` are not evaluated: the file is read whatever they say")]
    IncludeRules,
    /// `include` has inputs.
    #[error("`inputs` of this `include` are not evaluated: `$[[ inputs.… ]]` stays as it is")]
    IncludeInputs,
    /// The file has inputs.
    #[error("`spec` is not read: `$[[ inputs.… ]]` stays as it is")]
    InputsNotRead,
    /// A keyword changes how GitLab runs the job, but is not followed here.
    #[error("`{keyword}` of job `{job}` is not followed: {effect}")]
    KeywordNotFollowed {
        /// The keyword.
        keyword: &'static str,
        /// The job.
        job: String,
        /// What is missing.
        effect: &'static str,
    },
}
