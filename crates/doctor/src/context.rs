//! Which of the three contexts this machine is, and how it is known.

use std::path::{Path, PathBuf};

use crate::report::Context;
use crate::service::{self, Kind, Service, ServiceError};
use crate::surroundings::Surroundings;

/// A context, and how it is known to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The context.
    pub context: Context,
    /// What was seen, a line each.
    pub by: Vec<String>,
}

/// Where a Docker engine listens, unless told otherwise.
const ENGINE_SOCKETS: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];

/// Units of a Docker engine.
const ENGINE_UNITS: [&str; 3] = [
    "/etc/systemd/system/docker.service",
    "/usr/lib/systemd/system/docker.service",
    "/lib/systemd/system/docker.service",
];

/// The contexts that were asked for, else those that the machine is; possibly none.
#[must_use]
pub fn known(surroundings: &Surroundings) -> Vec<Known> {
    let asked = |context: &Context| Known { context: *context, by: vec!["--context".to_owned()] };
    let mut known: Vec<Known> = match surroundings.asked.contexts.as_slice() {
        [] => found(surroundings),
        contexts => contexts.iter().map(asked).collect(),
    };
    if !surroundings.is_this_machine() {
        let line = format!("it is looked at in {}, which stands for its `/`", surroundings.root.display());
        known.iter_mut().for_each(|known| known.by.push(line.clone()));
    }
    known
}

fn found(surroundings: &Surroundings) -> Vec<Known> {
    // A job's container is neither of the others, whatever it has mounted.
    if let Some(by) = job(surroundings) {
        return vec![Known { context: Context::Job, by: vec![by] }];
    }
    let mut contexts = Vec::new();
    if let Some(by) = runner(surroundings) {
        contexts.push(Known { context: Context::Runner, by });
    }
    if let Some(by) = job_host(surroundings) {
        contexts.push(Known { context: Context::JobHost, by: vec![by] });
    }
    contexts
}

/// GitLab Runner gives these variables to every job (GitLab, "Predefined CI/CD variables reference").
fn job(surroundings: &Surroundings) -> Option<String> {
    let number = surroundings.environment.of_child().into_iter().find(|(name, _)| name == "CI_JOB_ID")?.1;
    Some(format!("CI_JOB_ID is set: this is job {}", number.to_string_lossy()))
}

fn runner(surroundings: &Surroundings) -> Option<Vec<String>> {
    let variables = surroundings.variables();
    let place =
        service::Surroundings { root: &surroundings.root, variables: &variables, uid: surroundings.uid };
    match service::chosen(&place, surroundings.asked.home.as_deref(), surroundings.asked.config.as_deref()) {
        // Every container is some container; what makes it a runner's is the program.
        Ok(service) if matches!(service.kind, Kind::Container(_)) => {
            let program = runner_program(&service, surroundings)?;
            Some([service.evidence, vec![format!("{} is there", program.display())]].concat())
        }
        Ok(service) => Some(service.evidence),
        Err(ServiceError::NotFound) => None,
        Err(error) => Some(vec![error.to_string()]),
    }
}

/// The program of gitlab-runner on the service's PATH.
pub(crate) fn runner_program(service: &Service, surroundings: &Surroundings) -> Option<PathBuf> {
    let mut programs = service.path.iter().map(|folder| folder.join(service::NAME));
    programs.find(|program| surroundings.place_of(program).is_file())
}

fn job_host(surroundings: &Surroundings) -> Option<String> {
    let is_there = |path: &&&str| surroundings.place_of(Path::new(path)).exists();
    if service::container::marker(&surroundings.root).is_some() {
        return None;
    }
    let socket = ENGINE_SOCKETS.iter().find(is_there).map(|path| format!("{path} exists: a Docker engine"));
    socket
        .or_else(|| ENGINE_UNITS.iter().find(is_there).map(|path| format!("{path} exists: a Docker engine")))
}
