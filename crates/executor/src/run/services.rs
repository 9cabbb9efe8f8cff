//! Starting the services of a job.

use super::belongings::Belongings;
use super::containers::{self, Container, Surroundings};
use super::image_choice::ImageChoice;
use super::{ContainerRole, RunError};
use crate::engine::Engine;
use crate::job::JobSpec;
use crate::observer::{Event, Observer};

/// A service whose container was started.
#[derive(Debug)]
pub(super) struct StartedService {
    /// The id of its container.
    pub(super) container: String,
    /// Its name in messages.
    pub(super) title: String,
    /// Its image.
    pub(super) image: String,
    /// The TCP ports that its image exposes, in ascending order.
    pub(super) ports: Vec<u16>,
}

/// Pulls and starts the services one by one, in their order.
pub(super) async fn start(
    engine: &Engine,
    spec: &JobSpec,
    surroundings: &Surroundings,
    belongings: &Belongings,
    images: &mut ImageChoice<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<StartedService>, RunError> {
    let mut started = Vec::with_capacity(spec.services.len());
    for (index, service) in spec.services.iter().enumerate() {
        let title = service.title().to_owned();
        let role = ContainerRole::Service(title.clone());
        let image = images.obtain(&role, &service.image, observer).await?;
        let body = containers::service_body(service, &image, surroundings);
        let part = format!("service-{index}");
        let container = Container::create(engine, belongings, &part, role, &service.image, body).await?;
        container.start(engine).await?;
        observer.event(Event::ServiceStarted { service: &title });
        started.push(StartedService {
            container: container.id,
            title,
            image: service.image.name.clone(),
            ports: image.tcp_ports,
        });
    }
    Ok(started)
}
