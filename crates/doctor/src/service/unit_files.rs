//! Which files systemd reads for the unit and for its manager, and what stands in them (systemd.unit(5),
//! systemd-system.conf(5), systemd.syntax(7)).

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::{NAME, ServiceError, below, text_at};

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

/// Where the manager's own configuration is.
const MANAGER_FOLDERS: [&str; 4] =
    ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// A file that was read.
pub(super) struct UnitFile {
    pub(super) path: PathBuf,
    text: String,
}

/// The unit and its drop-ins, in the order in which they count; none if there is no unit.
pub(super) fn unit(root: &Path) -> Result<Vec<UnitFile>, ServiceError> {
    let in_folder = |folder: &str| Path::new(folder).join(format!("{NAME}.service"));
    let Some(path) = FOLDERS.into_iter().map(in_folder).find(|path| is_there(root, path)) else {
        return Ok(Vec::new());
    };
    if is_masked(root, &path) {
        return Err(ServiceError::Masked { path });
    }
    let folders = DROP_IN_FOLDERS.map(|drop_ins| FOLDERS.map(|folder| Path::new(folder).join(drop_ins)));
    read(root, std::iter::once(path).chain(drop_ins(root, &folders)))
}

/// The configuration of the manager and its drop-ins, in the order in which they count.
pub(super) fn manager(root: &Path) -> Result<Vec<UnitFile>, ServiceError> {
    let in_folder = |folder: &str| Path::new(folder).join("system.conf");
    let main = MANAGER_FOLDERS.into_iter().map(in_folder).find(|path| is_there(root, path));
    let folders = MANAGER_FOLDERS.map(|folder| Path::new(folder).join("system.conf.d"));
    read(root, main.into_iter().chain(drop_ins(root, &[folders])))
}

impl UnitFile {
    /// Key and value of each assignment in a section. A backslash at the end of a line goes on with the next, comments
    /// between them are passed over.
    pub(super) fn assignments(&self, wanted: &str) -> Vec<(String, String)> {
        let mut is_wanted = false;
        let mut found = Vec::new();
        let mut pending = String::new();
        for line in self.text.lines() {
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
                is_wanted = name == wanted;
            } else if let Some((key, value)) = whole.split_once('=').filter(|_| is_wanted) {
                found.push((key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        found
    }
}

/// A link that leads nowhere is there: systemd does not look further either.
fn is_there(root: &Path, path: &Path) -> bool {
    itself(root, path).symlink_metadata().is_ok()
}

/// An empty file, or a link to `/dev/null`, stands for nothing.
fn is_masked(root: &Path, path: &Path) -> bool {
    let points_nowhere =
        std::fs::read_link(itself(root, path)).is_ok_and(|target| target == Path::new("/dev/null"));
    let is_empty = |found: std::fs::Metadata| {
        (found.is_file() && found.len() == 0) || found.file_type().is_char_device()
    };
    points_nowhere || below(root, path).metadata().is_ok_and(is_empty)
}

/// The place of a path, whose last part is not followed if it is a link.
fn itself(root: &Path, path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => below(root, folder).join(name),
        _ => below(root, path),
    }
}

fn read(root: &Path, paths: impl Iterator<Item = PathBuf>) -> Result<Vec<UnitFile>, ServiceError> {
    let file = |path: PathBuf| match text_at(root, &path)? {
        Some(text) => Ok(UnitFile { path, text }),
        None => Err(ServiceError::Unreadable { path, reason: "it leads to no file".to_owned() }),
    };
    paths.filter(|path| !is_masked(root, path)).map(file).collect()
}

/// The drop-ins that count, in the order in which they are read: by the names of their files, whatever folder they
/// are in, and of one name the one in the folder that comes first. Later groups of folders win over earlier ones.
fn drop_ins<const N: usize>(root: &Path, groups: &[[PathBuf; N]]) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<(String, usize), PathBuf> = BTreeMap::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (rank, folders) in groups.iter().enumerate() {
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(below(root, folder)) else { continue };
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
