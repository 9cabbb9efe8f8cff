//! What all checks of a job are made from, gathered once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ecru_docker::config_file::{ConfigFile, ConfigFileError};
use ecru_docker::credential_helper::invoke::Caller;
use ecru_docker::reference::ImageReference;
use ecru_ecr::config::{Config, ConfigError};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_ecr::registry::Registry;
use ecru_gitlab::docker_cli::{self, Inputs, Outcome};
use ecru_gitlab::registry_auth::{FileContent, HomeFile, registry_path};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use crate::files::read_limited;
use crate::helper_runs::{HELPER_DEADLINE, HelperRuns};
use crate::program_output::printed;
use crate::report::Context;
use crate::surroundings::{ImageChoice, Puller, Surroundings};
use crate::threads::on_thread;

/// The longest configuration file.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// `docker --version` reads nothing and asks nobody.
const VERSION_DEADLINE: Duration = Duration::from_secs(5);

/// The first docker command that reads DOCKER_AUTH_CONFIG (docker/cli PR 6008).
const READS_VARIABLE: (u16, u16) = (28, 3);

/// What all checks of a job are made from.
pub struct Facts<'a> {
    /// What was asked for, and where.
    pub surroundings: &'a Surroundings,
    /// The variables of the job that are text.
    pub variables: BTreeMap<String, String>,
    /// `config.json` of docker, where it is known where that is.
    pub config_file: Option<HomeFile>,
    /// The job's, whose paths are places of this machine.
    environment: Environment,
    puller: Result<Puller, ConfigError>,
    version: OnceCell<Result<Version, String>>,
}

/// What `docker --version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The program.
    pub program: PathBuf,
    /// Its version, as it writes it.
    pub text: String,
    /// The first two numbers of it.
    pub numbers: (u16, u16),
}

impl Version {
    /// Whether it reads DOCKER_AUTH_CONFIG.
    #[must_use]
    pub fn reads_variable(&self) -> bool {
        self.numbers >= READS_VARIABLE
    }
}

impl<'a> Facts<'a> {
    /// Reads the job's files. Starts nothing.
    #[must_use]
    pub fn gather(surroundings: &'a Surroundings) -> Self {
        let variables = surroundings.variables();
        let config_file = config_path(&variables).map(|path| HomeFile {
            content: content_of(&surroundings.place_of_own(&path)),
            path: path.display().to_string(),
        });
        let environment = surroundings.own_environment();
        let config = surroundings.ecru_config(&environment);
        let mut facts = Self {
            surroundings,
            variables,
            config_file,
            environment,
            puller: Err(ConfigError::Missing { path: PathBuf::new() }),
            version: OnceCell::new(),
        };
        facts.puller = config.map(|config| facts.puller_of(config));
        facts
    }

    /// The job as one that pulls.
    ///
    /// # Errors
    /// If ecru's configuration cannot be read.
    pub fn puller(&self) -> Result<&Puller, &ConfigError> {
        self.puller.as_ref()
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variable DOCKER_AUTH_CONFIG, which holds passwords.
    #[must_use]
    pub fn docker_auth_config(&self) -> Option<SecretString> {
        self.variable("DOCKER_AUTH_CONFIG").map(SecretString::from)
    }

    /// docker's configuration; empty if there is none.
    ///
    /// # Errors
    /// If docker does not understand it.
    pub fn docker_config(&self) -> Result<ConfigFile, ConfigFileError> {
        match self.config_file.as_ref().map(|file| &file.content) {
            Some(FileContent::Text(text)) => ConfigFile::parse(text.expose_secret()),
            _ => Ok(ConfigFile::default()),
        }
    }

    /// The program of this name on PATH.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.search_path();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(name)).find(|program| is_executable(program))
    }

    /// PATH, whose folders are places of this machine.
    fn search_path(&self) -> OsString {
        let path = self.environment().into_iter().find(|(name, _)| name == "PATH");
        path.map(|(_, path)| path).unwrap_or_default()
    }

    /// The version of `docker`, or why it is not known.
    pub async fn docker_version(&self) -> &Result<Version, String> {
        self.version.get_or_init(|| async { self.ask_version().await }).await
    }

    async fn ask_version(&self) -> Result<Version, String> {
        let program = self.program("docker").ok_or("`docker` is not on PATH")?;
        if !self.surroundings.asked.starts_programs {
            return Err("no program is started".to_owned());
        }
        let printed = printed(&program, &["--version"], &self.environment(), VERSION_DEADLINE).await;
        let printed = printed.map_err(|error| error.to_string())?;
        let text = version_in(&printed.stdout).ok_or("`docker --version` names no version")?;
        let numbers = numbers(text).ok_or_else(|| format!("`{text}` is not a version"))?;
        Ok(Version { program, text: text.to_owned(), numbers })
    }

    /// All variables, for programs that are started.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.environment.of_child()
    }

    /// The credentials that `docker` would send for each image that was asked for.
    pub async fn choices(&self) -> Vec<ImageChoice> {
        let is_before_28_3 =
            self.docker_version().await.as_ref().is_ok_and(|version| !version.reads_variable());
        let question = ToResolve {
            images: self.surroundings.asked.images.clone(),
            docker_auth_config: self.docker_auth_config(),
            config_file: self.config_file.clone(),
            is_before_28_3,
            caller: self.surroundings.asked.starts_programs.then(|| Caller {
                path: self.search_path(),
                environment: self.environment(),
                deadline: HELPER_DEADLINE,
            }),
        };
        on_thread(move || question.resolved()).await
    }

    fn puller_of(&self, config: Config) -> Puller {
        let environment = self.environment.clone();
        Puller {
            context: Context::Job,
            target: self.surroundings.target(),
            registries: self.registries(&config),
            deadlines: Deadlines::from_environment(&environment).unwrap_or_default(),
            config_file: environment
                .xdg("XDG_CONFIG_HOME", ".config")
                .unwrap_or_default()
                .join("ecru/config.toml"),
            own: environment.clone(),
            environment,
            config,
            clock: self.surroundings.clock,
        }
    }

    /// The registries of ECR that images, docker's settings and ecru's name, each once.
    fn registries(&self, config: &Config) -> Vec<String> {
        let document = self.docker_config().unwrap_or_default();
        let keys = document.auths.keys().chain(document.credential_helpers.keys());
        let of_keys = keys.map(|key| registry_path(key).split('/').next().unwrap_or_default().to_owned());
        let of_images =
            self.surroundings.asked.images.iter().filter_map(|image| {
                ImageReference::parse(image).ok().map(|image| image.registry().to_owned())
            });
        let of_config = config.registries().iter().map(Registry::host);
        let mut names: Vec<String> = Vec::new();
        for name in of_images.chain(of_keys).chain(of_config) {
            if config.registry(&name).is_ok() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// What is needed to tell docker's choice, away from the thread that waits.
struct ToResolve {
    images: Vec<String>,
    docker_auth_config: Option<SecretString>,
    config_file: Option<HomeFile>,
    is_before_28_3: bool,
    caller: Option<Caller>,
}

impl ToResolve {
    fn resolved(self) -> Vec<ImageChoice> {
        let inputs = Inputs {
            docker_auth_config: self.docker_auth_config.as_ref(),
            config_file: self.config_file.as_ref(),
            is_before_28_3: self.is_before_28_3,
        };
        let mut helpers = HelperRuns::new(self.caller.clone());
        let choices = self.images.iter().map(|image| {
            let resolution = docker_cli::resolve(image, &inputs, &mut helpers);
            let said = helpers.runs().iter().flat_map(|(_, run)| {
                run.problem.clone().into_iter().chain(run.stderr.lines().map(str::to_owned))
            });
            let obstacles: Vec<String> = resolution.trace.warnings.iter().cloned().chain(said).collect();
            let (credential, aborted) = match resolution.outcome {
                Outcome::Credential(credential) => (Some(*credential), None),
                Outcome::Anonymous => (None, None),
                Outcome::Failed(error) => (None, Some(error.to_string())),
            };
            let obstacles = if credential.is_some() { Vec::new() } else { obstacles };
            ImageChoice { image: image.clone(), credential, obstacles, aborted, left_to_others: None }
        });
        choices.collect()
    }
}

/// `$DOCKER_CONFIG/config.json`, else the one in the home directory (docker/cli `cli/config/config.go`).
fn config_path(variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
    folder.map(|folder| folder.join("config.json"))
}

fn content_of(place: &Path) -> FileContent {
    match read_limited(place, MAX_FILE_BYTES) {
        Ok(Some(bytes)) => FileContent::Text(String::from_utf8_lossy(&bytes).into_owned().into()),
        Ok(None) => FileContent::NotFound,
        Err(error) => FileContent::OpenFailed(error.to_string()),
    }
}

fn is_executable(program: &Path) -> bool {
    program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The version in `Docker version 28.3.0, build 38b7060`.
fn version_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("version ")?;
    rest.split([',', ' ', '\n']).next().filter(|version| !version.is_empty())
}

fn numbers(version: &str) -> Option<(u16, u16)> {
    let mut numbers = version.trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_read_from_what_docker_prints() {
        let version = version_in("Docker version 28.3.0, build 38b7060\n").unwrap();
        assert_eq!((version, numbers(version)), ("28.3.0", Some((28, 3))));
        assert_eq!(version_in("podman 5"), None);
        assert_eq!(numbers("dev"), None);
    }

    proptest! {
        #[test]
        fn any_text_has_a_version_or_none(text: String, version in "[0-9.v,-]{0,12}") {
            let _ = version_in(&text).and_then(numbers);
            let _ = version_in(&format!("version {version}")).and_then(numbers);
        }
    }
}
