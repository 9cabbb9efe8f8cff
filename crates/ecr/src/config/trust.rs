//! Whether the system's file is there, and is the administrator's alone.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The number of the user whose files everybody has to trust.
const ROOT: u32 = 0;

/// How many links Linux follows on the way to a file (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The bit that leaves files in a folder to their owners, whoever else can write there.
const STICKY: u32 = 0o1000;

/// Why somebody else may have written a file, or can put another in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Distrust {
    /// The file, folder or link that others can change.
    pub(super) culprit: PathBuf,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Distrust {
    /// What stands against trusting the file at `path` of the user `owner`: he must own it and its folder, with nobody
    /// else able to write them, and nobody but he and root may be able to lead the way to it elsewhere.
    pub(super) fn of(path: &Path, owner: u32) -> Option<Self> {
        let own = path.ancestors().take(2).find_map(|place| match place.metadata() {
            Err(error) => Some(Self::unseen(place, &error)),
            Ok(metadata) if metadata.uid() != owner => Some(Self::belongs(place, &metadata, owner)),
            Ok(metadata) if metadata.mode() & 0o022 != 0 => Some(Self::writable(place)),
            Ok(_) => None,
        });
        own.or_else(|| Self::on_the_way(path, owner))
    }

    /// Follows the way to the file, link by link, as the system does.
    fn on_the_way(path: &Path, owner: u32) -> Option<Self> {
        let mut place = PathBuf::new();
        let mut rest: VecDeque<PathBuf> = steps(path).collect();
        let mut links = 0;
        while let Some(step) = rest.pop_front() {
            if step.as_os_str() == ".." {
                place.pop();
                continue;
            }
            place.push(step);
            let metadata = match place.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(error) => return Some(Self::unseen(&place, &error)),
            };
            if metadata.uid() != owner && metadata.uid() != ROOT {
                return Some(Self::belongs(&place, &metadata, owner));
            }
            if metadata.is_symlink() {
                links += 1;
                let target = match place.read_link() {
                    Ok(target) if links <= MAX_LINKS => target,
                    Ok(_) => return Some(Self::unseen(&place, &rustix::io::Errno::LOOP.into())),
                    Err(error) => return Some(Self::unseen(&place, &error)),
                };
                place.pop();
                steps(&target).rev().for_each(|step| rest.push_front(step));
            } else if metadata.mode() & 0o022 != 0 && !(metadata.is_dir() && metadata.mode() & STICKY != 0) {
                return Some(Self::writable(&place));
            }
        }
        None
    }

    fn unseen(place: &Path, error: &io::Error) -> Self {
        let reason = format!("`{}` cannot be looked at: {error}", place.display());
        Self { culprit: place.to_owned(), reason }
    }

    fn belongs(place: &Path, metadata: &Metadata, owner: u32) -> Self {
        let reason = format!("`{}` belongs to user {}, not {owner}", place.display(), metadata.uid());
        Self { culprit: place.to_owned(), reason }
    }

    fn writable(place: &Path) -> Self {
        Self { culprit: place.to_owned(), reason: format!("others can write `{}`", place.display()) }
    }
}

/// The parts of a path; the first of an absolute one starts anew from the root.
fn steps(path: &Path) -> impl DoubleEndedIterator<Item = PathBuf> {
    path.components().map(|component| PathBuf::from(component.as_os_str()))
}

/// Makes sure that a file which could not be found is not there because nobody made it: neither its name nor the folder's
/// may lead nowhere.
pub(super) fn ensure_absence(path: &Path) -> io::Result<()> {
    for place in path.ancestors() {
        match place.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
            Ok(metadata) if place != path && (metadata.is_dir() || place.is_dir()) => return Ok(()),
            Ok(metadata) => {
                let what =
                    if metadata.is_symlink() { "is a link that leads nowhere" } else { "is no folder" };
                return Err(io::Error::other(format!("`{}` {what}", place.display())));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// A folder with `etc`, empty, and `srv/file`, none of which others can write.
    fn folders() -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in ["etc", "srv"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            set_mode(&folder.path().join(name), 0o755);
        }
        fs::write(folder.path().join("srv/file"), "").unwrap();
        set_mode(&folder.path().join("srv/file"), 0o644);
        folder
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn every_folder_on_the_way_of_a_link_counts() {
        let folder = folders();
        let (path, srv) = (folder.path().join("etc/config.toml"), folder.path().join("srv"));
        symlink("../srv/file", &path).unwrap();
        assert_eq!(Distrust::of(&path, me()), None);
        for culprit in [&srv, &srv.join("file"), &folder.path().join("etc")] {
            let before = culprit.metadata().unwrap().permissions();
            set_mode(culprit, 0o775);
            let distrust = Distrust::of(&path, me()).unwrap();
            // The link's own name stands for the file, as the caller wrote it.
            let named = if *culprit == srv.join("file") { &path } else { culprit };
            assert_eq!(&distrust.culprit, named, "{distrust:?}");
            assert!(distrust.reason.starts_with("others can write"), "{distrust:?}");
            fs::set_permissions(culprit, before).unwrap();
        }
        // A second link between them.
        let between = folder.path().join("between");
        fs::create_dir(&between).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(between.join("link"), &path).unwrap();
        symlink(srv.join("file"), between.join("link")).unwrap();
        set_mode(&between, 0o777);
        assert_eq!(Distrust::of(&path, me()).unwrap().culprit, between);
        set_mode(&between, 0o755);
        assert_eq!(Distrust::of(&path, me()), None);
    }

    #[test]
    fn only_a_name_that_nobody_made_is_absent() {
        let folder = folders();
        let path = folder.path().join("etc/ecru/config.toml");
        let is_absent = |path: &Path| ensure_absence(path).map_err(|error| error.to_string());
        assert_eq!(is_absent(&path), Ok(()), "no folder");
        fs::create_dir(folder.path().join("etc/ecru")).unwrap();
        assert_eq!(is_absent(&path), Ok(()), "no file");
        symlink("/nonexistent", &path).unwrap();
        assert_eq!(is_absent(&path), Err(format!("`{}` is a link that leads nowhere", path.display())));
        fs::remove_file(&path).unwrap();
        fs::remove_dir(folder.path().join("etc/ecru")).unwrap();
        symlink("/nonexistent", folder.path().join("etc/ecru")).unwrap();
        assert!(is_absent(&path).unwrap_err().ends_with("etc/ecru` is a link that leads nowhere"));
        fs::remove_file(folder.path().join("etc/ecru")).unwrap();
        fs::write(folder.path().join("etc/ecru"), "").unwrap();
        assert!(is_absent(&path).unwrap_err().ends_with("etc/ecru` is no folder"));
        fs::remove_file(folder.path().join("etc/ecru")).unwrap();
        symlink("../srv", folder.path().join("etc/ecru")).unwrap();
        assert_eq!(is_absent(&path), Ok(()), "a link to a folder without the file");
    }
}
