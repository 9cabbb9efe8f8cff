//! What a runner's executor decides about images.

use super::{RunnerConfig, ServiceConfig};

/// The executors that pull through a Docker engine (GitLab Runner v19.3.0 `main.go`, `newExecutorProviders`; the last
/// two are of older versions).
const DOCKER: [&str; 6] =
    ["docker", "docker-windows", "docker+machine", "docker-autoscaler", "docker-ssh", "docker-ssh+machine"];

const KUBERNETES: &str = "kubernetes";

/// Who pulls the images of a runner's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Puller {
    /// A Docker engine, with the one credential that the runner chose for the image.
    DockerEngine,
    /// A kubelet, with all credentials that the runner put into the pod's Secret.
    Kubelet,
    /// Nobody whom the runner gives credentials: `image` and `services` mean nothing, or something else.
    Nobody,
}

impl RunnerConfig {
    /// Who pulls the images of its jobs. Without an `executor` it is taken to be one of Docker's.
    pub fn puller(&self) -> Puller {
        match self.executor.as_str() {
            KUBERNETES => Puller::Kubelet,
            executor if executor.is_empty() || DOCKER.contains(&executor) => Puller::DockerEngine,
            _ => Puller::Nobody,
        }
    }

    /// The image of jobs that name none.
    pub fn default_image(&self) -> Option<&str> {
        match self.puller() {
            Puller::Kubelet => self.kubernetes.image.as_deref(),
            Puller::DockerEngine | Puller::Nobody => self.docker.image.as_deref(),
        }
    }

    /// The services that every job has, before its own.
    pub fn default_services(&self) -> &[ServiceConfig] {
        match self.puller() {
            Puller::Kubelet => &self.kubernetes.services,
            Puller::DockerEngine | Puller::Nobody => &self.docker.services,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_toml::ConfigToml;

    #[test]
    fn the_executor_decides_who_pulls() {
        for (executor, puller) in [
            ("", Puller::DockerEngine),
            ("docker+machine", Puller::DockerEngine),
            ("kubernetes", Puller::Kubelet),
            ("shell", Puller::Nobody),
            ("Docker", Puller::Nobody),
        ] {
            let runner = RunnerConfig { executor: executor.to_owned(), ..RunnerConfig::default() };
            assert_eq!(runner.puller(), puller, "{executor}");
        }
    }

    #[test]
    fn each_executor_has_settings_of_its_own() {
        let text = "[[runners]]\nexecutor = 'EXECUTOR'\n[runners.docker]\nimage = 'd:1'\n[runners.kubernetes]\n\
                    image = 'k:1'\nuse_service_account_image_pull_secrets = true\n[[runners.kubernetes.services]]\n\
                    name = 's:1'\n";
        let image = |executor| {
            let config = ConfigToml::parse(&text.replace("EXECUTOR", executor)).unwrap();
            let runner = &config.runners[0];
            assert!(runner.kubernetes.use_service_account_image_pull_secrets);
            (runner.default_image().unwrap().to_owned(), runner.default_services().len())
        };
        assert_eq!(image("kubernetes"), ("k:1".to_owned(), 1));
        assert_eq!(image("docker"), ("d:1".to_owned(), 0));
    }
}
