//! A `gitlab-runner` process, from `/proc` (proc(5)).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::passwd::Users;
use super::{Kind, NAME, Service, ServiceError, below, config_among, of_environment, text_at};

/// The service of the running process with the lowest number, if there is one whose environment can be read.
pub(super) fn service(root: &Path, users: &Users) -> Result<Option<Service>, ServiceError> {
    let Ok(entries) = std::fs::read_dir(below(root, Path::new("/proc"))) else { return Ok(None) };
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    for number in numbers {
        let folder = PathBuf::from(format!("/proc/{number}"));
        // Processes come and go: what cannot be read is passed over, but for the one that is looked for.
        let name = text_at(root, &folder.join("comm")).ok().flatten().unwrap_or_default();
        let arguments = nul_separated(root, &folder.join("cmdline")).unwrap_or_default();
        if name.trim_end() != NAME || !arguments.iter().any(|argument| argument == "run") {
            continue;
        }
        let variables = nul_separated(root, &folder.join("environ"))?;
        let variables: BTreeMap<String, String> = variables
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let uid = uid(root, &folder.join("status"))?;
        let evidence = vec![format!("process {number} is `{NAME} run`")];
        let config = config_among(&arguments);
        return of_environment(uid, &variables, users, config, Kind::Process, evidence).map(Some);
    }
    Ok(None)
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
