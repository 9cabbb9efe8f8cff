//! A `gitlab-runner` process, from `/proc` (proc(5)).

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Kind, NAME, Search, Service, ServiceError, below, command_line, container, text_at};

/// A process `gitlab-runner run`.
pub(super) struct Process {
    pub(super) number: u32,
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Process {
    /// The service that it is.
    pub(super) fn service(self, search: &Search<'_>, kind: Option<Kind>) -> Result<Service, ServiceError> {
        let root = search.root;
        let variables = nul_separated(root, &self.folder.join("environ"))?;
        let variables: BTreeMap<String, String> = variables
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let uid = uid(root, &self.folder.join("status"))?;
        let mut evidence = vec![format!("process {} is `{NAME} run`", self.number)];
        let known = container::of(root, &variables).filter(|_| kind.is_none());
        let kind = kind.unwrap_or(Kind::Process(known.as_ref().map(|(orchestrator, _)| *orchestrator)));
        evidence.extend(known.map(|(_, by)| by));
        let folder = std::fs::read_link(below(root, &self.folder).join("cwd")).unwrap_or_default();
        let config = command_line::config(&self.arguments, &variables).map(|config| folder.join(config));
        search.of_environment(uid, &variables, config, kind, evidence)
    }

    /// Whether it belongs to the unit; without control groups nobody knows better.
    fn is_of_unit(&self, root: &Path) -> bool {
        let groups = text_at(root, &self.folder.join("cgroup")).ok().flatten();
        let unit = format!("{NAME}.service");
        groups.is_none_or(|groups| groups.lines().any(|line| line.split('/').any(|group| group == unit)))
    }

    /// Whether its `/` is another folder than `root`, as far as this process may know.
    fn is_elsewhere(&self, root: &Path) -> bool {
        let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        // The link is the kernel's: it leads to the folder itself, and not to a path below `root`.
        let theirs = identity(&below(root, &self.folder).join("root"));
        theirs.is_some_and(|theirs| identity(root) != Some(theirs))
    }
}

/// The service of the running process with the lowest number, if there is one whose environment can be read.
pub(super) fn service(search: &Search<'_>) -> Result<Option<Service>, ServiceError> {
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        running(search.root).into_iter().partition(|process| process.is_elsewhere(search.root));
    match (here.into_iter().next(), elsewhere.first()) {
        (Some(process), _) => process.service(search, None).map(Some),
        // Whoever names the home directory has chosen one of this machine.
        (None, Some(process)) if search.home.is_none() => {
            Err(ServiceError::InContainer { number: process.number })
        }
        (None, _) => Ok(None),
    }
}

/// The process of the unit.
pub(super) fn of_unit(root: &Path) -> Option<Process> {
    running(root).into_iter().find(|process| process.is_of_unit(root))
}

/// The processes `gitlab-runner run`, by their numbers. They come and go: what cannot be read is passed over.
fn running(root: &Path) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir(below(root, Path::new("/proc"))) else { return Vec::new() };
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    let process = |number: u32| {
        let folder = PathBuf::from(format!("/proc/{number}"));
        let name = text_at(root, &folder.join("comm")).ok()??;
        let arguments = nul_separated(root, &folder.join("cmdline")).ok()?;
        let is_it = name.trim_end() == NAME && arguments.iter().any(|argument| argument == "run");
        is_it.then_some(Process { number, folder, arguments })
    };
    numbers.into_iter().filter_map(process).collect()
}

fn nul_separated(root: &Path, path: &Path) -> Result<Vec<String>, ServiceError> {
    let text = text_at(root, path)?.unwrap_or_default();
    Ok(text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

/// The effective user: the second number of `Uid:`.
fn uid(root: &Path, path: &Path) -> Result<u32, ServiceError> {
    let text = text_at(root, path)?.unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok())
        .ok_or_else(|| ServiceError::Unreadable {
            path: path.to_owned(),
            reason: "it names no user".to_owned(),
        })
}
