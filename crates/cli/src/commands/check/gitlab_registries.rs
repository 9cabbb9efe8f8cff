//! The registries of the GitLab itself, for which it sends a token of its own with every job.

use ecru_gitlab::config_toml::RunnerConfig;
use ecru_gitlab::variables::Variable;
use ecru_registry::LookupError;

use super::lookups::host_of;
use super::report::{CheckedImage, Credentials, Outcome};

/// Variables that name such a registry before their first `/` (GitLab, "Predefined CI/CD variables").
const VARIABLES: [&str; 5] = [
    "CI_REGISTRY",
    "CI_REGISTRY_IMAGE",
    "CI_DEPENDENCY_PROXY_SERVER",
    "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX",
    "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX",
];
const GITLAB_COM: (&str, &str) = ("gitlab.com", "registry.gitlab.com");
/// The dependency proxy is named with it, and images may be named without.
const HTTPS_PORT: &str = ":443";

/// Hosts, with a port where it is not that of HTTPS.
pub(super) struct GitlabRegistries(Vec<String>);

impl GitlabRegistries {
    /// Those that are known here: by the project's variables, and by the address of the runner's GitLab, which is that of
    /// its dependency proxy.
    pub(super) fn of(variables: &[Variable], runner: &RunnerConfig) -> Self {
        let named = variables.iter().filter(|variable| VARIABLES.contains(&variable.key.as_str()));
        let mut hosts: Vec<String> = named.filter_map(|variable| host(&variable.value)).collect();
        if let Some(gitlab) = host_of(&runner.url) {
            hosts.extend((gitlab == GITLAB_COM.0).then(|| GITLAB_COM.1.to_owned()));
            hosts.push(gitlab.to_ascii_lowercase());
        }
        Self(hosts)
    }

    /// Takes back that an image cannot be had without credentials where a job has some that nobody else has.
    pub(super) fn leave_open(&self, images: &mut [CheckedImage]) {
        for image in images {
            let is_refused = matches!(
                image.outcome,
                Outcome::Failed(LookupError::LoginMissing | LookupError::Denied { .. })
            );
            let is_without = matches!(image.credentials, Credentials::None { .. });
            if is_refused && is_without && host(&image.name).is_some_and(|host| self.0.contains(&host)) {
                image.outcome = Outcome::LeftOpen {
                    reason: "GitLab's token of the job is used, which is not known here".to_owned(),
                    hint: "--job-credentials FILE".to_owned(),
                };
            }
        }
    }
}

fn host(name: &str) -> Option<String> {
    let host = name.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_suffix(HTTPS_PORT).unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}
