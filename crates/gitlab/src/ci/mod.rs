//! `.gitlab-ci.yml`: pipelines and their jobs.
//!
//! Read are the keywords that decide what runs where: `include:local`, `default`, `variables`, `image`, `services`, the
//! three scripts, `extends`, `inherit`, `parallel` and `!reference`. Rules, artifacts and the like are passed over, and where that
//! changes what runs, a warning says so. The reference is GitLab's "CI/CD YAML syntax reference".

mod error;
mod extend;
mod image;
mod include;
mod job;
mod matrix;
mod merge;
mod read;
mod refer;
mod warning;
mod whole;

pub(crate) use error::has_input;
pub use error::{CiError, CiProblem, IncludeProblem, JobError, PipelineError};
pub use image::{Image, Service};
pub use include::{FileProblem, MAX_INCLUDE_DEPTH, MAX_INCLUDES, ProjectFiles};
pub(crate) use job::ID_TOKENS;
pub use job::Job;
pub use matrix::{Instance, MAX_INSTANCES, Parallel};
pub use warning::{CiWarning, CiWarningKind};

use indexmap::IndexSet;

use crate::position::{FileNumber, Position};
use crate::variables::Variable;
use crate::yaml::{self, Mapping, Node, YamlProblem};
use include::Includer;
use refer::Referrer;

/// How deep `extends` and `!reference` may be nested, as in GitLab.
pub const MAX_NESTING: usize = 10;

/// How many members may be copied while all jobs of a pipeline are put together.
const MAX_COPIES_OF_ALL_JOBS: usize = 16 * merge::MAX_COPIES;

/// How many copied members a service weighs.
const SERVICE_WEIGHT: usize = 16;

/// Top-level keywords, which are not jobs.
const KEYWORDS: [&str; 11] = [
    "default",
    "include",
    "stages",
    "types",
    "variables",
    "workflow",
    "image",
    "services",
    "before_script",
    "after_script",
    "cache",
];

/// A pipeline, of which any job can be read.
#[derive(Debug)]
pub struct Pipeline {
    top_level: Mapping,
    warnings: Vec<CiWarning>,
    /// The files that it was read from, by their numbers; without names if there is only one.
    files: Vec<String>,
    /// Whether something is included that was not read.
    is_incomplete: bool,
    /// The stages that jobs may be in, if they are known.
    stages: Option<IndexSet<String>>,
}

impl Pipeline {
    /// Reads the text of a `.gitlab-ci.yml` that stands for itself: `include` is not followed.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let mut warnings = Vec::new();
        let documents = yaml::parse(text, FileNumber::default())?;
        let mut top_level = include::top_level(documents, &mut warnings)?;
        let include = top_level.shift_remove("include").filter(|include| !include.value.is_null());
        warnings.extend(
            include.iter().map(|member| CiWarning {
                position: member.key_position,
                kind: CiWarningKind::IncludeNotRead,
            }),
        );
        Ok(Self::of_whole(top_level, warnings, Vec::new(), include.is_some()))
    }

    fn of_whole(
        top_level: Mapping,
        mut warnings: Vec<CiWarning>,
        files: Vec<String>,
        is_incomplete: bool,
    ) -> Self {
        warnings.extend(whole::warnings(&top_level, is_incomplete));
        let stages = whole::stages(&top_level, is_incomplete);
        Self { top_level, warnings, files, is_incomplete, stages }
    }

    /// Reads the text of the pipeline file at `path` with all files of the project that it includes. `variables` are
    /// those by which the paths of included files are expanded.
    pub fn with_includes(
        path: &str,
        text: &str,
        files: &mut dyn ProjectFiles,
        variables: &[Variable],
    ) -> Result<Self, IncludedError> {
        let mut includer = Includer::new(files, variables);
        match includer.pipeline(path, text) {
            Ok(top_level) => {
                Ok(Self::of_whole(top_level, includer.warnings, includer.paths, includer.is_incomplete))
            }
            Err(error) => {
                let file = error.position().map_or(0, |position| usize::from(position.file.0));
                let file = includer.paths.get(file).map_or(path, String::as_str);
                Err(IncludedError { file: file.to_owned(), error })
            }
        }
    }

    /// The file that a position is in, where the pipeline was read from named files.
    pub fn file_of(&self, position: Position) -> Option<&str> {
        self.files.get(usize::from(position.file.0)).map(String::as_str)
    }

    /// The files that it was read from, the first of which includes the others.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Whether it includes something that was not read, so that jobs may be missing or other than they seem.
    pub fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// What is odd about the file, or not read of it.
    pub fn warnings(&self) -> &[CiWarning] {
        &self.warnings
    }

    /// The names of the jobs that can run, in the order of the file.
    pub fn job_names(&self) -> Vec<&str> {
        let members = self.top_level.iter().map(|(name, member)| (&**name, &member.value));
        let jobs = members.filter(|(name, value)| is_job_name(name) && value.as_mapping().is_some());
        jobs.map(|(name, _)| name).collect()
    }

    /// The job `name` with everything that it inherits.
    pub fn job(&self, name: &str) -> Result<Job, JobError> {
        if let Some(member) = self.top_level.get(name).filter(|_| name.starts_with('.')) {
            return Err(JobError::Hidden { name: name.to_owned(), position: member.key_position });
        }
        self.read_job(name, &mut 0)
    }

    /// All jobs that can run, each with everything that it inherits or with what is wrong in it. They are read one by
    /// one, since all of them at once may be large.
    pub fn jobs(&self) -> impl Iterator<Item = (&str, Result<Job, JobError>)> {
        let mut copies = 0;
        self.job_names().into_iter().map(move |name| (name, self.read_job(name, &mut copies)))
    }

    /// Adds what was copied to `copies`: jobs that extend or inherit much may each be within their limit, and all
    /// together take a day.
    fn read_job(&self, name: &str, copies: &mut usize) -> Result<Job, JobError> {
        if *copies > MAX_COPIES_OF_ALL_JOBS {
            let position = self.top_level.get(name).map_or(Position::START, |member| member.key_position);
            return Err(CiError::new(position, CiProblem::Limit(YamlProblem::TooLarge)).into());
        }
        let mut referrer = Referrer::new(&self.top_level, self.is_incomplete);
        let node = if is_job_name(name) { referrer.complete(name)? } else { None };
        let job = match node {
            Some(node) => job::read_job(name, &node, &mut referrer).map(|mut job| {
                job.warnings.extend(self.unknown_stage(&job, &node));
                job
            }),
            None => Err(self.unknown_job(name)),
        };
        let inherited =
            job.as_ref().map_or(0, |job| job.variables.len() + SERVICE_WEIGHT * job.services.len());
        *copies = copies.saturating_add(referrer.copies() + inherited);
        job
    }

    fn unknown_stage(&self, job: &Job, node: &Node) -> Option<CiWarning> {
        let stages = self.stages.as_ref().filter(|stages| !stages.contains(&job.stage))?;
        if has_input(&job.stage) {
            return None;
        }
        let position = node.member("stage").map_or(node.position, |stage| stage.position);
        let (stage, job, available) = (job.stage.clone(), job.name.clone(), error::listed(stages));
        Some(CiWarning { position, kind: CiWarningKind::UnknownStage { stage, job, available } })
    }

    fn unknown_job(&self, name: &str) -> JobError {
        let available = self.job_names();
        JobError::Unknown {
            name: name.to_owned(),
            similar: most_similar(name, &available).map(str::to_owned),
            available: available.into_iter().map(str::to_owned).collect(),
            has_include: self.is_incomplete,
        }
    }
}

/// Why a pipeline cannot be read, and in which of its files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {error}")]
pub struct IncludedError {
    /// The path of the file.
    pub file: String,
    /// What is wrong there.
    pub error: PipelineError,
}

impl IncludedError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        self.error.hint()
    }
}

fn is_job_name(name: &str) -> bool {
    !name.starts_with('.') && !KEYWORDS.contains(&name)
}

/// How similar two names must be to be mistaken for each other, from 0 to 1.
const SIMILAR: f64 = 0.75;

/// GitLab's limit for the name of a job. Longer ones are not compared, which takes time by both lengths.
const MAX_NAME_BYTES: usize = 255;

fn most_similar<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let comparable = names.iter().filter(|other| other.len() <= MAX_NAME_BYTES);
    comparable
        .map(|other| (strsim::jaro_winkler(name, other), *other))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, other)| other)
}
