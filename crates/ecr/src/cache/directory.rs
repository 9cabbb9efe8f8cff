//! The directory with the entries, and the checks without which nothing in it is believed.
//!
//! Other local users may have put things there: files of their own, links to files of ours, pipes that make a
//! reader wait. Only a regular file counts that this user owns, that nobody else can read or write, and that has no
//! second name; the same holds for the directory.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use secrecy::zeroize::Zeroizing;

use super::key::{ENTRY_SUFFIX, Key, LOCK_SUFFIX, NAME_PREFIX, TEMPORARY_SUFFIX};
use crate::environment::Environment;
use crate::token::MAX_LIFETIME;

/// The variable that chooses where the cache is, as with amazon-ecr-credential-helper.
const DIRECTORY_VARIABLE: &str = "AWS_ECR_CACHE_DIR";

/// The longest entry, in bytes. AWS promises no length of tokens; today they have some 3,000 bytes.
const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// How many files are looked at when the directory is listed.
const MAX_LISTED: usize = 10_000;

/// How much of the directory the system tells at once, in bytes: some forty files.
const LISTED_AT_ONCE: usize = 4096;

/// How many names are tried for a temporary file.
const MAX_TEMPORARY_NAMES: u32 = 16;

/// What is said of a directory that is open to others.
const OPEN_DIRECTORY: &str = "other users have access to this folder";

/// The directory below it with the records of failures.
const FAILURES: &str = "failures";

/// The directory with the entries. It need not exist.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// How old its files can get.
    max_age: Duration,
    /// The directory above it that must exist: ecru does not make home directories.
    anchor: Option<PathBuf>,
}

/// The held lock of an entry.
#[derive(Debug)]
pub(crate) struct Lock {
    key: Key,
    /// Closing the file lets the lock go.
    file: File,
}

impl Lock {
    /// Leaves word in the lock's file for those who wait for it, in the place of what was there.
    pub(crate) fn leave(&self, word: &[u8]) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.file)?;
        if let Some(reason) = reason_to_distrust(&stat, FileType::RegularFile) {
            return Err(io::Error::other(reason));
        }
        self.file.set_len(0)?;
        self.file.write_all_at(word, 0)
    }
}

impl Directory {
    pub(crate) fn chosen_by(environment: &Environment) -> Option<Self> {
        let home = environment.home();
        if let Some(Ok(path)) = named_directory(environment) {
            return Some(Self { path: path.join("ecru"), max_age: MAX_LIFETIME, anchor: None });
        }
        let caches = environment.xdg("XDG_CACHE_HOME", ".cache")?;
        let anchor = home.filter(|home| caches.starts_with(home));
        Some(Self { path: caches.join("ecru"), max_age: MAX_LIFETIME, anchor })
    }

    /// The directory of the records of failures, which are kept for `max_age`, below that of the tokens.
    pub(crate) fn of_failures(environment: &Environment, max_age: Duration) -> Option<Self> {
        let Self { path, anchor, .. } = Self::chosen_by(environment)?;
        Some(Self { path: path.join(FAILURES), max_age, anchor })
    }

    /// The value of `AWS_ECR_CACHE_DIR`, where it is no place for a cache.
    pub(crate) fn passed_over(environment: &Environment) -> Option<PathBuf> {
        named_directory(environment)?.err()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The content of a file, if it is there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DirectoryError> {
        match self.open()? {
            Some(directory) => self.read_in(&directory, name),
            None => Ok(None),
        }
    }

    /// The same, and what [`Directory::sweep`] does, with the directory opened once.
    pub(crate) fn read_and_sweep(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DirectoryError> {
        let Some(directory) = self.open()? else { return Ok(None) };
        let content = self.read_in(&directory, name);
        sweep(&directory);
        content
    }

    /// Removes what processes that died were writing: it holds their tokens. Locks are only tried where there is
    /// something, so that a reader who finds nothing reads the directory once and no more.
    pub(crate) fn sweep(&self) {
        if let Ok(Some(directory)) = self.open() {
            sweep(&directory);
        }
    }

    fn read_in(&self, directory: &OwnedFd, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DirectoryError> {
        // O_NOFOLLOW refuses links; O_NONBLOCK does not wait for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.distrust(name, "it is a symbolic link")),
            Err(error) => return Err(self.failure(error)),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| self.failure(error))?;
        if let Some(reason) = reason_to_distrust(&stat, FileType::RegularFile) {
            return Err(self.distrust(name, reason));
        }
        let mut content =
            Zeroizing::new(Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or_default()));
        file.take(MAX_ENTRY_BYTES as u64).read_to_end(&mut content).map_err(|error| self.failure(error))?;
        Ok(Some(content))
    }

    /// Writes an entry so that readers see the old one or the new one, whole, also after a crash.
    pub(crate) fn write(&self, key: &Key, content: &[u8]) -> Result<(), DirectoryError> {
        let directory = self.open_or_create()?;
        write_entry(&directory, key, content).map_err(|error| self.failure(error))
    }

    /// Takes the lock of an entry in this line; `None` if another process holds it.
    pub(crate) fn try_lock(
        &self,
        key: &Key,
        line: u32,
        now: SystemTime,
    ) -> Result<Option<Lock>, DirectoryError> {
        let directory = self.open_or_create()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&directory, key.lock_name(line), flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(fd.map_err(|error| self.failure(error))?);
        match file.try_lock() {
            Ok(()) => {
                // Locks in use stay young, so that `prune` leaves them.
                let _ = file.set_modified(now);
                Ok(Some(Lock { key: *key, file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failure(error)),
        }
    }

    /// The names and contents of the entries that can be trusted and read.
    pub(crate) fn entries(
        &self,
    ) -> Result<impl Iterator<Item = (String, Zeroizing<Vec<u8>>)>, DirectoryError> {
        let directory = self.open()?;
        let names = match &directory {
            Some(directory) => names(directory, &[ENTRY_SUFFIX]).map_err(|error| self.failure(error))?,
            None => Vec::new(),
        };
        Ok(names.into_iter().filter_map(move |name| {
            let content = self.read_in(directory.as_ref()?, &name).ok()??;
            Some((name, content))
        }))
    }

    /// The names of the entries.
    pub(crate) fn entry_names(&self) -> Result<Vec<String>, DirectoryError> {
        let Some(directory) = self.open()? else { return Ok(Vec::new()) };
        names(&directory, &[ENTRY_SUFFIX]).map_err(|error| self.failure(error))
    }

    /// Removes a file; whether it was there.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, DirectoryError> {
        let Some(directory) = self.open()? else { return Ok(false) };
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Removes the entries that were written first, until `count` are left.
    pub(crate) fn keep_newest(&self, count: usize) {
        let Ok(Some(directory)) = self.open() else { return };
        let names = names(&directory, &[ENTRY_SUFFIX]).unwrap_or_default();
        let mut entries: Vec<_> = names.into_iter().map(|name| (modified(&directory, &name), name)).collect();
        entries.sort_unstable();
        let excess = entries.len().saturating_sub(count);
        for (_, name) in entries.drain(..excess) {
            let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
        }
    }

    /// Removes what nobody can use any more: entries and locks that are too old, and files that were being written
    /// when their process died. Other files are left alone. `held` is the lock that this process holds.
    pub(crate) fn prune(&self, now: SystemTime, held: Option<&Lock>) {
        let Ok(Some(directory)) = self.open() else { return };
        let held = held.map(|lock| lock.key.to_string());
        for name in names(&directory, &[ENTRY_SUFFIX, LOCK_SUFFIX, TEMPORARY_SUFFIX]).unwrap_or_default() {
            let is_stale = match Key::of_temporary(&name) {
                Some(key) => is_abandoned(&directory, &name, key, held.as_deref() == Some(key)),
                None => is_older(&directory, &name, now, self.max_age),
            };
            if is_stale {
                let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::empty());
            }
        }
    }

    /// Opens the directory; `None` if there is none.
    fn open(&self) -> Result<Option<OwnedFd>, DirectoryError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(self.distrust("", "it is not a directory")),
            Err(error) => return Err(self.failure(error)),
        };
        let stat = rustix::fs::fstat(&directory).map_err(|error| self.failure(error))?;
        match reason_to_distrust(&stat, FileType::Directory) {
            Some(reason) => Err(self.distrust("", reason)),
            None => Ok(Some(directory)),
        }
    }

    fn open_or_create(&self) -> Result<OwnedFd, DirectoryError> {
        if let Some(directory) = self.open()? {
            return Ok(directory);
        }
        if let Some(anchor) = &self.anchor
            && !anchor.is_dir()
        {
            return Err(DirectoryError::NoHome { path: anchor.clone() });
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| self.failure(error))?;
        self.open()?.ok_or_else(|| self.failure(io::ErrorKind::NotFound))
    }

    /// The error for what the system said.
    pub(crate) fn failure(&self, source: impl Into<io::Error>) -> DirectoryError {
        DirectoryError::Io { path: self.path.clone(), source: source.into() }
    }

    fn distrust(&self, name: &str, reason: &'static str) -> DirectoryError {
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        DirectoryError::Untrusted { path, reason }
    }
}

impl DirectoryError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Untrusted { path, reason } if *reason == OPEN_DIRECTORY => {
                Some(format!("chmod 700 {}", path.display()))
            }
            // A file that is not trusted is replaced, and what is wrong with a folder of another kind has no one remedy.
            Self::Untrusted { .. } | Self::Io { .. } => None,
            Self::NoHome { .. } => Some("name a folder in AWS_ECR_CACHE_DIR".to_owned()),
        }
    }
}

/// Why the directory, or something in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Somebody else may have made or changed it.
    #[error("`{}` is not trusted: {reason}", .path.display())]
    Untrusted {
        /// What is not trusted.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The home directory does not exist.
    #[error("the home directory `{}` does not exist", .path.display())]
    NoHome {
        /// The home directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The directory that `AWS_ECR_CACHE_DIR` names; or its value, where that depends on the folder in which the program is
/// run, so that passwords would come to lie in it.
fn named_directory(environment: &Environment) -> Option<Result<PathBuf, PathBuf>> {
    let named = environment.path(DIRECTORY_VARIABLE)?;
    let path = match (named.strip_prefix("~"), environment.home()) {
        (Ok(below_home), Some(home)) => home.join(below_home),
        _ => named,
    };
    Some(if path.is_absolute() { Ok(path) } else { Err(path) })
}

fn reason_to_distrust(stat: &Stat, expected: FileType) -> Option<&'static str> {
    let mode = Mode::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(stat.st_mode) != expected {
        Some("it is of another kind than expected")
    } else if stat.st_uid != rustix::process::geteuid().as_raw() {
        Some("it belongs to another user")
    } else if mode.intersects(Mode::RWXG | Mode::RWXO) {
        Some(if expected == FileType::Directory { OPEN_DIRECTORY } else { "other users have access to it" })
    } else if expected == FileType::RegularFile && stat.st_nlink > 1 {
        Some("it has several names")
    } else if expected == FileType::RegularFile && stat.st_size > MAX_ENTRY_BYTES as i64 {
        Some("it is too long")
    } else {
        None
    }
}

fn write_entry(directory: &OwnedFd, key: &Key, content: &[u8]) -> io::Result<()> {
    let (mut file, temporary) = create_temporary(directory, key)?;
    // The lock tells `prune` that the file is not a leftover. Some file systems have none.
    let _ = file.try_lock();
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(rustix::fs::renameat(directory, &temporary, directory, key.entry_name())?));
    if written.is_err() {
        let _ = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
    }
    written
}

fn create_temporary(directory: &OwnedFd, key: &Key) -> io::Result<(File, String)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for attempt in 0..MAX_TEMPORARY_NAMES {
        let name = key.temporary_name(std::process::id(), attempt);
        match rustix::fs::openat(directory, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => return Ok((File::from(fd), name)),
            // Another container with the same process number and directory, or a leftover.
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The names of ecru's files of this version that end with one of `suffixes`, in a directory that nobody has read since
/// it was opened.
fn names(directory: &OwnedFd, suffixes: &[&str]) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    // Without `Dir`, which opens the directory once more, and has a string of its own for every name.
    let mut room = [MaybeUninit::uninit(); LISTED_AT_ONCE];
    let mut files = RawDir::new(directory, &mut room);
    for _ in 0..MAX_LISTED {
        let Some(file) = files.next() else { break };
        let file = file?;
        let Ok(name) = file.file_name().to_str() else { continue };
        if name.starts_with(NAME_PREFIX) && suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn sweep(directory: &OwnedFd) {
    for name in names(directory, &[TEMPORARY_SUFFIX]).unwrap_or_default() {
        if Key::of_temporary(&name).is_some_and(|key| is_abandoned(directory, &name, key, false)) {
            let _ = rustix::fs::unlinkat(directory, &name, AtFlags::empty());
        }
    }
}

/// Whether the process that wrote the temporary file of the entry `key` has died. The writer holds the lock of the
/// file, and until it has that one, the lock of the entry: one of them alone would leave a gap in which the file of
/// a living process is removed.
fn is_abandoned(directory: &OwnedFd, name: &str, key: &str, holds_lock: bool) -> bool {
    (holds_lock || is_free(directory, &Key::lock_name_of(key))) && is_free(directory, name)
}

/// Whether nobody holds the lock of a file, or there is no such file.
fn is_free(directory: &OwnedFd, name: &str) -> bool {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd).try_lock().is_ok(),
        Err(error) => error == Errno::NOENT,
    }
}

/// Whether the file was last changed longer ago than `max_age`.
fn is_older(directory: &OwnedFd, name: &str, now: SystemTime, max_age: Duration) -> bool {
    modified(directory, name)
        .and_then(|modified| now.duration_since(modified).ok())
        .is_some_and(|age| age > max_age)
}

/// When the file was last changed, if that can be known.
fn modified(directory: &OwnedFd, name: &str) -> Option<SystemTime> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let whole = Duration::from_secs(u64::try_from(stat.st_mtime).ok()?);
    let part = Duration::from_nanos(stat.st_mtime_nsec);
    SystemTime::UNIX_EPOCH.checked_add(whole + part)
}
