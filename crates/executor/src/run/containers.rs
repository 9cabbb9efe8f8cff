//! Containers of a run: how they are described to the engine, created and started.

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount as EngineMount, MountType,
    MountVolumeOptions, NetworkCreateRequest, NetworkingConfig, VolumeCreateRequest,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};

use super::belongings::Belongings;
use super::{ContainerRole, RunError};
use crate::engine::{Engine, EngineError};
use crate::images::LocalImage;
use crate::job::{ContainerImage, JobSpec, Mount, ServiceSpec};

/// The name of the job container on the network (GitLab Runner v19.3.0 executors/docker, network alias `build`).
const JOB_ALIAS: &str = "build";

/// How much of a service's log the engine keeps. Only its last lines are ever read.
const SERVICE_LOG_SIZE: &str = "1m";

/// What all containers of a run share.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The name of the network.
    pub(super) network: String,
    volume: String,
    working_dir: String,
    extra_hosts: Vec<String>,
}

impl Surroundings {
    /// Makes the network and the volume of the working directory of a job.
    pub(super) async fn create(
        engine: &Engine,
        belongings: &Belongings,
        spec: &JobSpec,
    ) -> Result<Self, RunError> {
        let network = belongings.name_of("network");
        let volume = belongings.name_of("builds");
        let docker = engine.docker().clone();
        let request = NetworkCreateRequest {
            name: network.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(belongings.labels()),
            ..Default::default()
        };
        belongings
            .create("create the network", async move { docker.create_network(request).await })
            .await
            .map_err(RunError::from_network)?;
        let docker = engine.docker().clone();
        let request = VolumeCreateRequest {
            name: Some(volume.clone()),
            labels: Some(belongings.labels()),
            ..Default::default()
        };
        belongings.create("create the volume", async move { docker.create_volume(request).await }).await?;
        let JobSpec { working_dir, extra_hosts, .. } = spec.clone();
        Ok(Self { network, volume, working_dir, extra_hosts })
    }

    fn working_dir_mount(&self) -> EngineMount {
        EngineMount {
            target: Some(self.working_dir.clone()),
            source: Some(self.volume.clone()),
            typ: Some(MountType::VOLUME),
            // What an image has at this path must not leak into the other containers.
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
            ..Default::default()
        }
    }

    fn host_config(&self, mounts: &[Mount], log: HostConfigLogConfig) -> HostConfig {
        let mounts = std::iter::once(self.working_dir_mount()).chain(mounts.iter().map(bind_mount)).collect();
        HostConfig {
            network_mode: Some(self.network.clone()),
            mounts: Some(mounts),
            log_config: Some(log),
            extra_hosts: Some(self.extra_hosts.clone()),
            ..Default::default()
        }
    }

    fn networking(&self, aliases: Vec<String>) -> NetworkingConfig {
        let endpoint = EndpointSettings { aliases: Some(aliases), ..Default::default() };
        NetworkingConfig { endpoints_config: Some([(self.network.clone(), endpoint)].into()) }
    }
}

/// A mount of type `bind` fails if its source is missing, where the older `Binds` would make an empty folder of it.
fn bind_mount(mount: &Mount) -> EngineMount {
    EngineMount {
        target: Some(mount.target.clone()),
        source: Some(mount.source.clone()),
        typ: Some(MountType::BIND),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

/// Returns the description of a service's container.
pub(super) fn service_body(
    service: &ServiceSpec,
    image: &LocalImage,
    surroundings: &Surroundings,
) -> ContainerCreateBody {
    // The engine's default log driver may be one that cannot be read back.
    let log = HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some([("max-size".to_owned(), SERVICE_LOG_SIZE.to_owned())].into()),
    };
    ContainerCreateBody {
        cmd: service.command.clone(),
        env: Some(environment(&service.env)),
        host_config: Some(surroundings.host_config(&service.mounts, log)),
        networking_config: Some(surroundings.networking(service.aliases.clone())),
        ..image_body(&service.image, image)
    }
}

/// Returns the description of the job's container: a shell that reads its standard input, once for each start.
pub(super) fn job_body(
    spec: &JobSpec,
    image: &LocalImage,
    surroundings: &Surroundings,
) -> ContainerCreateBody {
    // Output is read as it comes; a second copy of it on the engine's disk would be of no use.
    let log = HostConfigLogConfig { typ: Some("none".to_owned()), config: None };
    ContainerCreateBody {
        cmd: Some(spec.shell_command.clone()),
        env: Some(environment(&spec.env)),
        working_dir: Some(spec.working_dir.clone()),
        host_config: Some(surroundings.host_config(&spec.mounts, log)),
        networking_config: Some(surroundings.networking(vec![JOB_ALIAS.to_owned()])),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        ..image_body(&spec.image, image)
    }
}

fn image_body(choice: &ContainerImage, image: &LocalImage) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.id.clone()),
        entrypoint: choice.entrypoint.clone(),
        user: choice.user.clone(),
        ..Default::default()
    }
}

fn environment(variables: &[(String, String)]) -> Vec<String> {
    variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// A container of this run.
#[derive(Debug)]
pub(super) struct Container {
    /// Its id on the engine.
    pub(super) id: String,
    role: ContainerRole,
    image: String,
    /// The program that looks for a shell; errors about it mean that the image has none.
    shell: Option<String>,
}

impl Container {
    /// Creates the container that `body` describes, labelled as one of the run.
    pub(super) async fn create(
        engine: &Engine,
        belongings: &Belongings,
        part: &str,
        role: ContainerRole,
        image: &ContainerImage,
        body: ContainerCreateBody,
    ) -> Result<Self, RunError> {
        let body = ContainerCreateBody { labels: Some(belongings.labels()), ..body };
        let shell = match role {
            ContainerRole::Job => body.cmd.as_ref().and_then(|command| command.first().cloned()),
            ContainerRole::Service(_) => None,
        };
        let options = CreateContainerOptionsBuilder::default()
            .name(&belongings.name_of(part))
            .platform(image.platform.as_deref().unwrap_or_default())
            .build();
        let docker = engine.docker().clone();
        let creation = async move { docker.create_container(Some(options), body).await };
        match belongings.create("create the container", creation).await {
            Ok(created) => Ok(Self { id: created.id, role, image: image.name.clone(), shell }),
            Err(error) => Err(RunError::from_start(&role, &image.name, None, error)),
        }
    }

    /// Starts the container, or starts it again.
    pub(super) async fn start(&self, engine: &Engine) -> Result<(), RunError> {
        let start = engine.docker().start_container(&self.id, None::<StartContainerOptions>);
        engine.call("start the container", start).await.map_err(|error| self.start_error(error))
    }

    fn start_error(&self, error: EngineError) -> RunError {
        RunError::from_start(&self.role, &self.image, self.shell.as_deref(), error)
    }
}
