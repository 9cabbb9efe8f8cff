//! What all checks of a runner are made from, gathered once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ecru_docker::config_file::ConfigFile;
use ecru_docker::credential_helper::invoke::{Caller, User};
use ecru_ecr::config::{Config, ConfigError, SYSTEM_FILE};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_gitlab::config_toml::{ConfigToml, RunnerConfig};
use ecru_gitlab::registry_auth::{
    self, AllCredentials, FileContent, HOME_FILES, HomeFile, Inputs, Outcome, Resolution, Runner,
    RunnerVersion,
};
use ecru_gitlab::variables::{self, DOCKER_AUTH_CONFIG};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use super::pullers::why_nothing_is_sent;
use super::version;

use crate::files::read_limited;
use crate::helper_runs::{HELPER_DEADLINE, HelperRuns, Question, quoted};
use crate::report::Context;
use crate::service::{self, Service, ServiceError};
use crate::surroundings::{ImageChoice, METADATA_DISABLED, PATH_VARIABLES, Puller, Surroundings};
use crate::threads::on_thread;

/// The longest configuration file; the runner has no limit.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// How many other accounts' files are looked at; machines with a directory service have thousands of accounts.
const MAX_OTHER_HOMES: usize = 16;

/// What all checks of a runner are made from.
pub struct Facts<'a> {
    /// What was asked for, and where.
    pub surroundings: &'a Surroundings,
    /// The service.
    pub service: Result<Service, ServiceError>,
    /// What reading `config.toml` gave.
    pub config_text: FileContent,
    /// The `[[runners]]` that are looked at: the one that was asked for, else all; none if the file cannot be read.
    pub runners: Vec<RunnerConfig>,
    /// The files in the service's home directory that Docker's settings can be in.
    pub home_files: Vec<HomeFile>,
    /// Docker's settings in the home directories of other accounts, as absolute paths of the machine.
    pub other_homes: Vec<(PathBuf, SecretString)>,
    puller: Option<Result<Puller, ConfigError>>,
    version: OnceCell<Result<RunnerVersion, String>>,
    resolved: OnceCell<Resolved>,
}

/// What the runner would send, with all that its helpers said meanwhile.
pub struct Resolved {
    /// One for each `DOCKER_AUTH_CONFIG` that a runner has, or for none.
    pub sources: Vec<ResolvedSources>,
    /// The helpers that were run.
    pub helpers: HelperRuns,
}

/// The credentials of the runners that have the same `DOCKER_AUTH_CONFIG`.
pub struct ResolvedSources {
    /// The names of these runners.
    pub runners: Vec<String>,
    /// What they know for every registry.
    pub all: AllCredentials,
    /// What they would send for each image that was asked for.
    pub images: Vec<(String, Resolution)>,
}

impl<'a> Facts<'a> {
    /// Finds the service and reads its files. Starts nothing.
    #[must_use]
    pub fn gather(surroundings: &'a Surroundings) -> Self {
        let variables = surroundings.variables();
        let place =
            service::Surroundings { root: &surroundings.root, variables: &variables, uid: surroundings.uid };
        let asked = &surroundings.asked;
        let service = service::chosen(&place, asked.home.as_deref(), asked.config.as_deref());
        let mut facts = Self {
            surroundings,
            service,
            config_text: FileContent::NotFound,
            runners: Vec::new(),
            home_files: Vec::new(),
            other_homes: Vec::new(),
            puller: None,
            version: OnceCell::new(),
            resolved: OnceCell::new(),
        };
        if let Ok(service) = &facts.service {
            facts.config_text = content_of(surroundings, &service.config);
            facts.home_files = HOME_FILES
                .iter()
                .map(|name| service.home.join(name))
                .map(|path| HomeFile {
                    content: content_of(surroundings, &path),
                    path: path.display().to_string(),
                })
                .collect();
            facts.runners = chosen_runners(&facts.config_text, asked.runner.as_deref());
            facts.other_homes = other_homes(surroundings, service);
            facts.puller = Some(facts.puller_of(service));
        }
        facts
    }

    /// The runner's process; none if the service is not known or ecru's configuration cannot be read.
    #[must_use]
    pub fn puller(&self) -> Option<&Puller> {
        self.puller.as_ref()?.as_ref().ok()
    }

    /// Why ecru's configuration cannot be read, where it cannot.
    #[must_use]
    pub fn ecru_config_error(&self) -> Option<&ConfigError> {
        self.puller.as_ref()?.as_ref().err()
    }

    /// The version of the runner, or why it is not known: the one that was given, else the program's own.
    pub async fn version(&self) -> &Result<RunnerVersion, String> {
        self.version
            .get_or_init(|| async {
                match self.surroundings.asked.runner_version {
                    Some(version) => Ok(version),
                    None => version::of_program(self).await,
                }
            })
            .await
    }

    /// A variable of the service that is set and not empty.
    #[must_use]
    pub fn variable_of_service(&self, name: &str) -> Option<&str> {
        self.service.as_ref().ok()?.variables.get(name)
    }

    /// The credentials for each image that was asked for. Of runners that would send different ones, each has an entry.
    pub async fn choices(&self) -> Vec<ImageChoice> {
        let resolved = self.resolved().await;
        let of_sources = |sources: &ResolvedSources| -> Vec<ImageChoice> {
            let nothing_is_sent = why_nothing_is_sent(&self.runners_called(&sources.runners));
            let choice = |(image, resolution): &(String, Resolution)| {
                let choice = choice(image, resolution, &resolved.helpers);
                let reason = nothing_is_sent.filter(|_| choice.credential.is_none());
                ImageChoice { left_to_others: reason.map(str::to_owned), ..choice }
            };
            sources.images.iter().map(choice).collect()
        };
        resolved.sources.iter().flat_map(of_sources).collect()
    }

    /// Where an absolute path of the machine is, for people to type.
    #[must_use]
    pub fn place(&self, path: impl AsRef<Path>) -> String {
        self.surroundings.place_of(path.as_ref()).display().to_string()
    }

    /// What the runner would send, after all its helpers were asked.
    pub async fn resolved(&self) -> &Resolved {
        self.resolved
            .get_or_init(|| async {
                let rules =
                    self.version().await.as_ref().copied().map(Runner::of_version).unwrap_or_default();
                let question = self.resolution(rules);
                on_thread(move || question.resolved()).await
            })
            .await
    }

    /// `DOCKER_AUTH_CONFIG` of a runner, expanded as the runner does.
    #[must_use]
    pub fn docker_auth_config(runner: &RunnerConfig) -> Option<SecretString> {
        let expanded = variables::expand_all(&runner.environment).ok()?;
        variables::last_value(&expanded, DOCKER_AUTH_CONFIG).map(SecretString::from)
    }

    /// The folders of the service's PATH, as places of this machine.
    #[must_use]
    pub fn search_path(&self) -> Vec<PathBuf> {
        let folders = self.service.iter().flat_map(|service| &service.path);
        folders.map(|folder| self.surroundings.place_of(folder)).collect()
    }

    fn resolution(&self, rules: Runner) -> ToResolve {
        let mut sources: Vec<(Vec<String>, Option<SecretString>)> = Vec::new();
        for runner in &self.runners {
            let value = Self::docker_auth_config(runner);
            let exposed =
                |value: &Option<SecretString>| value.as_ref().map(|value| value.expose_secret().to_owned());
            match sources.iter_mut().find(|(_, other)| exposed(other) == exposed(&value)) {
                Some((names, _)) => names.push(runner.name.clone()),
                None => sources.push((vec![runner.name.clone()], value)),
            }
        }
        if sources.is_empty() {
            sources.push((Vec::new(), None));
        }
        ToResolve {
            rules,
            sources,
            home_files: self.home_files.clone(),
            images: self.surroundings.asked.images.clone(),
            caller: self.caller(),
            user: self.other_user(),
        }
    }

    /// The environment of the service's children, whose paths are places of this machine.
    #[must_use]
    pub fn environment(&self) -> Option<Environment> {
        let service = self.service.as_ref().ok()?;
        Some(while_looked_at(own_environment(service, self.surroundings), self.surroundings))
    }

    /// The service's user, where it is another one than this process has and could be: what root would read is not what
    /// that user can, and what root would leave behind in its home directory that user could not use.
    #[must_use]
    pub fn other_user(&self) -> Option<User> {
        let service = self.service.as_ref().ok()?;
        let can = self.surroundings.is_this_machine() && self.surroundings.uid == 0;
        (can && service.uid != 0).then_some(User { uid: service.uid, gid: service.gid })
    }

    fn caller(&self) -> Option<Caller> {
        let environment = self.environment()?.of_child();
        self.surroundings.asked.starts_programs.then(|| Caller {
            path: std::env::join_paths(self.search_path()).unwrap_or_default(),
            environment,
            deadline: HELPER_DEADLINE,
        })
    }

    fn puller_of(&self, service: &Service) -> Result<Puller, ConfigError> {
        let own = own_environment(service, self.surroundings);
        let environment = while_looked_at(own.clone(), self.surroundings);
        let config = self.surroundings.ecru_config(&environment)?;
        Ok(Puller {
            context: Context::Runner,
            target: self.surroundings.target(),
            registries: self.registries(&config),
            deadlines: Deadlines::from_environment(&environment).unwrap_or_default(),
            config_file: self.place_of_rules(&environment),
            environment,
            own,
            config,
            clock: self.surroundings.clock,
        })
    }

    /// The system's file; for a folder that stands for a machine the user's, since helpers that are started from there
    /// read the system's file of this machine.
    fn place_of_rules(&self, environment: &Environment) -> PathBuf {
        let of_user =
            environment.xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("ecru/config.toml"));
        match of_user {
            Some(file) if !self.surroundings.is_this_machine() => file,
            _ => PathBuf::from(SYSTEM_FILE),
        }
    }

    /// The registries of ECR that the runner's files name, and those of ecru's configuration.
    fn registries(&self, config: &Config) -> Vec<String> {
        let mut names = self.named_in_files(config);
        for registry in config.registries() {
            if !names.contains(&registry.host()) {
                names.push(registry.host());
            }
        }
        names
    }

    fn named_in_files(&self, config: &Config) -> Vec<String> {
        named_in(&self.documents(), config)
    }

    /// The registries of ECR that the runner's files name: hosts, and aliases of ecru's configuration.
    #[must_use]
    pub fn named_registries(&self) -> Vec<String> {
        match self.puller() {
            Some(puller) => self.named_in_files(&puller.config),
            None => self.named_in_files(&Config::default()),
        }
    }

    /// Whether every registry that is known to be wanted is named by a source, so that what else stands there in vain
    /// does no harm.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        let (wanted, named) = (self.wanted_registries(), self.named_registries());
        !named.is_empty() && wanted.iter().all(|registry| named.contains(registry))
    }

    /// The documents with Docker's settings that can be read.
    #[must_use]
    pub fn documents(&self) -> Vec<ConfigFile> {
        self.documents_of(self.runners.iter())
    }

    /// The same as far as they are for these runners.
    pub(super) fn documents_of<'r>(
        &self,
        runners: impl Iterator<Item = &'r RunnerConfig>,
    ) -> Vec<ConfigFile> {
        let of_home = self.home_files.iter().filter_map(|file| match &file.content {
            FileContent::Text(text) => ConfigFile::parse(text.expose_secret()).ok(),
            _ => None,
        });
        let of_runners = runners
            .filter_map(|runner| ConfigFile::parse(Self::docker_auth_config(runner)?.expose_secret()).ok());
        of_runners.chain(of_home).collect()
    }
}

/// The registries of ECR that documents name: hosts, and aliases of `config`.
pub(super) fn named_in(documents: &[ConfigFile], config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for document in documents {
        for key in document.auths.keys().chain(document.credential_helpers.keys()) {
            let path = registry_auth::registry_path(key);
            let host = path.split('/').next().unwrap_or_default().to_owned();
            if config.registry(&host).is_ok() && !names.contains(&host) {
                names.push(host);
            }
        }
    }
    names
}

/// The environment of the service, whose paths are places of this machine.
fn own_environment(service: &Service, surroundings: &Surroundings) -> Environment {
    let mut variables: Vec<(OsString, OsString)> = service.variables.pairs();
    if !surroundings.is_this_machine() {
        for (name, value) in &mut variables {
            let is_path = name.to_str().is_some_and(|name| PATH_VARIABLES.contains(&name));
            if is_path && Path::new(value).is_absolute() {
                *value = surroundings.place_of(Path::new(value)).into();
            }
        }
    }
    variables.retain(|(name, _)| name != "HOME");
    variables.push(("HOME".into(), surroundings.place_of(&service.home).into()));
    Environment::from_map(variables)
}

/// `own` for what is started and asked by a diagnosis. A folder that stands for a machine is only looked at: no password
/// is left in its cache, with which an image of it would be handed on.
fn while_looked_at(own: Environment, surroundings: &Surroundings) -> Environment {
    if surroundings.is_this_machine() {
        return own;
    }
    let mut variables = own.of_child();
    let mut set = |name: &str, value: OsString| {
        variables.retain(|(other, _)| other != name);
        variables.push((name.into(), value));
    };
    // The metadata that this machine would be told are those of another one.
    if own.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").is_none() {
        set(METADATA_DISABLED, "true".into());
    }
    if let Some(scratch) = &surroundings.scratch {
        set("AWS_ECR_CACHE_DIR", scratch.into());
    }
    Environment::from_map(variables)
}

fn content_of(surroundings: &Surroundings, path: &Path) -> FileContent {
    match read_limited(&surroundings.place_of(path), MAX_FILE_BYTES) {
        Ok(Some(bytes)) => FileContent::Text(String::from_utf8_lossy(&bytes).into_owned().into()),
        Ok(None) => FileContent::NotFound,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            FileContent::OpenFailed(error.to_string())
        }
        Err(error) => FileContent::ReadFailed(error.to_string()),
    }
}

/// `.docker/config.json` of accounts whose home directory the runner does not read.
fn other_homes(surroundings: &Surroundings, service: &Service) -> Vec<(PathBuf, SecretString)> {
    let mut homes = service::homes(&surroundings.root);
    homes.push(PathBuf::from("/root"));
    homes.extend(surroundings.environment.home().filter(|_| surroundings.is_this_machine()));
    homes.sort();
    homes.dedup();
    homes.retain(|home| *home != service.home);
    let files = homes.into_iter().map(|home| home.join(HOME_FILES[0]));
    let read = files.filter_map(|path| match content_of(surroundings, &path) {
        FileContent::Text(text) => Some((path, text)),
        _ => None,
    });
    read.take(MAX_OTHER_HOMES).collect()
}

fn chosen_runners(text: &FileContent, name: Option<&str>) -> Vec<RunnerConfig> {
    let FileContent::Text(text) = text else { return Vec::new() };
    let Ok(config) = ConfigToml::parse(text.expose_secret()) else { return Vec::new() };
    config.runners.into_iter().filter(|runner| name.is_none_or(|name| runner.name == name)).collect()
}

/// All that the resolver needs, for a thread of its own: helpers block.
struct ToResolve {
    rules: Runner,
    sources: Vec<(Vec<String>, Option<SecretString>)>,
    home_files: Vec<HomeFile>,
    images: Vec<String>,
    caller: Option<Caller>,
    user: Option<User>,
}

impl ToResolve {
    fn resolved(self) -> Resolved {
        let mut helpers = HelperRuns::new(self.caller.clone()).as_user(self.user);
        helpers.ask_ahead(&self.questions(&mut HelperRuns::new(None)));
        let sources = self.sources.iter().map(|(runners, value)| {
            let inputs = self.inputs(value.as_ref());
            ResolvedSources {
                runners: runners.clone(),
                all: registry_auth::resolve_all_as(&self.rules, &inputs, &mut helpers),
                images: self
                    .images
                    .iter()
                    .map(|image| {
                        (image.clone(), registry_auth::resolve_as(&self.rules, image, &inputs, &mut helpers))
                    })
                    .collect(),
            }
        });
        let sources = sources.collect();
        Resolved { sources, helpers }
    }

    fn inputs<'s>(&'s self, docker_auth_config: Option<&'s SecretString>) -> Inputs<'s> {
        Inputs { docker_auth_config, home_files: &self.home_files, job_credentials: &[] }
    }

    /// What the runner would ask its helpers, as far as that can be told without asking them.
    fn questions(&self, nobody: &mut HelperRuns) -> Vec<Question> {
        let calls = self.sources.iter().flat_map(|(_, value)| {
            registry_auth::resolve_all_as(&self.rules, &self.inputs(value.as_ref()), nobody)
                .trace
                .helper_calls
        });
        calls
            .map(|call| Question { suffix: call.suffix, verb: call.verb.as_str(), stdin: call.stdin })
            .collect()
    }
}

fn choice(image: &str, resolution: &Resolution, helpers: &HelperRuns) -> ImageChoice {
    let trace = &resolution.trace;
    let said = helpers.runs().iter().flat_map(|(_, run)| run.stderr.lines().chain(run.problem.as_deref()));
    let obstacles = trace.warnings.iter().chain(&trace.swallowed).map(String::as_str).chain(said);
    ImageChoice {
        image: image.to_owned(),
        credential: resolution.credential().cloned(),
        obstacles: match resolution.credential() {
            Some(_) => Vec::new(),
            None => obstacles.map(quoted).collect(),
        },
        aborted: match &resolution.outcome {
            Outcome::Aborted(error) => Some(error.to_string()),
            _ => None,
        },
        left_to_others: None,
    }
}
