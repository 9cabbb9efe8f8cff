//! All that a diagnosis is made from, read at the edge of the program and passed on as a value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecru_ecr::clock::Clock;
use ecru_ecr::config::{Config, ConfigError, SYSTEM_FILE, Source};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_gitlab::registry_auth::{ResolvedCredential, RunnerVersion};

use crate::checks::job_host::Probe;
use crate::report::Context;
use crate::service::below;
use crate::shell::shell_word;

/// Variables with paths of files that AWS's SDK or ecru reads.
pub(crate) const PATH_VARIABLES: [&str; 5] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    ecru_ecr::config::FILE_VARIABLE,
];

/// Variables with folders of a user.
const FOLDER_VARIABLES: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"];

/// The machine, this process, and what a person asked for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder that is `/` of the machine.
    pub root: PathBuf,
    /// The variables of this process.
    pub environment: Environment,
    /// The user of this process.
    pub uid: u32,
    /// What tells the time.
    pub clock: Clock,
    /// A folder for what helpers and AWS's answers leave behind, where `root` is only looked at.
    pub scratch: Option<PathBuf>,
    /// What looks at the instance metadata from inside a container.
    pub probe: Option<Probe>,
    /// What a person asked for.
    pub asked: Asked,
}

/// What a person asked for. Paths are absolute ones of the machine.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The contexts; if there is none, they are found out.
    pub contexts: Vec<Context>,
    /// The runner's `config.toml` (the one that the service is started with, if not given).
    pub config: Option<PathBuf>,
    /// The home directory of the runner's user (the service's, if not given).
    pub home: Option<PathBuf>,
    /// Which of the `[[runners]]`, where there are several.
    pub runner: Option<String>,
    /// The version of GitLab Runner (that of the program, if not given).
    pub runner_version: Option<RunnerVersion>,
    /// The images that must be there, and be allowed to be pulled.
    pub images: Vec<String>,
    /// Whether other programs are started and anything is asked over a network: credential helpers, `docker`, AWS,
    /// registries, engines.
    pub starts_programs: bool,
    /// Whether jobs are meant to have the identity of their host.
    pub metadata_wanted: bool,
}

/// The machine that commands are about, and what a person said of its runner. A command that leaves one of these out is
/// about another machine, or another runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The folder that is `/` of the machine.
    pub root: PathBuf,
    /// The runner's home directory, where it was given.
    pub home: Option<PathBuf>,
    /// The runner's `config.toml`, where it was given.
    pub config: Option<PathBuf>,
}

impl Target {
    /// This machine, of whose runner nothing was said.
    #[must_use]
    pub fn this_machine() -> Self {
        Self::at(Path::new("/"))
    }

    /// The machine whose `/` is `root`, of whose runner nothing was said.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), home: None, config: None }
    }

    /// Whether it is the machine that this process is on.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The command that sets up its runner for `registries`.
    #[must_use]
    pub fn setup_runner<S: AsRef<str>>(&self, registries: &[S]) -> String {
        let registries: Vec<&str> = registries.iter().map(AsRef::as_ref).collect();
        self.told(format!("ecru setup runner --registry {}", registries.join(" ")))
    }

    /// `command`, one of `ecru` about a runner, told which one.
    #[must_use]
    pub fn told(&self, mut command: String) -> String {
        let root = (!self.is_this_machine()).then_some(&self.root);
        let options = [("--root", root), ("--home", self.home.as_ref()), ("--config", self.config.as_ref())];
        for (option, path) in options.into_iter().filter_map(|(option, path)| Some((option, path?))) {
            command.push_str(&format!(" {option} {}", shell_word(&path.display().to_string())));
        }
        command
    }

    /// A command that begins with `systemctl`, told which machine it is about; others as they are.
    #[must_use]
    pub fn systemctl(&self, command: &str) -> String {
        match command.strip_prefix("systemctl ") {
            Some(rest) if !self.is_this_machine() => {
                format!("systemctl --root={} {rest}", shell_word(&self.root.display().to_string()))
            }
            _ => command.to_owned(),
        }
    }
}

impl Surroundings {
    /// What commands are about.
    #[must_use]
    pub fn target(&self) -> Target {
        let Asked { home, config, .. } = &self.asked;
        Target { root: self.root.clone(), home: home.clone(), config: config.clone() }
    }

    /// Where an absolute path of the machine is.
    #[must_use]
    pub fn place_of(&self, path: &Path) -> PathBuf {
        below(&self.root, path)
    }

    /// Whether it is this machine that is looked at, and not a folder that is one's root.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where an absolute path is that this process was given: in its machine's root, unless it was written so already.
    #[must_use]
    pub fn place_of_own(&self, path: &Path) -> PathBuf {
        if path.starts_with(&self.root) { path.to_owned() } else { self.place_of(path) }
    }

    /// This process's environment, whose paths are places of this machine.
    #[must_use]
    pub fn own_environment(&self) -> Environment {
        if self.is_this_machine() {
            return self.environment.clone();
        }
        let mut variables = self.environment.of_child();
        for (name, value) in &mut variables {
            match name.to_str() {
                Some("PATH") => {
                    let folders = std::env::split_paths(&value);
                    let folders = folders
                        .filter(|folder| folder.is_absolute())
                        .map(|folder| self.place_of_own(&folder));
                    *value = std::env::join_paths(folders).unwrap_or_default();
                }
                Some(name) if PATH_VARIABLES.contains(&name) || FOLDER_VARIABLES.contains(&name) => {
                    *value = self.place_of_own(Path::new(value)).into();
                }
                _ => {}
            }
        }
        Environment::from_map(variables)
    }

    /// The variables that are text, for what looks for the service.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        self.environment.of_child().into_iter().filter_map(text).collect()
    }

    /// ecru's configuration as a process with `environment` has it on this machine.
    ///
    /// # Errors
    /// If a file of it cannot be read whole, or does not count.
    pub fn ecru_config(&self, environment: &Environment) -> Result<Config, ConfigError> {
        let mut sources = Source::all(&self.place_of(Path::new(SYSTEM_FILE)), environment);
        if !self.is_this_machine() {
            // In a folder, whoever looks at it stands for root.
            sources.iter_mut().for_each(|source| source.owner = source.owner.map(|_| self.uid));
        }
        Config::load(&sources)
    }
}

/// Whoever pulls: the runner's process for `image:` and `services:`, or `docker` in a job.
#[derive(Debug, Clone)]
pub struct Puller {
    /// Which of them.
    pub context: Context,
    /// The machine that it is on.
    pub target: Target,
    /// Its variables, with which its helpers are started; paths in `HOME` and `PATH` are places of this machine.
    pub environment: Environment,
    /// The same without what a diagnosis adds: what is said of its settings, and where its records are.
    pub own: Environment,
    /// ecru's configuration as it counts there.
    pub config: Config,
    /// The file in which rules for it belong, as a place of this machine.
    pub config_file: PathBuf,
    /// The times within which a token must be there.
    pub deadlines: Deadlines,
    /// What tells the time.
    pub clock: Clock,
    /// The registries that its settings name, as written there: hosts and aliases that stand for registries of ECR,
    /// each once.
    pub registries: Vec<String>,
}

/// Keeps every client of AWS from asking the instance's metadata service.
pub(crate) const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

impl Puller {
    /// Whether the instance's metadata are not asked because they would be those of another machine than the one that is
    /// looked at: whether its instance has an identity is then not known.
    #[must_use]
    pub fn is_instance_unknown(&self) -> bool {
        self.environment.flag(METADATA_DISABLED) && !self.own.flag(METADATA_DISABLED)
    }
}

/// The credentials that a puller would send for an image.
#[derive(Debug, Clone)]
pub struct ImageChoice {
    /// The image.
    pub image: String,
    /// The credentials; none where it would pull anonymously.
    pub credential: Option<ResolvedCredential>,
    /// What kept credentials from being found, where there are none.
    pub obstacles: Vec<String>,
    /// Why it would not pull at all, where it would not.
    pub aborted: Option<String>,
    /// Why nothing needs to be sent, where nothing is: somebody else pulls.
    pub left_to_others: Option<String>,
}
