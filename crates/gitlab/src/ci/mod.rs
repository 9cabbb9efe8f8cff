//! `.gitlab-ci.yml`: pipelines and their jobs.
//!
//! Read are the keywords that decide what runs where: `default`, `variables`, `image`, `services`, the three
//! scripts, `extends`, `inherit` and `!reference`. Rules, artifacts and the like are passed over, and where that
//! changes what runs, a warning says so. The reference is GitLab's "CI/CD YAML syntax reference".

mod error;
mod extend;
mod image;
mod job;
mod read;
mod refer;

pub use error::{CiError, CiProblem, CiWarning, CiWarningKind, JobError, PipelineError};
pub use image::{Image, Service};
pub use job::Job;

use crate::position::FileNumber;
use crate::yaml::{self, Documents, Mapping};
use refer::Referrer;

/// How deep `extends` and `!reference` may be nested, as in GitLab.
pub const MAX_NESTING: usize = 10;

/// Top-level keywords, which are not jobs.
const KEYWORDS: [&str; 12] = [
    "default",
    "include",
    "spec",
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
}

impl Pipeline {
    /// Reads the text of a `.gitlab-ci.yml`.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let Documents { roots, repeated_keys } = yaml::parse(text, FileNumber::default())?;
        let mut warnings: Vec<CiWarning> = repeated_keys
            .into_iter()
            .map(|(position, key)| CiWarning { position, kind: CiWarningKind::RepeatedKey { key } })
            .collect();
        let mut roots = roots.into_iter().filter(|root| !root.is_null());
        let first = roots.next().ok_or(PipelineError::Empty)?;
        // A first document that holds `spec` is a header (GitLab, "CI/CD inputs").
        let root = match first.key_position("spec") {
            Some(position) => {
                warnings.push(CiWarning { position, kind: CiWarningKind::InputsNotRead });
                roots.next().ok_or(PipelineError::Empty)?
            }
            None => first,
        };
        if let Some(position) = root.key_position("include") {
            warnings.push(CiWarning { position, kind: CiWarningKind::IncludeNotRead });
        }
        let top_level = root.as_mapping().ok_or(PipelineError::NotMapping { position: root.position })?;
        Ok(Self { top_level: top_level.clone(), warnings })
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
        let mut referrer = Referrer::new(&self.top_level, self.has_include());
        let node = if is_job_name(name) { referrer.complete(name)? } else { None };
        match node {
            Some(node) => job::read_job(name, &node, &mut referrer),
            None => Err(self.unknown_job(name)),
        }
    }

    fn has_include(&self) -> bool {
        self.top_level.get("include").is_some_and(|include| !include.value.is_null())
    }

    fn unknown_job(&self, name: &str) -> JobError {
        let available = self.job_names();
        JobError::Unknown {
            name: name.to_owned(),
            similar: most_similar(name, &available).map(str::to_owned),
            available: available.into_iter().map(str::to_owned).collect(),
            has_include: self.has_include(),
        }
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
