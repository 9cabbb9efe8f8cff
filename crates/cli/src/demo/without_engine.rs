//! The story on a machine without a Docker engine: an OCI client in this program stands for it.

use std::sync::Arc;

use ecru_docker::credential_helper::message::Credential;
use ecru_gitlab::registry_auth::{Outcome, Resolution};

use super::cast::{Cast, JOB_IMAGE, RESULT_REPOSITORY, SERVICE_IMAGE};
use super::story::{Actor, Story};
use crate::error::CommandError;
use crate::example_images::oci::LoopbackRegistries;
use crate::example_images::{ExampleImage, job_image};
use crate::exit_code;
use crate::job::credentials::{Obstacle, RunnerSources};

/// Two choices of the runner, two pulls of the job host, one push of the job.
pub(super) const PLANNED_STEPS: usize = 5;

const DOCKER_AUTH_CONFIG: &str = r#"{"credsStore":"ecr-login"}"#;

/// Pulls the service's and the job's image with what the runner chose, and pushes a result as the job would.
pub(super) async fn tell(story: &mut Story<'_>, cast: &Cast) -> Result<(), CommandError> {
    let runner = cast.runner()?;
    let sources = RunnerSources::new(
        Some(DOCKER_AUTH_CONFIG.into()),
        runner.outside.home().as_deref(),
        &runner.outside,
    );
    let sources = Arc::new(sources);
    let registries = LoopbackRegistries::new();
    for (place, image) in [(&cast.away, SERVICE_IMAGE), (&cast.home, JOB_IMAGE)] {
        let name = cast.local_name(place, image);
        story.begin();
        let credential = chosen_credential(&sources, &name).await?;
        story.passed(
            Actor::Runner,
            &format!("chose credentials for {} from $DOCKER_AUTH_CONFIG", place.host()),
        );
        let pulled = registries.pull(&name, &credential).await?;
        let (size, digest) = (pulled.layer_bytes / 1_000_000, short(&pulled.digest).to_owned());
        story.passed(Actor::JobHost, &format!("pulled {image} with the OCI client ({size} MB, {digest})"));
    }
    push_result(story, cast, &registries).await
}

/// The job has an identity of its own: its account's user, as CI/CD variables would give it.
async fn push_result(
    story: &mut Story<'_>,
    cast: &Cast,
    registries: &LoopbackRegistries,
) -> Result<(), CommandError> {
    let job = cast.publisher(&cast.home)?;
    let result: ExampleImage = job_image(&cast.ingredients, false)
        .map_err(|error| CommandError::from_error(exit_code::EMULATOR_FAILED, &error))?;
    story.begin();
    let name = format!("{RESULT_REPOSITORY}:1");
    let digest = cast.stage.publish(cast.home.account, &cast.home.region, &name, &result, &job).await?;
    let registry = cast.local_name(&cast.home, &name);
    let credential = job.credential(registry.split('/').next().unwrap_or_default()).await?;
    let found = registries.digest(&registry, &credential).await?;
    if found != digest {
        return Err(CommandError::new(
            exit_code::DEMO_STEP_FAILED,
            format!("pushed {digest} but found {found}"),
        ));
    }
    story.passed(Actor::Job, &format!("pushed {name} with the OCI client ({})", short(&digest)));
    Ok(())
}

async fn chosen_credential(sources: &Arc<RunnerSources>, image: &str) -> Result<Credential, CommandError> {
    let (sources, name) = (sources.clone(), image.to_owned());
    let resolved = tokio::task::spawn_blocking(move || sources.resolve(&name))
        .await
        .map_err(|error| CommandError::from_error(exit_code::DEMO_STEP_FAILED, &error))?;
    let obstacles = resolved.obstacles();
    credential_of(resolved.resolution).ok_or_else(|| {
        let error =
            CommandError::new(exit_code::PULL_DENIED, format!("the runner has no credentials for {image}"));
        obstacles.into_iter().fold(error, Obstacle::told_with)
    })
}

fn credential_of(resolution: Resolution) -> Option<Credential> {
    match resolution.outcome {
        Outcome::Credential(credential) => Some(Credential {
            server_url: credential.server_address.clone(),
            username: credential.username.clone(),
            secret: credential.password.clone(),
        }),
        _ => None,
    }
}

/// `sha256:` and the first digits, for a line that people read.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
