//! Which images the jobs of a pipeline use, as far as that can be told without GitLab.

mod scope;

use ecru_docker::reference::ReferenceError;
use secrecy::SecretString;

use crate::ci::{CiWarning, Instance, Job, JobError, Pipeline, Service};
use crate::config_toml::{Puller, RunnerConfig};
use crate::plan::images::{named_image, service_of_config};
use crate::position::Position;
use crate::predefined::Predefined;
use crate::pull_policy::ForbiddenPullPolicies;
use crate::service_names::{self, AssignedNames, ServiceName};
use crate::variables::{DOCKER_AUTH_CONFIG, ExpansionError, Variable};
use scope::Scope;

/// How much all jobs together may hold: each variable of each job counts 1, each service [`SERVICE_WEIGHT`], since a
/// list of a hundred services takes a file no more than an alias. A pipeline of 3,500 jobs with 100 variables and 5
/// services each is within it.
pub const MAX_WEIGHT: usize = 1024 * 1024;

/// What a service weighs in [`MAX_WEIGHT`].
pub const SERVICE_WEIGHT: usize = 32;

/// What every job weighs: its name, its predefined variables, and what is told of it.
const FIXED_WEIGHT: usize = 32;

/// What the answer is made from.
#[derive(Debug, Clone, Copy)]
pub struct UsesRequest<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The runner's settings, if there are any.
    pub runner: Option<&'a RunnerConfig>,
    /// What GitLab would say about the project and the run. What only stands in for a value of GitLab's is not used.
    pub predefined: &'a Predefined,
    /// Variables above all others, as pipeline variables are.
    pub extra_variables: &'a [Variable],
}

/// One of the jobs that GitLab makes of a pipeline, and the images that it uses.
#[derive(Debug, Clone)]
pub struct JobUses {
    /// Its name, such as `build: [linux]`.
    pub name: String,
    /// Where it stands in the pipeline.
    pub position: Position,
    /// Its image; none if neither the job nor the runner names one.
    pub image: Option<ImageUse>,
    /// Its services, those of the runner's settings first.
    pub services: Vec<ServiceUse>,
    /// The value of DOCKER_AUTH_CONFIG, by which the runner pulls.
    pub docker_auth_config: Option<SecretString>,
    /// The variables behind that value that are not known here; DOCKER_AUTH_CONFIG itself, if `secrets` gives it.
    pub unknown_in_config: Vec<String>,
    /// What is not followed and may change what it uses, and what GitLab refuses.
    pub warnings: Vec<CiWarning>,
}

/// An image as a job uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse {
    /// The reference as written.
    pub written: String,
    /// The reference with its variables replaced; none if some of them are not known.
    pub name: Option<String>,
    /// The variables that are not known here.
    pub unresolved: Vec<String>,
    /// The variables to which `rules` may give other values.
    pub may_differ: Vec<String>,
    /// Whether it is named after the commit, as an image that the pipeline builds itself is.
    pub is_of_commit: bool,
    /// The platform that `docker:platform` names, as far as its variables are known.
    pub platform: Option<String>,
    /// Whether the runner only takes it if the engine has it: every pull policy that applies is `never`.
    pub is_never_pulled: bool,
    /// What stands in braces and can be no variable, such as `A:-x`: GitLab has no default values, and the runner puts
    /// nothing in its place.
    pub without_meaning: Vec<String>,
}

/// A service of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUse {
    /// Its image, with the tag that is pulled.
    pub image: ImageUse,
    /// The names under which the job reaches it. A service without any is never started.
    pub names: AssignedNames,
    /// Whether it is reached in another way than by a name made from its image: by an alias that no earlier service has,
    /// or, in a pod, as `localhost`.
    pub has_alias: bool,
}

/// Why it cannot be told what a job uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsesError {
    /// The job cannot be had.
    #[error(transparent)]
    Job(#[from] JobError),
    /// All jobs together hold more than [`MAX_WEIGHT`].
    #[error("the jobs before it have too many variables and services in all")]
    TooMuch,
    /// Variables cannot be expanded.
    #[error(transparent)]
    Expansion(#[from] ExpansionError),
    /// The runner's settings allow none of the pull policies that an image asks for.
    #[error(transparent)]
    PullPolicy(#[from] ForbiddenPullPolicies),
    /// The image of a service cannot be read.
    #[error("invalid service image name `{image}`: {source}")]
    ServiceName {
        /// The image, variables expanded.
        image: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
}

impl UsesError {
    /// Where the problem is, if it has one place.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Job(error) => error.position(),
            _ => None,
        }
    }

    /// Whether GitLab may see no problem here, because it knows more of the pipeline.
    pub fn may_be_none(&self) -> bool {
        matches!(self, Self::Job(JobError::Invalid(error)) if error.may_be_none())
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Job(error) => error.hint(),
            Self::PullPolicy(error) => Some(error.hint()),
            Self::ServiceName { source, .. } => source.hint(),
            Self::Expansion(_) | Self::TooMuch => None,
        }
    }
}

/// A job that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub error: UsesError,
}

/// What the jobs of a pipeline use.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// The jobs that run on a runner, in the order of the pipeline.
    pub jobs: Vec<JobUses>,
    /// Those that cannot be read.
    pub failed: Vec<FailedJob>,
}

/// Tells which images each job uses. Jobs that start another pipeline use none. Stops, and says so, where jobs become too
/// many for their size.
pub fn image_uses(request: &UsesRequest<'_>) -> Uses {
    let mut uses = Uses::default();
    let mut spent = 0_usize;
    for (name, job) in request.pipeline.jobs() {
        let job = match job {
            Ok(job) => job,
            Err(JobError::NoShell { keyword: "trigger", .. }) => continue,
            Err(error) => {
                uses.failed.push(FailedJob { name: name.to_owned(), error: error.into() });
                continue;
            }
        };
        for instance in job.parallel.instances(&job.name) {
            spent = spent
                .saturating_add(FIXED_WEIGHT + job.variables.len() + SERVICE_WEIGHT * job.services.len());
            if spent > MAX_WEIGHT {
                uses.failed.push(FailedJob { name: instance.name, error: UsesError::TooMuch });
                return uses;
            }
            match job_uses(request, &job, &instance) {
                Ok(job) => uses.jobs.push(job),
                Err(error) => uses.failed.push(FailedJob { name: instance.name, error }),
            }
        }
    }
    uses
}

fn job_uses(request: &UsesRequest<'_>, job: &Job, instance: &Instance) -> Result<JobUses, UsesError> {
    let without_settings = RunnerConfig::default();
    let runner = request.runner.unwrap_or(&without_settings);
    let of_runner = || runner.default_image().map(named_image);
    let image = job.image.clone().or_else(of_runner);
    let scope = Scope::new(job, instance, image.as_ref().map_or("", |image| &image.name), request)?;
    Ok(JobUses {
        name: instance.name.clone(),
        position: job.position,
        image: image.map(|image| scope.image(&image)).transpose()?,
        services: services(job, runner, &scope)?,
        docker_auth_config: scope.value(DOCKER_AUTH_CONFIG).map(Into::into),
        unknown_in_config: match job.secrets.iter().any(|name| name == DOCKER_AUTH_CONFIG) {
            true => vec![DOCKER_AUTH_CONFIG.to_owned()],
            false => scope.unknown_behind(DOCKER_AUTH_CONFIG),
        },
        warnings: job
            .warnings
            .iter()
            .filter(|warning| !warning.is_about("parallel") && !warning.is_about("rules"))
            .cloned()
            .collect(),
    })
}

fn services(job: &Job, runner: &RunnerConfig, scope: &Scope<'_>) -> Result<Vec<ServiceUse>, UsesError> {
    let configured = runner.default_services().iter().map(service_of_config);
    let all = configured.chain(job.services.iter().cloned());
    let wanted = all.map(|service| Wanted::of(&service, scope)).collect::<Result<Vec<_>, _>>()?;
    let names = wanted.iter().map(|wanted| wanted.implicit.iter().chain(&wanted.explicit).cloned().collect());
    let in_pod = runner.puller() == Puller::Kubelet;
    let assigned = match in_pod {
        true => names.map(service_names::names_in_pod).collect(),
        false => service_names::assign_names(names),
    };
    let service = |(wanted, names): (Wanted, AssignedNames)| ServiceUse {
        has_alias: in_pod
            || wanted.has_unknown_alias
            || wanted.explicit.iter().any(|alias| names.names.contains(alias)),
        image: wanted.image,
        names,
    };
    Ok(wanted.into_iter().zip(assigned).map(service).collect())
}

/// A service with all names that it would like to have.
struct Wanted {
    /// The image that is pulled.
    image: ImageUse,
    /// The names that are made from the image.
    implicit: Vec<String>,
    /// Those that `alias` gives.
    explicit: Vec<String>,
    /// Whether `alias` has a variable that is not known here.
    has_unknown_alias: bool,
}

impl Wanted {
    fn of(service: &Service, scope: &Scope<'_>) -> Result<Self, UsesError> {
        let mut image = scope.image(&service.image)?;
        let implicit = match &image.name {
            Some(name) => {
                let ServiceName { pulled_image, implicit_aliases, .. } =
                    service_names::split_name_and_version(name)
                        .map_err(|source| UsesError::ServiceName { image: name.clone(), source })?;
                image.name = Some(pulled_image);
                implicit_aliases
            }
            // What is written stands for the names that it will give: they are the same for the same text.
            None => vec![image.written.clone()],
        };
        let alias = service.alias.as_deref().unwrap_or_default();
        let expanded = scope.expand(alias, "the alias of a service")?;
        Ok(Self {
            image,
            implicit,
            explicit: service_names::explicit_aliases(&expanded).map(str::to_owned).collect(),
            has_unknown_alias: !scope.dependencies(alias).unresolved.is_empty(),
        })
    }
}
