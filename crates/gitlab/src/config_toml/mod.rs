//! The runner's `config.toml`, as far as images and the environment go.
//!
//! What is not read is passed over, as the runner does with keys of other versions. The names are those of
//! GitLab's "Advanced configuration" page and of `common/config.go` in GitLab Runner v19.3.0.

mod error;
mod executor;
mod read;

use std::time::Duration;

pub use error::{ConfigError, ConfigProblem, ConfigWarning, SelectionError};
pub use executor::Puller;

use crate::pull_policy::PullPolicy;
use crate::variables::Variable;

/// The longest file that is read, in bytes: hundreds of runners. The TOML parser takes more than a hundred times as much
/// memory as one key with dots from end to end.
pub const MAX_INPUT_BYTES: usize = 512 * 1024;

/// How long the runner waits for a service to listen, unless told otherwise.
pub const DEFAULT_WAIT_FOR_SERVICES: Duration = Duration::from_secs(30);

/// A `config.toml`.
#[derive(Debug, Clone, Default)]
pub struct ConfigToml {
    /// Its `[[runners]]`.
    pub runners: Vec<RunnerConfig>,
    /// What is probably a mistake in it.
    pub warnings: Vec<ConfigWarning>,
}

/// One of the `[[runners]]`.
#[derive(Debug, Clone, Default)]
pub struct RunnerConfig {
    /// `name`, by which people tell runners apart; possibly empty.
    pub name: String,
    /// `url`, the address of GitLab; possibly empty.
    pub url: String,
    /// `executor`; possibly empty.
    pub executor: String,
    /// `environment`: variables below all others, expanded, and given to services too.
    pub environment: Vec<Variable>,
    /// `builds_dir`.
    pub builds_dir: Option<String>,
    /// `pre_build_script`, which runs in the job's shell before the job's own commands.
    pub pre_build_script: Option<String>,
    /// `[runners.docker]`.
    pub docker: DockerConfig,
    /// `[runners.kubernetes]`.
    pub kubernetes: KubernetesConfig,
}

/// `[runners.kubernetes]`. Empty texts count as not given.
#[derive(Debug, Clone, Default)]
pub struct KubernetesConfig {
    /// `image`: the image of jobs that name none.
    pub image: Option<String>,
    /// `use_service_account_image_pull_secrets`: the pod does not get the Secret that the runner makes.
    pub use_service_account_image_pull_secrets: bool,
    /// `[[runners.kubernetes.services]]`, before those of the job.
    pub services: Vec<ServiceConfig>,
    /// `privileged`.
    pub privileged: bool,
    /// `pull_policy`; empty means that the cluster decides.
    pub pull_policies: Vec<PullPolicy>,
    /// `allowed_pull_policies`; empty means those of `pull_policy`.
    pub allowed_pull_policies: Vec<PullPolicy>,
    /// `host_path` of each `[[runners.kubernetes.volumes.host_path]]`: folders and files of the node.
    pub host_paths: Vec<String>,
}

/// `[runners.docker]`. Empty texts count as not given.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    /// `image`: the image of jobs that name none.
    pub image: Option<String>,
    /// `host`: the address of the Docker engine.
    pub host: Option<String>,
    /// `volumes`, which every container gets, those of services included.
    pub volumes: Vec<String>,
    /// `pull_policy`, in the order in which they are tried; empty means always.
    pub pull_policies: Vec<PullPolicy>,
    /// `allowed_pull_policies`; empty means those of `pull_policy`.
    pub allowed_pull_policies: Vec<PullPolicy>,
    /// `extra_hosts`.
    pub extra_hosts: Vec<String>,
    /// `network_mode`.
    pub network_mode: Option<String>,
    /// `privileged`.
    pub privileged: bool,
    /// `services_privileged`; none means as `privileged` says.
    pub services_privileged: Option<bool>,
    /// `wait_for_services_timeout`; none means that services are not waited for.
    pub wait_for_services: Option<Duration>,
    /// `[[runners.docker.services]]`, which start before those of the job.
    pub services: Vec<ServiceConfig>,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            image: None,
            host: None,
            volumes: Vec::new(),
            pull_policies: Vec::new(),
            allowed_pull_policies: Vec::new(),
            extra_hosts: Vec::new(),
            network_mode: None,
            privileged: false,
            services_privileged: None,
            wait_for_services: Some(DEFAULT_WAIT_FOR_SERVICES),
            services: Vec::new(),
        }
    }
}

/// One of the `services` of `[runners.docker]` or `[runners.kubernetes]`.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// `name`: the image.
    pub name: String,
    /// `alias`: names separated by spaces or commas.
    pub alias: Option<String>,
    /// `entrypoint`.
    pub entrypoint: Option<Vec<String>>,
    /// `command`.
    pub command: Option<Vec<String>>,
    /// `environment`.
    pub environment: Vec<Variable>,
}

impl ConfigToml {
    /// Reads the text of a `config.toml`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        read::config(text)
    }

    /// The runner called `name`, or the only one if no name is given.
    pub fn runner(&self, name: Option<&str>) -> Result<&RunnerConfig, SelectionError> {
        self.numbered_runner(name).map(|(_, runner)| runner)
    }

    /// The same, with its place among `[[runners]]`, counted from 0.
    pub fn numbered_runner(&self, name: Option<&str>) -> Result<(usize, &RunnerConfig), SelectionError> {
        let numbered = self.runners.iter().enumerate();
        let candidates: Vec<(usize, &RunnerConfig)> =
            numbered.filter(|(_, runner)| name.is_none_or(|name| runner.name == name)).collect();
        let available = || self.runners.iter().map(|runner| runner.name.clone()).collect();
        match (candidates.as_slice(), name) {
            ([only], _) => Ok(*only),
            ([], Some(name)) if !self.runners.is_empty() => {
                Err(SelectionError::Unknown { name: name.to_owned(), available: available() })
            }
            ([], _) => Err(SelectionError::NoRunners),
            (_, None) => Err(SelectionError::NameNeeded { available: available() }),
            (_, Some(name)) => Err(SelectionError::SameName { name: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runners(names: &[&str]) -> ConfigToml {
        let text: String = names.iter().map(|name| format!("[[runners]]\nname = {name:?}\n")).collect();
        ConfigToml::parse(&text).unwrap()
    }

    #[test]
    fn the_only_runner_needs_no_name() {
        assert_eq!(runners(&["a"]).runner(None).unwrap().name, "a");
        assert_eq!(runners(&["a", "b"]).runner(Some("b")).unwrap().name, "b");
    }

    #[test]
    fn other_selections_say_what_there_is() {
        let message = |names: &[&str], name| {
            let error = runners(names).runner(name).unwrap_err();
            format!("{error}; {}", error.hint().unwrap_or_default())
        };
        assert!(message(&[], None).starts_with("the file has no `[[runners]]`"));
        assert!(message(&["a", "b"], None).contains("`--runner NAME`: the names are `a`, `b`"));
        assert!(message(&["a"], Some("x")).starts_with("no runner is called `x`; the names are `a`"));
        assert!(message(&["a", "a"], Some("a")).starts_with("several runners are called `a`"));
    }
}
