//! Getting an image onto the engine by its pull policies.

use std::collections::HashMap;
use std::time::Duration;

use ecru_gitlab::pull_policy::PullPolicy;
use tokio::time::timeout;

use super::{ContainerRole, RunError};
use crate::credential::{CredentialLookup, RegistryCredential};
use crate::engine::Engine;
use crate::images::{ImageError, LocalImage};
use crate::job::ContainerImage;
use crate::observer::{Event, Observer};

/// The images of one run.
pub(super) struct ImageChoice<'a> {
    engine: &'a Engine,
    credentials: &'a dyn CredentialLookup,
    lookup_limit: Duration,
    /// Images that this run has used. GitLab Runner does not pull an image twice in one job (v19.3.0
    /// executors/docker/internal/pull/manager.go).
    used: HashMap<(String, Option<String>), LocalImage>,
}

impl<'a> ImageChoice<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        credentials: &'a dyn CredentialLookup,
        lookup_limit: Duration,
    ) -> Self {
        Self { engine, credentials, lookup_limit, used: HashMap::new() }
    }

    /// Returns `image` as the engine has it after the first of its pull policies that succeeds.
    pub(super) async fn obtain(
        &mut self,
        role: &ContainerRole,
        image: &ContainerImage,
        observer: &mut dyn Observer,
    ) -> Result<LocalImage, RunError> {
        let key = (image.name.clone(), image.platform.clone());
        if let Some(local) = self.used.get(&key) {
            return Ok(local.clone());
        }
        let local = self.try_policies(role, image, observer).await?;
        let engine_platform = &self.engine.describe().platform;
        if image.platform.is_none() && !local.platform.is_empty() && local.platform != *engine_platform {
            let platform = &local.platform;
            observer.event(Event::ForeignPlatform { image: &image.name, platform, engine_platform });
        }
        self.used.insert(key, local.clone());
        Ok(local)
    }

    async fn try_policies(
        &self,
        role: &ContainerRole,
        image: &ContainerImage,
        observer: &mut dyn Observer,
    ) -> Result<LocalImage, RunError> {
        let (last, earlier) = image.pull_policy.split_last().unwrap_or((&PullPolicy::Always, &[]));
        for &policy in earlier {
            match self.try_policy(role, image, policy, observer).await {
                Err(RunError::Image { source, .. }) => {
                    observer.event(Event::PullPolicyFailed { image: &image.name, policy, error: &source });
                }
                outcome => return outcome,
            }
        }
        self.try_policy(role, image, *last, observer).await
    }

    async fn try_policy(
        &self,
        role: &ContainerRole,
        image: &ContainerImage,
        policy: PullPolicy,
        observer: &mut dyn Observer,
    ) -> Result<LocalImage, RunError> {
        let unusable = |source| RunError::Image { container: role.clone(), source };
        if policy != PullPolicy::Always {
            match self.engine.local_image(&image.name).await {
                Ok(local) => {
                    observer.event(Event::ImagePresent { image: &image.name, policy });
                    return Ok(local);
                }
                Err(ImageError::NotPresent { .. }) if policy == PullPolicy::IfNotPresent => {}
                Err(error) => return Err(unusable(error)),
            }
        }
        let credential = self.credential_for(role, &image.name).await?;
        self.pull(image, policy, credential.as_ref(), observer).await.map_err(unusable)
    }

    async fn credential_for(
        &self,
        role: &ContainerRole,
        image: &str,
    ) -> Result<Option<RegistryCredential>, RunError> {
        let outcome = match timeout(self.lookup_limit, self.credentials.credential_for(image)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", self.lookup_limit.as_secs()).into()),
        };
        outcome.map_err(|source| RunError::CredentialLookup {
            container: role.clone(),
            image: image.to_owned(),
            source,
        })
    }

    async fn pull(
        &self,
        image: &ContainerImage,
        policy: PullPolicy,
        credential: Option<&RegistryCredential>,
        observer: &mut dyn Observer,
    ) -> Result<LocalImage, ImageError> {
        let name = &image.name;
        let credential_for = credential.map(|credential| credential.server_address.as_str());
        observer.event(Event::PullStarted { image: name, policy, credential_for });
        let mut progress = |progress| observer.event(Event::PullProgress { image: name, progress });
        self.engine.pull_image(name, image.platform.as_deref(), credential, &mut progress).await?;
        let local = self.engine.local_image(name).await?;
        observer.event(Event::PullFinished { image: name, id: &local.id });
        Ok(local)
    }
}
