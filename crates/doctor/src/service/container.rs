//! Containers, and who made them.

use std::collections::BTreeMap;
use std::path::Path;

use super::below;

/// The variables of a container by which ECS and Kubernetes are recognised.
const ECS_VARIABLE: &str = "ECS_CONTAINER_METADATA_URI_V4";
const KUBERNETES_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

/// Files that a container has (Docker and Podman make them).
const MARKERS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Who made a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orchestrator {
    /// Amazon ECS.
    Ecs,
    /// Kubernetes.
    Kubernetes,
    /// Docker, Podman or another.
    Unknown,
}

impl Orchestrator {
    /// The container, in words.
    pub(super) fn container(self) -> &'static str {
        match self {
            Self::Ecs => "a container of an ECS task",
            Self::Kubernetes => "a container of a pod",
            Self::Unknown => "a container",
        }
    }
}

/// The container below `root` of a process with `variables`, and by what it is known; `None` if it is in none.
pub(super) fn of(root: &Path, variables: &BTreeMap<String, String>) -> Option<(Orchestrator, String)> {
    let is_set = |name: &str| variables.contains_key(name);
    let (orchestrator, by) = if is_set(ECS_VARIABLE) {
        (Orchestrator::Ecs, format!("{ECS_VARIABLE} is set"))
    } else if is_set(KUBERNETES_VARIABLE) {
        (Orchestrator::Kubernetes, format!("{KUBERNETES_VARIABLE} is set"))
    } else {
        let marker = marker(root)?;
        (Orchestrator::Unknown, format!("{marker} exists"))
    };
    Some((orchestrator, format!("{by}: this is {}", orchestrator.container())))
}

/// The file by which the container below `root` is known.
pub(crate) fn marker(root: &Path) -> Option<&'static str> {
    MARKERS.into_iter().find(|marker| below(root, Path::new(marker)).exists())
}
