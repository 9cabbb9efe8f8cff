//! What was applied, and how it was before.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::place::{NewFolders, Place};
use super::replace::{Access, current, lock, replace};
use super::{ApplyError, Machine};
use crate::files::read_limited;
use crate::plan::{Change, Plan};
use crate::service::below;

/// The longest record.
const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The longest backup: programs are among them.
const MAX_BACKUP_BYTES: usize = 512 * 1024 * 1024;

const RECORD: &str = "record.json";

/// One application.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The files, in the order in which they were changed.
    pub(super) files: Vec<FileRecord>,
    /// The folders that were made, the outer ones first.
    pub(super) folders: Vec<PathBuf>,
}

/// One file of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRecord {
    pub(super) path: PathBuf,
    /// SHA-256 of what it held; none if it did not exist.
    before: Option<String>,
    /// SHA-256 of what it was made to hold.
    after: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

/// How one file is taken back.
pub(super) struct Step {
    pub(super) place: Place,
    pub(super) current: Vec<u8>,
    pub(super) backup: Option<Vec<u8>>,
}

impl FileRecord {
    pub(super) fn of(change: &Change, machine: Machine<'_>) -> Result<Self, ApplyError> {
        let failed = |error| ApplyError::io(&change.path, error);
        let found = match Place::open(machine.root, &change.path, None) {
            Ok(place) => place.stat().map_err(failed)?,
            Err(ApplyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (uid, gid, mode) =
            found.map_or((0, 0, 0), |found| (found.st_uid, found.st_gid, found.st_mode & 0o7777));
        Ok(Self {
            path: change.path.clone(),
            before: change.before.as_deref().map(digest),
            after: digest(&change.after),
            uid,
            gid,
            mode,
        })
    }

    /// How it is taken back; `None` if it is as it was.
    pub(super) fn step_back(
        &self,
        backup: Option<Vec<u8>>,
        machine: Machine<'_>,
    ) -> Result<Option<Step>, ApplyError> {
        let changed = || ApplyError::Changed { path: self.path.clone() };
        let place = match Place::open(machine.root, &self.path, None) {
            Ok(place) => place,
            Err(ApplyError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound && self.before.is_none() =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let held = current(&place).map_err(|error| ApplyError::io(&self.path, error))?;
        if held.as_deref().map(digest) == self.before {
            return Ok(None);
        }
        let current = held.filter(|held| digest(held) == self.after).ok_or_else(changed)?;
        Ok(Some(Step { place, current, backup }))
    }
}

fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// The folder of records, locked as long as this value lives.
pub(super) struct Store<'a> {
    machine: Machine<'a>,
    _locked: OwnedFd,
}

impl<'a> Store<'a> {
    pub(super) fn open(machine: Machine<'a>) -> Result<Self, ApplyError> {
        let folders = NewFolders { mode: 0o700, owner: None };
        Place::open(machine.root, &machine.state.join(RECORD), Some(folders))?;
        Self::open_existing(machine)
    }

    pub(super) fn open_existing(machine: Machine<'a>) -> Result<Self, ApplyError> {
        let no_record = || ApplyError::NoRecord { state: machine.state.to_owned() };
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => no_record(),
            _ => ApplyError::io(machine.state, error),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(below(machine.root, machine.state), flags, Mode::empty())
            .map_err(|error| failed(error.into()))?;
        lock(&folder).map_err(failed)?;
        Ok(Self { machine, _locked: folder })
    }

    fn numbers(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(below(self.machine.root, self.machine.state));
        let mut numbers: Vec<u32> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn count(&self) -> usize {
        self.numbers().len()
    }

    fn folder(&self, number: u32) -> PathBuf {
        self.machine.state.join(format!("{number:04}"))
    }

    /// Keeps copies and the record, before anything is changed.
    pub(super) fn add(&self, record: &Record, plan: &Plan) -> Result<u32, ApplyError> {
        let number = self.numbers().last().map_or(1, |last| last + 1);
        for (index, change) in plan.changes.iter().enumerate() {
            if let Some(before) = &change.before {
                self.write(&self.folder(number).join(index.to_string()), before)?;
            }
        }
        let path = self.folder(number).join(RECORD);
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| ApplyError::DamagedRecord { path: path.clone(), reason: error.to_string() })?;
        self.write(&path, &text)?;
        Ok(number)
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), ApplyError> {
        let folders = NewFolders { mode: 0o700, owner: None };
        let place = Place::open(self.machine.root, path, Some(folders))?;
        let me = rustix::process::geteuid().as_raw();
        let access = Access { uid: me, gid: rustix::process::getegid().as_raw(), mode: 0o600 };
        replace(path, &place, None, Some(content), access)
    }

    pub(super) fn last(&self) -> Result<(u32, Record), ApplyError> {
        let number = self
            .numbers()
            .last()
            .copied()
            .ok_or_else(|| ApplyError::NoRecord { state: self.machine.state.to_owned() })?;
        let path = self.folder(number).join(RECORD);
        let damaged = |reason: String| ApplyError::DamagedRecord { path: path.clone(), reason };
        let content = read_limited(&below(self.machine.root, &path), MAX_RECORD_BYTES)
            .map_err(|error| damaged(error.to_string()))?
            .ok_or_else(|| damaged("it is not there".to_owned()))?;
        let record = serde_json::from_slice(&content).map_err(|error| damaged(error.to_string()))?;
        Ok((number, record))
    }

    /// The copy of a file of the record; `None` if the file did not exist.
    pub(super) fn backup(&self, number: u32, file: &FileRecord) -> Result<Option<Vec<u8>>, ApplyError> {
        let Some(expected) = &file.before else { return Ok(None) };
        let (_, record) = self.last()?;
        let index = record.files.iter().position(|other| other.path == file.path).unwrap_or_default();
        let path = self.folder(number).join(index.to_string());
        let damaged =
            |reason: &str| ApplyError::DamagedRecord { path: path.clone(), reason: reason.to_owned() };
        let content = read_limited(&below(self.machine.root, &path), MAX_BACKUP_BYTES)
            .map_err(|error| damaged(&error.to_string()))?
            .ok_or_else(|| damaged("it is not there"))?;
        if digest(&content) != *expected {
            return Err(damaged("its content is not what was kept"));
        }
        Ok(Some(content))
    }

    pub(super) fn remove(&self, number: u32) -> Result<(), ApplyError> {
        let folder = self.folder(number);
        std::fs::remove_dir_all(below(self.machine.root, &folder))
            .map_err(|error| ApplyError::io(&folder, error))
    }
}
