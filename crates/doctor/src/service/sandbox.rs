//! What a unit hides from its service (systemd.exec(5), "Sandboxing"), as far as it can be the service's HOME.

use std::path::{Path, PathBuf};

use super::error::Trouble;
use super::specifiers::Specifiers;
use super::unit_files::UnitFile;
use super::words::words;

/// What `ProtectHome=` is about.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// The settings that hide folders, and those that bring some back.
#[derive(Debug, Default)]
pub(super) struct Sandbox {
    protect_home: Option<Hidden>,
    inaccessible: Vec<Hidden>,
    temporary: Vec<Hidden>,
    bound: Vec<PathBuf>,
}

/// Folders that are empty for the service.
#[derive(Debug)]
struct Hidden {
    folders: Vec<PathBuf>,
    /// As it stands in the unit.
    setting: String,
    /// Whether other folders can be mounted into them.
    is_temporary: bool,
    unit: PathBuf,
}

impl Sandbox {
    pub(super) fn read(&mut self, key: &str, value: &str, file: &UnitFile, specifiers: Specifiers<'_>) {
        let hidden = |folders: Vec<PathBuf>, is_temporary: bool| Hidden {
            folders,
            setting: format!("{key}={value}"),
            is_temporary,
            unit: file.path.clone(),
        };
        let expanded = || words(value).into_iter().filter_map(|word| specifiers.expanded(&word));
        // What is said of a folder behind its name is left out.
        let source =
            |word: &str| PathBuf::from(word.trim_start_matches(['-', '+']).split(':').next().unwrap_or(""));
        match key {
            "ProtectHome" => {
                let homes = || HOMES.map(PathBuf::from).to_vec();
                match value.to_lowercase().as_str() {
                    "tmpfs" => self.protect_home = Some(hidden(homes(), true)),
                    "read-only" => self.protect_home = None,
                    value => match truth(value) {
                        Some(true) => self.protect_home = Some(hidden(homes(), false)),
                        Some(false) => self.protect_home = None,
                        // systemd passes over what it does not understand.
                        None => {}
                    },
                }
            }
            "InaccessiblePaths" | "InaccessibleDirectories" if value.is_empty() => self.inaccessible.clear(),
            "InaccessiblePaths" | "InaccessibleDirectories" => {
                self.inaccessible.push(hidden(expanded().map(|word| source(&word)).collect(), false));
            }
            "TemporaryFileSystem" if value.is_empty() => self.temporary.clear(),
            "TemporaryFileSystem" => {
                self.temporary.push(hidden(expanded().map(|word| source(&word)).collect(), true));
            }
            "BindPaths" | "BindReadOnlyPaths" if value.is_empty() => self.bound.clear(),
            "BindPaths" | "BindReadOnlyPaths" => self.bound.extend(expanded().map(|word| {
                let mut parts = word.trim_start_matches(['-', '+']).split(':');
                let source = parts.next().unwrap_or_default();
                PathBuf::from(parts.next().filter(|there| !there.is_empty()).unwrap_or(source))
            })),
            _ => {}
        }
    }

    /// What is wrong with `home`, if the service does not see it.
    pub(super) fn trouble(&self, home: &Path) -> Option<Trouble> {
        let all = self.protect_home.iter().chain(&self.inaccessible).chain(&self.temporary);
        let mut hiding = all.filter_map(|hidden| {
            let folder = hidden.folders.iter().find(|folder| home.starts_with(folder))?;
            let is_back = |bound: &PathBuf| bound.starts_with(folder) && home.starts_with(bound);
            let is_seen = hidden.is_temporary && self.bound.iter().any(is_back);
            (!is_seen).then_some(hidden)
        });
        let hidden = hiding.next()?;
        Some(Trouble::HiddenHome {
            home: home.to_owned(),
            setting: hidden.setting.clone(),
            unit: hidden.unit.clone(),
        })
    }
}

/// A truth value as systemd reads it (systemd.syntax(7)); none if it is none.
pub(super) fn truth(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}
