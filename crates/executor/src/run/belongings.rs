//! Everything that a run makes on the engine, and its removal.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use super::RunError;
use crate::engine::{Engine, EngineError};

/// The label on every container, network and volume of a run; its value is the run's id.
pub const RUN_LABEL: &str = "io.ecru.run";

/// The pause between two tries to remove what could not be removed at once, because its removal was under way or
/// something else of the run still used it.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotRemoved {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) reason: String,
}

/// The things of one run. They are found again by their label, not by a list kept here, so that nothing is forgotten
/// that the engine made while its answer got lost.
#[derive(Debug)]
pub(super) struct Belongings {
    engine: Engine,
    run_id: String,
    creations: TaskTracker,
    limit: Duration,
    are_removed: bool,
}

impl Belongings {
    /// Starts a run with an id of its own. `limit` is the time that removal may take.
    pub(super) fn new(engine: Engine, limit: Duration) -> Result<Self, RunError> {
        let mut id = [0_u8; 8];
        getrandom::fill(&mut id).map_err(|error| RunError::NoRunId { reason: error.to_string() })?;
        let run_id = hex::encode(id);
        Ok(Self { engine, run_id, creations: TaskTracker::new(), limit, are_removed: false })
    }

    /// Returns the name of a part of this run.
    pub(super) fn name_of(&self, part: &str) -> String {
        format!("ecru-{}-{part}", self.run_id)
    }

    /// Returns the labels that everything of this run must carry.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        HashMap::from([(RUN_LABEL.to_owned(), self.run_id.clone())])
    }

    /// Awaits a call that makes something.
    ///
    /// The call goes on in a task of its own if the caller is cancelled: an engine finishes a creation whose client
    /// is gone, so the removal must wait for it before it looks for what there is to remove.
    pub(super) async fn create<T: Send + 'static>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, ClientError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let engine = self.engine.clone();
        match self.creations.spawn(async move { engine.call(operation, call).await }).await {
            Ok(answer) => answer,
            Err(error) => Err(EngineError::ConnectionLost { operation, reason: error.to_string() }),
        }
    }

    /// Removes everything of this run, and returns what could not be removed.
    pub(super) async fn remove_all(mut self) -> Vec<NotRemoved> {
        let left = remove_by_label(&self.engine, &self.run_id, &self.creations, self.limit).await;
        self.are_removed = true;
        left
    }
}

/// A run that is dropped in the middle, by a caller or by a panic, still removes what it made.
impl Drop for Belongings {
    fn drop(&mut self) {
        if self.are_removed {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::warn!(run = %self.run_id, "the run ended outside of a runtime: its containers are not removed");
            return;
        };
        let (engine, run_id, limit) = (self.engine.clone(), self.run_id.clone(), self.limit);
        let creations = self.creations.clone();
        runtime.spawn(async move {
            for left in remove_by_label(&engine, &run_id, &creations, limit).await {
                tracing::warn!(run = %run_id, kind = left.kind, name = left.name, "not removed: {}", left.reason);
            }
        });
    }
}

async fn remove_by_label(
    engine: &Engine,
    run_id: &str,
    creations: &TaskTracker,
    limit: Duration,
) -> Vec<NotRemoved> {
    let deadline = Instant::now() + limit;
    creations.close();
    let mut left = vec![NotRemoved {
        kind: "run",
        name: run_id.to_owned(),
        reason: format!("the engine did not answer within {} s", limit.as_secs()),
    }];
    // The other half of the time is for the removal; what is created even later is reported by its time-out.
    let _ = timeout(limit / 2, creations.wait()).await;
    let label = format!("{RUN_LABEL}={run_id}");
    // The pause is under the deadline too: a call to a socket that is gone fails before any timer is looked at.
    let trying = async {
        loop {
            left = remove_once(engine, &label).await;
            if left.is_empty() {
                return;
            }
            sleep(RETRY_PAUSE).await;
        }
    };
    let _ = timeout_at(deadline, trying).await;
    left
}

/// Removes all that carries the label, in the order of use: containers, then what they use.
async fn remove_once(engine: &Engine, label: &str) -> Vec<NotRemoved> {
    let mut left = remove_containers(engine, label).await;
    left.extend(remove_networks(engine, label).await);
    left.extend(remove_volumes(engine, label).await);
    left
}

fn filter_of(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}

async fn remove_containers(engine: &Engine, label: &str) -> Vec<NotRemoved> {
    let docker = engine.docker();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter_of(label)).build();
    let containers = match engine.call("list the containers", docker.list_containers(Some(options))).await {
        Ok(containers) => containers.into_iter().filter_map(|container| container.id).collect(),
        Err(error) => return vec![unlisted("containers", label, &error)],
    };
    // `v` takes the anonymous volumes along that the image declares.
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    remove_each("container", containers, |id| {
        let options = options.clone();
        async move { engine.call("remove the container", docker.remove_container(&id, Some(options))).await }
    })
    .await
}

async fn remove_networks(engine: &Engine, label: &str) -> Vec<NotRemoved> {
    let docker = engine.docker();
    let options = ListNetworksOptionsBuilder::default().filters(&filter_of(label)).build();
    let networks = match engine.call("list the networks", docker.list_networks(Some(options))).await {
        Ok(networks) => networks.into_iter().filter_map(|network| network.id).collect(),
        Err(error) => return vec![unlisted("networks", label, &error)],
    };
    remove_each("network", networks, |id| async move {
        engine.call("remove the network", docker.remove_network(&id)).await
    })
    .await
}

async fn remove_volumes(engine: &Engine, label: &str) -> Vec<NotRemoved> {
    let docker = engine.docker();
    let options = ListVolumesOptionsBuilder::default().filters(&filter_of(label)).build();
    let volumes = match engine.call("list the volumes", docker.list_volumes(Some(options))).await {
        Ok(answer) => answer.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect(),
        Err(error) => return vec![unlisted("volumes", label, &error)],
    };
    remove_each("volume", volumes, |name| async move {
        engine.call("remove the volume", docker.remove_volume(&name, None::<RemoveVolumeOptions>)).await
    })
    .await
}

/// Removes things side by side, and returns those that are still there. Something that is gone already is removed.
async fn remove_each<Removal>(
    kind: &'static str,
    names: Vec<String>,
    remove: impl Fn(String) -> Removal,
) -> Vec<NotRemoved>
where
    Removal: Future<Output = Result<(), EngineError>>,
{
    let removals = names.into_iter().map(|name| {
        let removal = remove(name.clone());
        async move {
            match removal.await {
                Ok(()) => None,
                Err(error) if error.status() == Some(404) => None,
                Err(error) => Some(NotRemoved { kind, name, reason: error.message() }),
            }
        }
    });
    join_all(removals).await.into_iter().flatten().collect()
}

fn unlisted(kind: &'static str, label: &str, error: &EngineError) -> NotRemoved {
    NotRemoved { kind, name: format!("with the label {label}"), reason: error.message() }
}
