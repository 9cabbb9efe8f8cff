//! Reading files that others wrote: regular ones, of limited size, without waiting, and below a root inside it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// More links than any real path has (the kernel's own limit, path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The absolute `path` of a machine whose `/` is `root`. Below a folder, links are followed here: the kernel would take
/// their targets for paths of this machine.
#[must_use]
pub fn below(root: &Path, path: &Path) -> PathBuf {
    if root == Path::new("/") {
        return path.to_owned();
    }
    let mut ahead = parts(path);
    let mut inside: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        let Some(name) = part else {
            inside.pop();
            continue;
        };
        let place = root.join(inside.iter().collect::<PathBuf>()).join(&name);
        let Ok(target) = std::fs::read_link(&place) else {
            inside.push(name);
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            // No file has such a name, so nothing is there, and reading it fails.
            return place.join("\0 (too many links)");
        }
        if target.is_absolute() {
            inside.clear();
        }
        let mut next = parts(&target);
        next.append(&mut ahead);
        ahead = next;
    }
    root.join(inside.iter().collect::<PathBuf>())
}

/// The same for a path at whose end a link is not followed.
pub(crate) fn below_itself(root: &Path, path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => below(root, folder).join(name),
        _ => below(root, path),
    }
}

/// The names of a path; `None` goes up, and from the root to the root.
fn parts(path: &Path) -> VecDeque<Option<OsString>> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(Some(name.to_owned())),
            Component::ParentDir => Some(None),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

/// Whether the regular file at `path` begins with `bytes`, as far as it can be read.
pub(crate) fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    let mut found = Vec::new();
    let is_read = File::from(fd).take(bytes.len() as u64).read_to_end(&mut found).is_ok();
    is_read && found == bytes
}

/// The content of the regular file at `path`, of at most `limit` bytes; `None` if there is no file.
pub(crate) fn read_limited(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => content(fd, limit).map(Some),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The last `limit` bytes of the regular file at `path`; `None` if there is no file.
pub(crate) fn read_end(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    use std::io::{Seek as _, SeekFrom};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(limit as u64)))?;
    let mut content = Vec::new();
    file.take(limit as u64).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// The content of an open file.
pub(crate) fn content(fd: OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let file = File::from(fd);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn below_a_root_every_link_stays_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(folder.path().join("outside"), "").unwrap();
        std::fs::write(root.join("inside"), "").unwrap();
        symlink("/inside", root.join("absolute")).unwrap();
        symlink("../../../outside", root.join("a/up")).unwrap();
        symlink("/a/b", root.join("to-b")).unwrap();
        symlink("../../inside", root.join("a/b/relative")).unwrap();
        for (path, place) in [
            ("/absolute", "inside"),
            ("/a/up", "outside"),
            ("/to-b/relative", "inside"),
            ("/to-b/../new/file", "a/new/file"),
            ("/../../inside", "inside"),
            ("/", ""),
        ] {
            assert_eq!(below(&root, Path::new(path)), root.join(place), "{path}");
        }
        assert_eq!(below_itself(&root, Path::new("/to-b/relative")), root.join("a/b/relative"));
        assert_eq!(below(Path::new("/"), Path::new("/etc/x")), Path::new("/etc/x"));
    }

    #[test]
    fn links_without_end_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/loop", folder.path().join("loop")).unwrap();
        let place = below(folder.path(), Path::new("/loop"));
        assert!(!place.exists());
        assert!(read_limited(&place, 1).is_err(), "and that is not the same as no file");
    }
}
