//! A job as GitLab plans it, in the words of the executor.

use std::time::Duration;

use ecru_executor::{ContainerImage, JobSpec, Limits, Mount, ServiceSpec};
use ecru_gitlab::config_toml::DockerConfig;
use ecru_gitlab::plan::{JobPlan, PlannedImage, PlannedService};
use ecru_gitlab::variables::Variable;

/// `plan` on a runner with the settings `docker`, with `mounts` in every container, as the runner's `volumes` are.
pub(super) fn job_spec(
    plan: &JobPlan,
    mounts: &[Mount],
    docker: &DockerConfig,
    timeout: Duration,
) -> JobSpec {
    JobSpec {
        image: container_image(&plan.image),
        services: plan.services.iter().map(|service| service_spec(service, mounts)).collect(),
        env: environment(&plan.variables),
        after_script: plan.after_script.clone(),
        working_dir: plan.project_dir.clone(),
        mounts: mounts.to_vec(),
        extra_hosts: docker.extra_hosts.clone(),
        limits: Limits {
            job: timeout,
            wait_for_services: docker.wait_for_services.unwrap_or_default(),
            ..Limits::default()
        },
        ..JobSpec::new(&plan.job, &plan.image.name, &plan.script)
    }
}

fn service_spec(service: &PlannedService, mounts: &[Mount]) -> ServiceSpec {
    ServiceSpec {
        image: container_image(&service.image),
        // The executor names a service in messages by its first alias, and the explicit one comes last.
        aliases: service.aliases.iter().rev().cloned().collect(),
        command: service.command.clone(),
        env: environment(&service.variables),
        mounts: mounts.to_vec(),
    }
}

fn container_image(image: &PlannedImage) -> ContainerImage {
    ContainerImage {
        name: image.name.clone(),
        entrypoint: image.entrypoint.clone(),
        user: image.user.clone(),
        platform: image.platform.clone(),
        pull_policy: image.pull_policies.clone(),
    }
}

fn environment(variables: &[Variable]) -> Vec<(String, String)> {
    variables.iter().map(|variable| (variable.key.clone(), variable.value.clone())).collect()
}
