//! One file of an application, and how it is taken back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::place::{Kind, Place};
use super::replace::{Access, Held, current, kept_access};
use super::{ApplyError, Machine, kind};
use crate::files::{below, below_itself};
use crate::plan::Change;
use crate::shell::shell_word;

/// One file, as it was and as it became.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRecord {
    pub(super) path: PathBuf,
    /// Whether it is a program, so that a link at the end of its path was not followed.
    #[serde(default)]
    program: bool,
    /// Where the link led that was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<PathBuf>,
    /// SHA-256 of what it held; none if it did not exist, or was a link.
    before: Option<String>,
    /// SHA-256 of what it was made to hold.
    after: String,
    uid: u32,
    gid: u32,
    mode: u32,
}

/// How one file is taken back.
pub(super) struct Step {
    pub(super) place: Place,
    pub(super) current: Held<'static>,
    /// The owner and mode that it has.
    pub(super) access: Access,
    pub(super) before: Held<'static>,
}

impl FileRecord {
    pub(super) fn of(change: &Change, machine: Machine<'_>) -> Result<Self, ApplyError> {
        let failed = |error| ApplyError::io(&change.path, error);
        let found = match Place::open(machine.root, &change.path, kind(change), None) {
            Ok(place) => place.stat().map_err(failed)?,
            Err(ApplyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (uid, gid, mode) =
            found.map_or((0, 0, 0), |found| (found.st_uid, found.st_gid, found.st_mode & 0o7777));
        Ok(Self {
            path: change.path.clone(),
            program: kind(change) == Kind::Program,
            link: change.link.clone(),
            before: change.before.as_deref().map(digest),
            after: digest(&change.after),
            uid,
            gid,
            mode,
        })
    }

    /// The digest of the copy that is kept of it, if it was a file.
    pub(super) fn before(&self) -> Option<&String> {
        self.before.as_ref()
    }

    /// Its owner and mode, as they were.
    pub(super) fn access(&self) -> Access {
        Access { uid: self.uid, gid: self.gid, mode: self.mode }
    }

    fn kind(&self) -> Kind {
        if self.program { Kind::Program } else { Kind::Text }
    }

    /// How it is taken back; `None` if it is as it was. `way_back` takes a later change back.
    pub(super) fn step_back(
        &self,
        backup: Option<Vec<u8>>,
        machine: Machine<'_>,
        way_back: impl FnOnce() -> String,
    ) -> Result<Option<Step>, ApplyError> {
        let was_nothing = self.before.is_none() && self.link.is_none();
        let place = match Place::open(machine.root, &self.path, self.kind(), None) {
            Ok(place) => place,
            Err(ApplyError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound && was_nothing =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let current = current(&place).map_err(|error| ApplyError::io(&self.path, error))?;
        let found = match &current {
            Held::File(content) => Some(digest(content)),
            Held::Nothing | Held::Link(_) => None,
        };
        let is_as_before = match &current {
            Held::Nothing => was_nothing,
            Held::File(_) => found == self.before,
            Held::Link(target) => Some(&**target) == self.link.as_deref(),
        };
        if is_as_before {
            return Ok(None);
        }
        if found.as_ref() != Some(&self.after) {
            return Err(ApplyError::ChangedSince { path: self.path.clone(), way_back: way_back() });
        }
        let before = match (&self.link, backup) {
            (Some(target), _) => Held::Link(target.clone().into()),
            (None, Some(content)) => Held::File(content.into()),
            (None, None) => Held::Nothing,
        };
        let access = kept_access(&self.path, &place)?.unwrap_or_else(|| self.access());
        Ok(Some(Step { place, current, access, before }))
    }

    /// The command that makes it what it was; `copy` is where the copy is that was kept of it.
    pub(super) fn by_hand(&self, root: &Path, copy: &Path) -> String {
        let place = match self.kind() {
            Kind::Text => below(root, &self.path),
            Kind::Program => below_itself(root, &self.path),
        };
        let word = |path: &Path| shell_word(&path.display().to_string());
        let (place, copy) = (word(&place), word(copy));
        match (&self.link, &self.before, self.kind()) {
            (Some(target), _, _) => format!("ln -sfn {} {place}", word(target)),
            (None, None, _) => format!("rm {place}"),
            (None, Some(_), Kind::Text) => format!("cp {copy} {place}"),
            // A copy would be written through a link.
            (None, Some(_), Kind::Program) => format!("install -m {:04o} {copy} {place}", self.mode),
        }
    }
}

pub(super) fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}
