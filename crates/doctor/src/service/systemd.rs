//! The unit `gitlab-runner.service` and its drop-ins, as systemd.unit(5), systemd.exec(5) and systemd.syntax(7) have
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::passwd::Users;
use super::words::{without_specifiers, words};
use super::{Kind, NAME, Service, ServiceError, below, config_among, of_environment, text_at};

/// Where systemd looks for units, the first before the others.
const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Folders of drop-ins: for all services, for those whose names start alike, and for this one; later ones win.
const DROP_IN_FOLDERS: [&str; 3] = ["service.d", "gitlab-.service.d", "gitlab-runner.service.d"];

/// What systemd gives a service that has no `PATH` of its own (systemd.exec(5), "Environment variables set").
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The service, if there is a unit.
pub(super) fn service(root: &Path, users: &Users) -> Result<Option<Service>, ServiceError> {
    let Some(unit) = unit(root)? else { return Ok(None) };
    let mut settings = Settings::default();
    settings.read_manager(root)?;
    let mut evidence = Vec::new();
    for file in std::iter::once(unit).chain(drop_ins(root)) {
        let text = text_at(root, &file)?.unwrap_or_default();
        settings.read(&file, &text)?;
        evidence.push(file.display().to_string());
    }
    settings.service(root, users, evidence).map(Some)
}

fn unit(root: &Path) -> Result<Option<PathBuf>, ServiceError> {
    for folder in FOLDERS {
        let path = Path::new(folder).join(format!("{NAME}.service"));
        let found = below(root, &path);
        let Ok(metadata) = found.symlink_metadata() else { continue };
        let points_nowhere = std::fs::read_link(&found).is_ok_and(|target| target == Path::new("/dev/null"));
        if points_nowhere || (metadata.is_file() && metadata.len() == 0) {
            return Err(ServiceError::Masked { path });
        }
        return Ok(Some(path));
    }
    Ok(None)
}

/// The drop-ins that count, in the order in which they are read: by the names of their files, whatever folder they
/// are in, and of one name the one in the folder that comes first.
fn drop_ins(root: &Path) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<(String, usize), PathBuf> = BTreeMap::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (rank, drop_in_folder) in DROP_IN_FOLDERS.iter().enumerate() {
        for folder in FOLDERS {
            let folder = Path::new(folder).join(drop_in_folder);
            let Ok(entries) = std::fs::read_dir(below(root, &folder)) else { continue };
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            for name in names.filter(|name| name.ends_with(".conf")) {
                // The more specific folder of drop-ins takes the place of the others' file of that name.
                if taken.get(&name).is_some_and(|other| *other == rank) {
                    continue;
                }
                if let Some(other) = taken.insert(name.clone(), rank) {
                    by_name.remove(&(name.clone(), other));
                }
                by_name.insert((name.clone(), rank), folder.join(name));
            }
        }
    }
    by_name.into_values().collect()
}

/// The settings of `[Service]` that matter here.
#[derive(Debug, Default)]
struct Settings {
    user: Option<String>,
    /// Of the manager, for all units.
    defaults: BTreeMap<String, String>,
    environment: Vec<String>,
    environment_files: Vec<String>,
    unset: Vec<String>,
    search_path: Vec<String>,
    start: Vec<String>,
    working_directory: Option<String>,
}

impl Settings {
    /// `DefaultEnvironment=` of systemd-system.conf(5).
    fn read_manager(&mut self, root: &Path) -> Result<(), ServiceError> {
        let path = Path::new("/etc/systemd/system.conf");
        let text = text_at(root, path)?.unwrap_or_default();
        for (section, key, value) in assignments(&text) {
            if section == "Manager" && key == "DefaultEnvironment" {
                self.defaults.extend(pairs(words(&expanded(path, &key, &value)?)));
            }
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, text: &str) -> Result<(), ServiceError> {
        for (section, key, value) in assignments(text) {
            if section != "Service" {
                continue;
            }
            match key.as_str() {
                "User" => {
                    self.user = Some(expanded(path, &key, &value)?).filter(|user| !user.is_empty());
                }
                "Environment" => grow(&mut self.environment, words(&expanded(path, &key, &value)?)),
                "EnvironmentFile" => {
                    grow(&mut self.environment_files, non_empty(expanded(path, &key, &value)?));
                }
                "UnsetEnvironment" => grow(&mut self.unset, words(&value)),
                "ExecSearchPath" => grow(&mut self.search_path, non_empty(expanded(path, &key, &value)?)),
                "ExecStart" => grow(&mut self.start, words(&value)),
                "WorkingDirectory" => self.working_directory = Some(value),
                _ => {}
            }
        }
        Ok(())
    }

    fn service(self, root: &Path, users: &Users, mut evidence: Vec<String>) -> Result<Service, ServiceError> {
        let uid = match &self.user {
            Some(user) => users.uid_of(user).ok_or_else(|| ServiceError::NoUser { user: user.clone() })?,
            None => 0,
        };
        let search_path =
            if self.search_path.is_empty() { DEFAULT_PATH.to_owned() } else { self.search_path.join(":") };
        let mut variables = BTreeMap::from([("PATH".to_owned(), search_path)]);
        // With User=, systemd sets HOME to the account's folder.
        if self.user.is_some()
            && let Some(home) = users.home_of(uid)
        {
            variables.insert("HOME".to_owned(), home.display().to_string());
        }
        variables.extend(self.defaults);
        variables.extend(pairs(self.environment));
        for file in &self.environment_files {
            let path = Path::new(file.trim_start_matches('-'));
            if let Some(text) = text_at(root, path)? {
                variables.extend(environment_file(&text));
                evidence.push(path.display().to_string());
            }
        }
        for name in &self.unset {
            variables.remove(name);
        }
        let config = config_among(&self.start);
        let relative_to = self.working_directory.unwrap_or_else(|| "/".to_owned());
        let config = config.map(|config| Path::new(&relative_to).join(config));
        of_environment(uid, &variables, users, config, Kind::Systemd, evidence)
    }
}

/// An empty value takes back all before it.
fn grow(list: &mut Vec<String>, values: Vec<String>) {
    if values.is_empty() {
        list.clear();
    }
    list.extend(values);
}

fn non_empty(value: String) -> Vec<String> {
    if value.is_empty() { Vec::new() } else { vec![value] }
}

fn pairs(words: Vec<String>) -> impl Iterator<Item = (String, String)> {
    words
        .into_iter()
        .filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// The units of the system's manager belong to root.
fn expanded(path: &Path, key: &str, value: &str) -> Result<String, ServiceError> {
    without_specifiers(value, "/root")
        .ok_or_else(|| ServiceError::Specifier { setting: key.to_owned(), path: path.to_owned() })
}

/// Section, key and value of each assignment. A backslash at the end of a line goes on with the next, comments between
/// them are passed over.
fn assignments(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    let mut pending = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) || (trimmed.is_empty() && pending.is_empty()) {
            continue;
        }
        if let Some(begun) = trimmed.strip_suffix('\\') {
            pending.push_str(begun);
            pending.push(' ');
            continue;
        }
        pending.push_str(trimmed);
        let whole = std::mem::take(&mut pending);
        if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = whole.split_once('=') {
            found.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// A file of `EnvironmentFile=`: assignments on lines of their own, with a shell's quotes.
fn environment_file(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim().to_owned(), words(value.trim()).join(" ")))
    })
}
