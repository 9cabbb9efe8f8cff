//! One file, replaced whole or not at all.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::ApplyError;
use super::place::{Kind, Place, give, is_link};
use crate::files::content;

/// The longest file that is replaced: programs are among them.
const MAX_BYTES: usize = 512 * 1024 * 1024;

/// How long another process may hold a folder's lock.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);

const LOCK_POLL: Duration = Duration::from_millis(5);

/// Owner and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

/// What is in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held<'a> {
    Nothing,
    /// A file with this content.
    File(Cow<'a, [u8]>),
    /// A link that leads there.
    Link(Cow<'a, Path>),
}

impl<'a> Held<'a> {
    pub(super) fn content(content: Option<&'a [u8]>) -> Self {
        content.map_or(Self::Nothing, |content| Self::File(content.into()))
    }
}

/// Makes `place` hold `after`, if it holds `before`. A file that is there keeps its owner and mode; a new one, one in the
/// place of a link, and a link get `access`.
pub(super) fn replace(
    path: &Path,
    place: &Place,
    before: &Held<'_>,
    after: &Held<'_>,
    access: Access,
) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::io(path, error);
    // The folder itself is locked: a lock file beside the others would be one more thing to find in a home directory.
    lock(&place.folder).map_err(failed)?;
    let result = replace_locked(path, place, before, after, access);
    let _ = rustix::fs::flock(&place.folder, FlockOperation::Unlock);
    result
}

fn replace_locked(
    path: &Path,
    place: &Place,
    before: &Held<'_>,
    after: &Held<'_>,
    access: Access,
) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::io(path, error);
    let kept = kept_access(path, place)?.unwrap_or(access);
    if current(place).map_err(failed)? != *before {
        return Err(ApplyError::Changed { path: path.to_owned() });
    }
    let temporary = temporary_name();
    let written = match after {
        Held::Nothing => {
            rustix::fs::unlinkat(&place.folder, &place.name, AtFlags::empty())
                .map_err(|e| failed(e.into()))?;
            return sync(&place.folder).map_err(failed);
        }
        Held::File(content) => write(place, &temporary, content, kept),
        Held::Link(target) => link(place, &temporary, target, access),
    };
    let written = written.and_then(|()| {
        rustix::fs::renameat(&place.folder, &*temporary, &place.folder, &place.name)?;
        sync(&place.folder)
    });
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&place.folder, &*temporary, AtFlags::empty());
    }
    written.map_err(failed)
}

/// The owner and mode of the file at `place`, which its next version keeps; `None` if there is none, or a link.
///
/// # Errors
/// If the file must not be replaced.
pub(super) fn kept_access(path: &Path, place: &Place) -> Result<Option<Access>, ApplyError> {
    let found = place.stat().map_err(|error| ApplyError::io(path, error))?;
    let Some(found) = found.filter(|found| !is_link(found)) else { return Ok(None) };
    if found.st_nlink > 1 {
        return Err(ApplyError::OtherNames { path: path.to_owned() });
    }
    // Whoever makes settings read-only wants them to stay. Programs are often so, and nobody means anything by it.
    if place.kind == Kind::Text && found.st_mode & 0o200 == 0 {
        return Err(ApplyError::ReadOnly { path: path.to_owned() });
    }
    Ok(Some(Access { uid: found.st_uid, gid: found.st_gid, mode: found.st_mode & 0o7777 }))
}

/// What `place` holds.
pub(super) fn current(place: &Place) -> io::Result<Held<'static>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(&place.folder, &place.name, flags, Mode::empty()) {
        Ok(fd) => Ok(Held::File(content(fd, MAX_BYTES)?.into())),
        Err(Errno::NOENT) => Ok(Held::Nothing),
        Err(Errno::LOOP) => {
            let target = rustix::fs::readlinkat(&place.folder, &place.name, Vec::new())?;
            Ok(Held::Link(PathBuf::from(OsString::from_vec(target.into_bytes())).into()))
        }
        Err(error) => Err(error.into()),
    }
}

fn write(place: &Place, name: &str, content: &[u8], access: Access) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&place.folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    // The owner first: giving a file away takes special bits from its mode.
    give(&file, access.uid, access.gid)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(access.mode))?;
    file.sync_all()
}

fn link(place: &Place, name: &str, target: &Path, access: Access) -> io::Result<()> {
    rustix::fs::symlinkat(target, &place.folder, name)?;
    let (uid, gid) = (Some(Uid::from_raw(access.uid)), Some(Gid::from_raw(access.gid)));
    Ok(rustix::fs::chownat(&place.folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn sync(folder: &OwnedFd) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        // Some file systems have no fsync for folders.
        Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn lock(folder: &OwnedFd) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match rustix::fs::flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if started.elapsed() < LOCK_DEADLINE => sleep(LOCK_POLL),
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::other("another process has held its folder's lock for 10 seconds"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn temporary_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(".ecru-{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
