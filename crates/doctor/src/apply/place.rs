//! The place of a file: an open folder and a name in it.
//!
//! Root edits files in folders that belong to others, who could put a link in the way while it does. So each component
//! is opened from the one before it, links are read and followed here, and what was opened stays open: nobody can put
//! another folder in its place afterwards.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::ApplyError;

/// More links than any real path has (the kernel's own limit, path_resolution(7)).
const MAX_LINKS: usize = 40;

/// An open folder and the name of a file in it, which need not exist.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    pub(super) kind: Kind,
}

/// What belongs in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Settings: a link at the end of their path is followed.
    Text,
    /// A program: such a link is in its place, because what it leads to is another program.
    Program,
}

/// How folders that are missing are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewFolders {
    pub(super) mode: u32,
    pub(super) owner: Option<u32>,
}

impl Place {
    /// The place of the absolute `path` on a machine whose `/` is `root`; missing folders are made where `new_folders`
    /// says how.
    pub(super) fn open(
        root: &Path,
        path: &Path,
        kind: Kind,
        new_folders: Option<NewFolders>,
    ) -> Result<Self, ApplyError> {
        Walk::from(root, path)?.place(kind, new_folders)
    }

    /// What is at the place; `None` if nothing is.
    pub(super) fn stat(&self) -> io::Result<Option<Stat>> {
        stat(&self.folder, &self.name)
    }
}

struct Walk<'p> {
    path: &'p Path,
    root: OwnedFd,
    folder: OwnedFd,
    ahead: VecDeque<OsString>,
    links: usize,
    /// Owners of links who must own the folder to which they lead.
    owners: Vec<u32>,
    /// Links of root or of the caller, while names of their targets are ahead.
    trusted: Vec<TrustedLink>,
}

/// A link that may lead through folders of its owner, and of the owner of the folder that it stands in. A folder of
/// anybody else would hand a file of the one to the other, even if root made the link: `/home` may lead to `/var/home`,
/// and `/root/.docker` must not lead into a home.
struct TrustedLink {
    owner: u32,
    folder_owner: u32,
    /// How many names are ahead when the last one of its target has been taken.
    behind: usize,
}

impl<'p> Walk<'p> {
    fn from(root: &Path, path: &'p Path) -> Result<Self, ApplyError> {
        let failed = |error: Errno| ApplyError::io(path, error.into());
        let root =
            rustix::fs::open(root, folder_flags() & !OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
        let folder = rustix::io::dup(&root).map_err(failed)?;
        Ok(Self {
            path,
            root,
            folder,
            ahead: components(path),
            links: 0,
            owners: Vec::new(),
            trusted: Vec::new(),
        })
    }

    fn place(mut self, kind: Kind, new_folders: Option<NewFolders>) -> Result<Place, ApplyError> {
        let path = self.path;
        let failed = |error: io::Error| ApplyError::io(path, error);
        while let Some(name) = self.ahead.pop_front() {
            if name == ".." {
                self.go_up().map_err(failed)?;
                self.check_trusted_links()?;
                continue;
            }
            let found = stat(&self.folder, &name).map_err(failed)?;
            let is_followed = kind == Kind::Text || !self.ahead.is_empty();
            if let Some(found) = found.as_ref().filter(|found| is_followed && is_link(found)) {
                self.follow(&name, found)?;
                continue;
            }
            if self.ahead.is_empty() {
                self.check_owners()?;
                return Ok(Place { folder: self.folder, name, kind });
            }
            if found.is_none() {
                let Some(new) = new_folders else { return Err(failed(Errno::NOENT.into())) };
                self.make_folder(&name, new).map_err(failed)?;
            }
            self.folder = open_folder(&self.folder, &name).map_err(failed)?;
            self.check_trusted_links()?;
        }
        Err(failed(io::Error::other("it names no file")))
    }

    /// `..` of the root is the root.
    fn go_up(&mut self) -> io::Result<()> {
        let (here, root) = (rustix::fs::fstat(&self.folder)?, rustix::fs::fstat(&self.root)?);
        if (here.st_dev, here.st_ino) != (root.st_dev, root.st_ino) {
            self.folder = open_folder(&self.folder, OsStr::new(".."))?;
        }
        Ok(())
    }

    fn follow(&mut self, name: &OsStr, link: &Stat) -> Result<(), ApplyError> {
        let failed = |error: io::Error| ApplyError::io(self.path, error);
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(failed(Errno::LOOP.into()));
        }
        let target = rustix::fs::readlinkat(&self.folder, name, Vec::new()).map_err(|e| failed(e.into()))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if is_trusted(link.st_uid) {
            let folder = rustix::fs::fstat(&self.folder).map_err(|error| failed(error.into()))?;
            let behind = self.ahead.len();
            self.trusted.push(TrustedLink { owner: link.st_uid, folder_owner: folder.st_uid, behind });
        } else {
            self.owners.push(link.st_uid);
        }
        if target.is_absolute() {
            self.folder = rustix::io::dup(&self.root).map_err(|error| failed(error.into()))?;
        }
        let mut ahead = components(&target);
        ahead.append(&mut self.ahead);
        self.ahead = ahead;
        Ok(())
    }

    /// Whether the folder that was just opened is one to which these links may lead.
    fn check_trusted_links(&mut self) -> Result<(), ApplyError> {
        let ahead = self.ahead.len();
        self.trusted.retain(|link| link.behind <= ahead);
        let folder =
            rustix::fs::fstat(&self.folder).map_err(|error| ApplyError::io(self.path, error.into()))?;
        let is_fit = |link: &&TrustedLink| is_trusted(folder.st_uid) || folder.st_uid == link.folder_owner;
        match self.trusted.iter().find(|link| !is_fit(link)) {
            None => Ok(()),
            Some(link) => Err(ApplyError::ForeignLink {
                path: self.path.to_owned(),
                link_owner: link.owner,
                folder_owner: folder.st_uid,
            }),
        }
    }

    fn check_owners(&self) -> Result<(), ApplyError> {
        let folder =
            rustix::fs::fstat(&self.folder).map_err(|error| ApplyError::io(self.path, error.into()))?;
        match self.owners.iter().find(|owner| **owner != folder.st_uid) {
            None => Ok(()),
            Some(owner) => Err(ApplyError::ForeignLink {
                path: self.path.to_owned(),
                link_owner: *owner,
                folder_owner: folder.st_uid,
            }),
        }
    }

    /// A new folder belongs to the owner that is given, else to the owner of the folder it is in.
    fn make_folder(&self, name: &OsStr, new: NewFolders) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.folder, name, Mode::from_raw_mode(new.mode)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let parent = rustix::fs::fstat(&self.folder)?;
        let made = open_folder(&self.folder, name)?;
        give(&made, new.owner.unwrap_or(parent.st_uid), parent.st_gid)?;
        Ok(rustix::fs::fchmod(&made, Mode::from_raw_mode(new.mode))?)
    }
}

fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Makes `uid` and `gid` the owner, if they are not.
pub(super) fn give(file: impl AsFd, uid: u32, gid: u32) -> io::Result<()> {
    let is = rustix::fs::fstat(&file)?;
    if (is.st_uid, is.st_gid) == (uid, gid) {
        return Ok(());
    }
    let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    Ok(rustix::fs::fchown(file, Some(uid), Some(gid))?)
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn open_folder(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(folder, name, folder_flags(), Mode::empty())?)
}

fn stat(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}
