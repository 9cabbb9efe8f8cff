//! The `gitlab-runner` service of a machine: its user, HOME, PATH and configuration file, found and not guessed.
//!
//! What systemd is told counts before what is running, because it holds for the next start as well. Everything is read
//! below a root folder, so that an image, or a test, can be looked at from outside; no other program is asked.

mod passwd;
mod process;
mod systemd;
mod variables;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use passwd::Users;
pub use variables::Variables;

use crate::files::read_limited;

/// The name of the service, of its program and of its process.
pub const NAME: &str = "gitlab-runner";

/// The longest unit, environment or account file that is read, in bytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The variables of a container by which ECS and Kubernetes are recognised.
const ECS_VARIABLE: &str = "ECS_CONTAINER_METADATA_URI_V4";
const KUBERNETES_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

/// The service as it starts, or as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The user's number, where it is known.
    pub uid: u32,
    /// The user's group, by number.
    pub gid: u32,
    /// The user.
    pub user: String,
    /// `HOME`: the folder whose `.docker/config.json` is read.
    pub home: PathBuf,
    /// The folders of `PATH`, in their order.
    pub path: Vec<PathBuf>,
    /// The runner's `config.toml`.
    pub config: PathBuf,
    /// All its variables, as far as they are known.
    pub variables: Variables,
    /// How it is started.
    pub kind: Kind,
    /// What was read to know it, for people.
    pub evidence: Vec<String>,
}

/// How the runner is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By a unit of systemd.
    Systemd,
    /// By something else; its process was found.
    Process,
    /// In this container, whose environment it shares.
    Container(Orchestrator),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Systemd => "a unit of systemd",
            Self::Process => "a process",
            Self::Container(Orchestrator::Ecs) => "a container of an ECS task",
            Self::Container(Orchestrator::Kubernetes) => "a container of a pod",
            Self::Container(Orchestrator::Unknown) => "a container",
        })
    }
}

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

/// Why the service is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is neither a unit nor a process.
    #[error("no {NAME} service was found: neither a unit of systemd nor a process, and this is no container")]
    NotFound,
    /// The unit is masked, so that nothing starts it.
    #[error("`{}` is masked: systemd does not start it", path.display())]
    Masked {
        /// The unit.
        path: PathBuf,
    },
    /// A value needs systemd to be understood.
    #[error("`{setting}` in `{}` has a specifier that is not known here", path.display())]
    Specifier {
        /// The setting.
        setting: String,
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The user has no entry among the machine's accounts.
    #[error("the user `{user}` of the {NAME} service is not in /etc/passwd")]
    NoUser {
        /// The user.
        user: String,
    },
    /// The process has no `PATH`.
    #[error("the {NAME} service has no PATH with absolute folders")]
    NoPath,
}

impl ServiceError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound => {
                "run this where gitlab-runner runs, or name the folder of its user with --home DIR"
            }
            Self::Masked { .. } => "systemctl unmask gitlab-runner",
            Self::Specifier { .. } | Self::NoUser { .. } => "name the folder of its user with --home DIR",
            Self::Unreadable { .. } => "run this as root",
            Self::NoPath => "set PATH in the service's environment",
        };
        Some(text.to_owned())
    }
}

/// Where the service is looked for.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The folder that is `/` of the machine.
    pub root: &'a Path,
    /// The variables of this process, for the case that the runner shares its container.
    pub variables: &'a BTreeMap<String, String>,
    /// The user of this process.
    pub uid: u32,
}

/// The service below a root.
///
/// # Errors
/// If there is none, or one that cannot be told.
pub fn found(surroundings: &Surroundings<'_>) -> Result<Service, ServiceError> {
    let users = Users::read(surroundings.root)?;
    if let Some(service) = systemd::service(surroundings.root, &users)? {
        return Ok(service);
    }
    if let Some(service) = process::service(surroundings.root, &users)? {
        return Ok(service);
    }
    this_container(surroundings, &users)
}

/// The service below a root, with what a person says of it instead of what was found. One that was not found is that of
/// the owner of `home`, with the environment of this process.
///
/// # Errors
/// If there is none, or one that cannot be told.
pub fn chosen(
    surroundings: &Surroundings<'_>,
    home: Option<&Path>,
    config: Option<&Path>,
) -> Result<Service, ServiceError> {
    let mut service = match (found(surroundings), home) {
        (Err(ServiceError::NotFound), Some(home)) => of_home(home, surroundings)?,
        (found, _) => found?,
    };
    if let Some(home) = home {
        service.variables.set("HOME", &home.display().to_string());
        home.clone_into(&mut service.home);
    }
    if let Some(config) = config {
        config.clone_into(&mut service.config);
    }
    Ok(service)
}

fn of_home(home: &Path, surroundings: &Surroundings<'_>) -> Result<Service, ServiceError> {
    let metadata = below(surroundings.root, home)
        .metadata()
        .map_err(|error| ServiceError::Unreadable { path: home.to_owned(), reason: error.to_string() })?;
    let users = Users::read(surroundings.root)?;
    let mut variables = surroundings.variables.clone();
    variables.insert("HOME".to_owned(), home.display().to_string());
    let evidence = vec!["the home directory that was given; PATH is that of this command".to_owned()];
    of_environment(metadata.uid(), &variables, &users, None, Kind::Process, evidence)
}

fn this_container(surroundings: &Surroundings<'_>, users: &Users) -> Result<Service, ServiceError> {
    let variables = surroundings.variables;
    let marker = ["/.dockerenv", "/run/.containerenv"]
        .into_iter()
        .find(|marker| below(surroundings.root, Path::new(marker)).exists());
    let (orchestrator, evidence) = if variables.contains_key(ECS_VARIABLE) {
        (Orchestrator::Ecs, format!("{ECS_VARIABLE} is set: this is a container of an ECS task"))
    } else if variables.contains_key(KUBERNETES_VARIABLE) {
        (Orchestrator::Kubernetes, format!("{KUBERNETES_VARIABLE} is set: this is a container of a pod"))
    } else if let Some(marker) = marker {
        (Orchestrator::Unknown, format!("{marker} exists: this is a container"))
    } else {
        return Err(ServiceError::NotFound);
    };
    let evidence = vec![evidence, "HOME and PATH are those of this command".to_owned()];
    of_environment(surroundings.uid, variables, users, None, Kind::Container(orchestrator), evidence)
}

/// The home directories of the machine's accounts, as `/etc/passwd` has them.
#[must_use]
pub fn homes(root: &Path) -> Vec<PathBuf> {
    Users::read(root).map(|users| users.homes()).unwrap_or_default()
}

/// The service that runs as `uid` with `variables`. Without HOME, gitlab-runner takes the folder of the account
/// (`FixHOME` in its `helpers/cli`).
fn of_environment(
    uid: u32,
    variables: &BTreeMap<String, String>,
    users: &Users,
    config: Option<PathBuf>,
    kind: Kind,
    evidence: Vec<String>,
) -> Result<Service, ServiceError> {
    let user = users.name_of(uid);
    let home = match variables.get("HOME").filter(|home| home.starts_with('/')) {
        Some(home) => PathBuf::from(home),
        None => users.home_of(uid).ok_or(ServiceError::NoUser { user: user.clone() })?,
    };
    let path = folders(variables.get("PATH").map_or("", String::as_str));
    if path.is_empty() {
        return Err(ServiceError::NoPath);
    }
    let config = config.unwrap_or_else(|| default_config(uid, &home));
    let (gid, variables) = (users.gid_of(uid), Variables::new(variables.clone()));
    Ok(Service { uid, gid, user, home, path, config, variables, kind, evidence })
}

/// `/etc/gitlab-runner/config.toml` for root, else a file in the home directory (GitLab's page "Configure GitLab
/// Runner").
#[must_use]
pub fn default_config(uid: u32, home: &Path) -> PathBuf {
    if uid == 0 {
        PathBuf::from("/etc/gitlab-runner/config.toml")
    } else {
        home.join(".gitlab-runner/config.toml")
    }
}

/// The absolute folders of a `PATH`; relative ones depend on the job.
fn folders(path: &str) -> Vec<PathBuf> {
    path.split(':').filter(|folder| folder.starts_with('/')).map(PathBuf::from).collect()
}

/// `--config FILE`, `-c FILE` or `--config=FILE` among the arguments of `gitlab-runner run`.
fn config_among(arguments: &[String]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let name = argument.trim_start_matches('-');
        if !argument.starts_with('-') {
            continue;
        }
        if let Some(("config" | "c", file)) = name.split_once('=') {
            return Some(PathBuf::from(file));
        }
        if matches!(name, "config" | "c") {
            return arguments.next().map(PathBuf::from);
        }
    }
    None
}

/// The absolute `path` of a machine whose `/` is `root`.
#[must_use]
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The text at the absolute `path`; `None` if there is no file.
fn text_at(root: &Path, path: &Path) -> Result<Option<String>, ServiceError> {
    read_limited(&below(root, path), MAX_FILE_BYTES)
        .map(|content| content.map(|content| String::from_utf8_lossy(&content).into_owned()))
        .map_err(|error| ServiceError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}
