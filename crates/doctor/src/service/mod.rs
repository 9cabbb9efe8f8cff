//! The `gitlab-runner` service of a machine: its user, HOME, PATH and configuration file, found and not guessed.
//!
//! What systemd is told counts before what is running, because it holds for the next start as well. Everything is read
//! below a root folder, so that an image, or a test, can be looked at from outside; no other program is asked.

mod command_line;
pub(crate) mod container;
mod environment_file;
mod error;
mod passwd;
mod process;
mod sandbox;
mod specifiers;
mod systemd;
mod unit_files;
mod variables;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use container::Orchestrator;
pub use error::{ServiceError, Trouble};
use passwd::Users;
pub use variables::Variables;

pub use crate::files::below;
use crate::files::read_limited;

/// The name of the service, of its program and of its process.
pub const NAME: &str = "gitlab-runner";

/// The longest unit, environment or account file that is read, in bytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;

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
    /// What is wrong with it.
    pub troubles: Vec<Trouble>,
}

impl Service {
    /// In what `other` is another service, as far as it matters for pulls.
    fn differences(&self, other: &Self) -> Vec<String> {
        let fixed = [
            ("the user", self.uid != other.uid),
            ("HOME", self.home != other.home),
            ("PATH", self.path != other.path && !is_a_default(&self.path, &other.path)),
            ("the configuration", self.config != other.config),
        ];
        let fixed = fixed.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what.to_owned());
        let names: BTreeSet<&str> = self.variables.names().chain(other.variables.names()).collect();
        let counts = |name: &&str| {
            let counts = name.starts_with("AWS_") || name.starts_with("ECRU_");
            counts && self.variables.get(name) != other.variables.get(name)
        };
        fixed.chain(names.into_iter().filter(counts).map(str::to_owned)).collect()
    }
}

/// How the runner is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By a unit of systemd.
    Systemd,
    /// By something else, possibly in a container; its process was found.
    Process(Option<Orchestrator>),
    /// In this container, whose environment it shares.
    Container(Orchestrator),
}

impl Kind {
    /// Whether it is in a container, which takes with it what is changed in it.
    #[must_use]
    pub fn is_in_container(self) -> bool {
        matches!(self, Self::Process(Some(_)) | Self::Container(_))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd => f.write_str("a unit of systemd"),
            Self::Process(None) => f.write_str("a process"),
            Self::Process(Some(orchestrator)) => write!(f, "a process in {}", orchestrator.container()),
            Self::Container(orchestrator) => f.write_str(orchestrator.container()),
        }
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
    chosen(surroundings, None, None)
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
    let root = surroundings.root;
    let search = Search { root, users: Users::read(root)?, home, config };
    if let Some(service) = systemd::service(&search)? {
        return Ok(service);
    }
    if let Some(service) = process::service(&search)? {
        return Ok(service);
    }
    search.without_process(surroundings)
}

/// The home directories of the machine's accounts, as `/etc/passwd` has them.
#[must_use]
pub fn homes(root: &Path) -> Vec<PathBuf> {
    Users::read(root).map(|users| users.homes()).unwrap_or_default()
}

/// The home directory of the account `uid`, as `/etc/passwd` has it.
#[must_use]
pub fn home_of(root: &Path, uid: u32) -> Option<PathBuf> {
    Users::read(root).ok()?.home_of(uid)
}

/// Whether `path` is what systemd gives to a service without `PATH`, and `other` what it could, too: with or without
/// `sbin` and the folders that are links, as it was built.
fn is_a_default(path: &[PathBuf], other: &[PathBuf]) -> bool {
    path == folders(systemd::DEFAULT_PATH) && other.iter().all(|folder| path.contains(folder))
}

/// Where the service is looked for, and what a person says of it.
struct Search<'a> {
    root: &'a Path,
    users: Users,
    home: Option<&'a Path>,
    config: Option<&'a Path>,
}

impl Search<'_> {
    /// The service of this container, else that of the home directory that was given.
    fn without_process(&self, surroundings: &Surroundings<'_>) -> Result<Service, ServiceError> {
        let variables = surroundings.variables;
        if let Some((orchestrator, by)) = container::of(self.root, variables) {
            let evidence = vec![by, "HOME and PATH are those of this command".to_owned()];
            let kind = Kind::Container(orchestrator);
            return self.of_environment(surroundings.uid, variables, None, kind, evidence);
        }
        let home = self.home.ok_or(ServiceError::NotFound)?;
        let evidence = vec!["the home directory that was given; PATH is that of this command".to_owned()];
        self.of_environment(self.owner_of(home)?, variables, None, Kind::Process(None), evidence)
    }

    /// The user who owns a folder.
    fn owner_of(&self, folder: &Path) -> Result<u32, ServiceError> {
        below(self.root, folder)
            .metadata()
            .map(|metadata| metadata.uid())
            .map_err(|error| ServiceError::Unreadable { path: folder.to_owned(), reason: error.to_string() })
    }

    /// The service that runs as `uid` with `variables`. Without HOME, gitlab-runner takes the folder of the account
    /// (`FixHOME` in its `helpers/cli`).
    fn of_environment(
        &self,
        uid: u32,
        variables: &BTreeMap<String, String>,
        config: Option<PathBuf>,
        kind: Kind,
        evidence: Vec<String>,
    ) -> Result<Service, ServiceError> {
        let user = self.users.name_of(uid);
        let set = variables.get("HOME").filter(|home| home.starts_with('/')).map(PathBuf::from);
        let home = self.home.map(Path::to_owned).or(set).or_else(|| self.users.home_of(uid));
        let home = home.ok_or_else(|| ServiceError::NoUser { user: user.clone() })?;
        let path = folders(variables.get("PATH").map_or("", String::as_str));
        if path.is_empty() {
            return Err(ServiceError::NoPath);
        }
        let config = self.config.map(Path::to_owned).or(config);
        let config = config.unwrap_or_else(|| default_config(uid, &home));
        let gid = self.users.gid_of(uid);
        let mut variables = Variables::new(variables.clone());
        if let Some(home) = self.home {
            variables.set("HOME", &home.display().to_string());
        }
        Ok(Service { uid, gid, user, home, path, config, variables, kind, evidence, troubles: Vec::new() })
    }
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

/// The text at the absolute `path`; `None` if there is no file.
fn text_at(root: &Path, path: &Path) -> Result<Option<String>, ServiceError> {
    read_limited(&below(root, path), MAX_FILE_BYTES)
        .map(|content| content.map(|content| String::from_utf8_lossy(&content).into_owned()))
        .map_err(|error| ServiceError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}
