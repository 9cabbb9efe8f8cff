//! The set-up that puts a runner right, as a command and as a value.

use ecru_ecr::config::Config;
use ecru_gitlab::config_toml::{Puller, RunnerConfig};
use ecru_gitlab::registry_auth::FileContent;
use secrecy::ExposeSecret as _;

use super::Facts;
use crate::checks::hints;
use crate::report::Fix;

/// Stands where no registry is known. `ecru setup` refuses it, where it would take a host for one that is meant.
const PLACEHOLDER: &str = "REGISTRY";

/// What `ecru setup runner` would be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupRunner {
    /// The registries of ECR that this runner's settings, images and arguments name.
    pub registries: Vec<String>,
}

impl Facts<'_> {
    /// The set-up that puts this runner right; none if no registry is known to set up.
    #[must_use]
    pub fn remedy(&self) -> Option<SetupRunner> {
        let aliases = self.puller().map(|puller| &puller.config);
        let registries = self.registries_met(aliases.unwrap_or(&Config::default()));
        (!registries.is_empty()).then_some(SetupRunner { registries })
    }

    /// The command for that set-up.
    pub(super) fn setup_command(&self) -> Fix {
        let remedy = self.remedy();
        let by_setup = remedy.is_some();
        let registries = remedy.map_or_else(|| vec![PLACEHOLDER.to_owned()], |remedy| remedy.registries);
        Fix::Command { command: self.surroundings.target().setup_runner(&registries), by_setup }
    }

    /// What a hint of a helper means here, where it is another user's process that it is about.
    pub(super) fn fix_of_hint(&self, hint: &str) -> Fix {
        let home = self.environment().and_then(|environment| environment.home());
        hints::fix_as(home.as_deref(), hint)
    }

    /// The registries of ECR by their own names, in the order in which they are met.
    pub(super) fn wanted_registries(&self) -> Vec<String> {
        self.registries_met(&Config::default())
    }

    /// The same, and those that an alias of `config` stands for.
    fn registries_met(&self, config: &Config) -> Vec<String> {
        self.registries_met_by(&self.runners.iter().collect::<Vec<_>>(), config)
    }

    /// The same as far as these runners meet them.
    pub(super) fn registries_met_by(&self, runners: &[&RunnerConfig], config: &Config) -> Vec<String> {
        let mut found = Vec::new();
        let mut look_at = |text: &str| {
            for registry in registries_in(text, config) {
                if !found.contains(&registry) {
                    found.push(registry);
                }
            }
        };
        self.surroundings.asked.images.iter().for_each(|image| look_at(image));
        for runner in runners {
            if let Some(value) = Self::docker_auth_config(runner) {
                look_at(value.expose_secret());
            }
            if runner.puller() != Puller::Nobody {
                let services = runner.default_services().iter().map(|service| service.name.as_str());
                runner.default_image().into_iter().chain(services).for_each(&mut look_at);
            }
        }
        let unread = self.runners.is_empty().then_some(&self.config_text);
        for content in self.home_files.iter().map(|file| &file.content).chain(unread) {
            if let FileContent::Text(text) = content {
                look_at(text.expose_secret());
            }
        }
        self.other_homes.iter().for_each(|(_, text)| look_at(text.expose_secret()));
        if let Some(value) = self.variable_of_service(ecru_gitlab::variables::DOCKER_AUTH_CONFIG) {
            look_at(value);
        }
        if let Some(puller) = self.puller() {
            puller.config.registries().iter().for_each(|registry| look_at(&registry.host()));
        }
        found
    }
}

/// The registries of ECR that a text names, whatever its format is, by their hosts or by aliases of `config`.
pub(super) fn registries_in(text: &str, config: &Config) -> Vec<String> {
    let is_of_host = |character: char| character.is_ascii_alphanumeric() || ".-:".contains(character);
    let mut found = Vec::new();
    for word in text.split(|character| !is_of_host(character)) {
        // Whether a colon stands before a port cannot be seen.
        let parts: Vec<&str> = word.split(':').collect();
        let with_ports = parts.windows(2).map(|pair| pair.join(":"));
        let hosts = parts.iter().map(|part| (*part).to_owned());
        let hosts = with_ports.chain(hosts).filter_map(|host| Some(config.registry(&host).ok()?.host()));
        for host in hosts {
            if !found.contains(&host) {
                found.push(host);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn registries_are_found_in_texts_that_are_no_json() {
        let text = r#"{'credHelpers':{'https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v1/':'x'}} public.ecr.aws/a:1"#;
        let none = Config::default();
        assert_eq!(
            registries_in(text, &none),
            ["111122223333.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws"]
        );
        let foreign = "*.dkr.ecr.*.amazonaws.com 1.dkr.ecr.x.amazonaws.com.evil.example localhost:5000";
        assert!(registries_in(foreign, &none).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text: String) {
            let _ = registries_in(&text, &Config::default());
        }
    }
}
