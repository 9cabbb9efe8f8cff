//! The plan that gives every container of a runner's jobs the helper and a Docker configuration that names it.
//!
//! # Where Docker's configuration goes
//! `DOCKER_CONFIG` names the folder of a file that is mounted read-only. A file at `/root/.docker/config.json` would be
//! seen by containers that run as root with that home only, and no job could get past it; `DOCKER_CONFIG` holds for every
//! user and for other tools too, and a job that needs another configuration, such as one for `docker login`, sets the
//! variable itself. Only the file is mounted and not its folder, so that root in the container can still write beside it,
//! as buildx does.

use std::path::{Path, PathBuf};

use ecru_ecr::registry::Registry;

use crate::edit::docker_config::{Helpers, with_helpers};
use crate::edit::job_containers::{JobContainers, with_job_containers};
use crate::plan::{Content, Creation, Plan};
use crate::setup_runner::program::change_at;
use crate::setup_runner::{PlanError, edited};

/// The suffix by which Docker's files name the helper.
const SUFFIX: &str = "ecr-login";

/// The helper on the job host, where set-ups of runners and user data of job hosts put it too.
pub const HELPER_FILE: &str = "/usr/local/bin/docker-credential-ecr-login";

/// The folder of Docker's configuration, on the job host and in containers.
pub const DOCKER_CONFIG_FOLDER: &str = "/etc/ecru/docker";

/// Docker's configuration for jobs.
pub const DOCKER_CONFIG_FILE: &str = "/etc/ecru/docker/config.json";

/// What every container gets: `/usr/local/bin` is in the PATH of all usual images.
pub(crate) const VOLUMES: [&str; 2] = [
    "/usr/local/bin/docker-credential-ecr-login:/usr/local/bin/docker-credential-ecr-login:ro",
    "/etc/ecru/docker/config.json:/etc/ecru/docker/config.json:ro",
];

/// The Docker engine of the job host.
pub(crate) const ENGINE_SOCKET: &str = "/var/run/docker.sock:/var/run/docker.sock";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The folder that is `/` of the machine.
    pub root: &'a Path,
    /// The registries that `docker` asks the helper for.
    pub registries: &'a [Registry],
    /// The runner's `config.toml`.
    pub config: &'a Path,
    /// Which of the `[[runners]]`, where there are several.
    pub runner: Option<&'a str>,
    /// The static program that becomes the helper.
    pub program: &'a Path,
    /// The role that the helper assumes in jobs, with the job's ID token if it has one.
    pub role_arn: Option<&'a str>,
    /// Whether containers get the engine of the job host.
    pub engine_socket: bool,
}

/// A plan, and where its files are.
#[derive(Debug)]
pub struct JobPlan {
    /// The plan. It is empty where everything is as it should be.
    pub plan: Plan,
    /// Whether the containers run on other machines, which must have the files by their image or user data.
    pub runs_elsewhere: bool,
}

/// The plan.
///
/// # Errors
/// If a file is malformed, or something cannot be done as asked for.
pub fn plan(request: &Request<'_>) -> Result<JobPlan, PlanError> {
    let containers = containers(request);
    let mut runs_here = false;
    let creation = Creation { owner: None, mode: 0o600, folder_mode: 0o700 };
    let config =
        edited(request.root, request.config.to_owned(), Content::RunnerConfig, creation, |content| {
            with_job_containers(content.unwrap_or_default(), request.runner, &containers)
                .map(|edited| edited.text)
        })?;
    if let Some(before) = &config.before {
        runs_here =
            with_job_containers(before, request.runner, &containers).is_ok_and(|edited| edited.runs_here);
    }
    let mut plan = Plan::default();
    if runs_here {
        plan.push(change_at(PathBuf::from(HELPER_FILE), request.program, request.root)?);
        plan.push(docker_config(request)?);
    }
    // Last, because a volume whose file is not there yet becomes a folder.
    plan.push(config);
    Ok(JobPlan { plan, runs_elsewhere: !runs_here })
}

fn containers(request: &Request<'_>) -> JobContainers {
    let mut volumes: Vec<String> = VOLUMES.iter().map(|volume| (*volume).to_owned()).collect();
    if request.engine_socket {
        volumes.push(ENGINE_SOCKET.to_owned());
    }
    let mut environment = vec![format!("DOCKER_CONFIG={DOCKER_CONFIG_FOLDER}")];
    environment.extend(request.role_arn.map(|role| format!("ECRU_ROLE_ARN={role}")));
    JobContainers { volumes, environment }
}

/// Everybody in a job may read it: it names registries and holds no password.
fn docker_config(request: &Request<'_>) -> Result<crate::plan::Change, PlanError> {
    let creation = Creation { owner: None, mode: 0o644, folder_mode: 0o755 };
    let helpers = Helpers::ForRegistries(request.registries.iter().map(Registry::host).collect());
    let path = PathBuf::from(DOCKER_CONFIG_FILE);
    edited(request.root, path, Content::DockerConfig, creation, |content| {
        with_helpers(content, &helpers, SUFFIX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_name_the_files_that_are_made() {
        assert_eq!(VOLUMES[0], format!("{HELPER_FILE}:{HELPER_FILE}:ro"));
        assert_eq!(VOLUMES[1], format!("{DOCKER_CONFIG_FILE}:{DOCKER_CONFIG_FILE}:ro"));
        assert_eq!(Path::new(DOCKER_CONFIG_FILE).parent(), Some(Path::new(DOCKER_CONFIG_FOLDER)));
    }
}
