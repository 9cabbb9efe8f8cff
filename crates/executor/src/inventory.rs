//! Lists of what an engine holds, to compare before and after.

use std::collections::BTreeSet;

use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptions, ListVolumesOptions,
};

use crate::engine::{Engine, EngineError};

/// What an engine holds at one moment. Two inventories are equal if nothing was left behind in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The containers, running or not, as `ID NAME`.
    pub containers: BTreeSet<String>,
    /// The images, as `ID`, or `ID NAME` for each name that an image has.
    pub images: BTreeSet<String>,
    /// The networks, as `ID NAME`.
    pub networks: BTreeSet<String>,
    /// The names of the volumes.
    pub volumes: BTreeSet<String>,
}

impl Engine {
    /// Returns what the engine holds now.
    ///
    /// # Errors
    ///
    /// An [`EngineError`] if a list cannot be read.
    pub async fn inventory(&self) -> Result<Inventory, EngineError> {
        let docker = self.docker();
        let every_container = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self
            .call("list the containers", docker.list_containers(Some(every_container)))
            .await?
            .into_iter()
            .map(|container| named(container.id, container.names.unwrap_or_default().into_iter().next()));
        let tagged_images = ListImagesOptionsBuilder::default().build();
        let images = self
            .call("list the images", docker.list_images(Some(tagged_images)))
            .await?
            .into_iter()
            .flat_map(|image| {
                let id = image.id;
                let names: Vec<_> = image.repo_tags.into_iter().map(Some).collect();
                let names = if names.is_empty() { vec![None] } else { names };
                names.into_iter().map(move |name| named(Some(id.clone()), name))
            });
        let networks = self
            .call("list the networks", docker.list_networks(None::<ListNetworksOptions>))
            .await?
            .into_iter()
            .map(|network| named(network.id, network.name));
        let volumes = self
            .call("list the volumes", docker.list_volumes(None::<ListVolumesOptions>))
            .await?
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| volume.name);
        Ok(Inventory {
            containers: containers.collect(),
            images: images.collect(),
            networks: networks.collect(),
            volumes: volumes.collect(),
        })
    }
}

fn named(id: Option<String>, name: Option<String>) -> String {
    let id = id.unwrap_or_default();
    match name {
        Some(name) => format!("{id} {}", name.trim_start_matches('/')),
        None => id,
    }
}
