//! Who pulls for the runners, and which registries each of them is to have credentials for.

use ecru_ecr::config::Config;
use ecru_gitlab::config_toml::{Puller, RunnerConfig};

use super::Facts;
use super::facts::named_in;

impl Facts<'_> {
    /// Why the runners need to send nothing; none where a Docker engine pulls with what they send, or may do so because
    /// `config.toml` cannot be read.
    pub(super) fn why_nothing_is_sent(&self) -> Option<&'static str> {
        why_nothing_is_sent(&self.runners.iter().collect::<Vec<_>>())
    }

    /// The runners of these names; all where none is given.
    pub(super) fn runners_called(&self, names: &[String]) -> Vec<&RunnerConfig> {
        let runners = self.runners.iter();
        runners.filter(|runner| names.is_empty() || names.contains(&runner.name)).collect()
    }

    /// The registries of ECR that the files for these runners name, by hosts and by aliases.
    pub(super) fn named_by(&self, runners: &[&RunnerConfig]) -> Vec<String> {
        let documents = self.documents_of(runners.iter().copied());
        match self.puller() {
            Some(puller) => named_in(&documents, &puller.config),
            None => named_in(&documents, &Config::default()),
        }
    }

    /// Whether it is these runners that meet the registry, and not others only.
    pub(super) fn is_met_by(&self, runners: &[&RunnerConfig], registry: &String) -> bool {
        self.named_by(runners).contains(registry)
            || self.registries_met_by(runners, &Config::default()).contains(registry)
    }
}

/// The same of some of them.
pub(super) fn why_nothing_is_sent(runners: &[&RunnerConfig]) -> Option<&'static str> {
    let has = |puller: Puller| runners.iter().any(|runner| runner.puller() == puller);
    match (has(Puller::DockerEngine), has(Puller::Kubelet)) {
        (false, true) => Some(
            "a kubelet pulls, with its node's identity or the pull secrets of the pod where the runner sends nothing",
        ),
        (false, false) if !runners.is_empty() => Some("no runner here has an executor that pulls images"),
        _ => None,
    }
}
