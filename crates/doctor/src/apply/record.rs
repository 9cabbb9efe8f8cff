//! What was applied, and how it was before.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::file_record::{FileRecord, Step, digest};
use super::place::{Kind, NewFolders, Place};
use super::replace::{Access, Held, lock, replace};
use super::{ApplyError, Machine};
use crate::files::read_limited;
use crate::plan::Plan;
use crate::service::below;
use crate::surroundings::Target;

/// The longest record.
const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The longest backup: programs are among them.
const MAX_BACKUP_BYTES: usize = 512 * 1024 * 1024;

const RECORD: &str = "record.json";

/// One application.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The set-up that made it. Records of older versions do not tell, and are anybody's.
    #[serde(default)]
    pub(super) set_up: String,
    /// The files, in the order in which they were changed.
    pub(super) files: Vec<FileRecord>,
    /// The folders that were made, the outer ones first.
    pub(super) folders: Vec<PathBuf>,
}

/// The folder of records, locked as long as this value lives.
pub(super) struct Store<'a> {
    machine: Machine<'a>,
    _locked: OwnedFd,
}

impl<'a> Store<'a> {
    pub(super) fn open(machine: Machine<'a>) -> Result<Self, ApplyError> {
        let folders = NewFolders { mode: 0o700, owner: None };
        Place::open(machine.root, &machine.state.join(RECORD), Kind::Text, Some(folders))?;
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

    /// The folders of copies, with a record or without.
    fn folders(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(below(self.machine.root, self.machine.state));
        let mut numbers: Vec<u32> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// The applications that are on record. Nothing was changed yet where there are copies only.
    fn numbers(&self) -> Vec<u32> {
        let is_recorded = |number: &u32| {
            let record = below(self.machine.root, &self.folder(*number).join(RECORD));
            !record.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        self.folders().into_iter().filter(is_recorded).collect()
    }

    /// How many applications of this set-up are on record.
    pub(super) fn count(&self) -> usize {
        self.numbers().into_iter().filter(|number| self.is_of_set_up(*number)).count()
    }

    /// A record that cannot be read stands in the way of all: it may be of this set-up.
    fn is_of_set_up(&self, number: u32) -> bool {
        self.read(number).map_or(true, |(record, _)| [self.machine.set_up, ""].contains(&&*record.set_up))
    }

    fn folder(&self, number: u32) -> PathBuf {
        self.machine.state.join(format!("{number:04}"))
    }

    /// Keeps copies and the record, before anything is changed.
    pub(super) fn add(&self, record: &Record, plan: &Plan) -> Result<u32, ApplyError> {
        let number = self.folders().last().map_or(1, |last| last + 1);
        let kept = self.keep(number, record, plan);
        if kept.is_err() {
            // The failure is what matters, and copies without a record stand in nobody's way.
            let _ = self.remove(number);
        }
        kept.map(|()| number)
    }

    fn keep(&self, number: u32, record: &Record, plan: &Plan) -> Result<(), ApplyError> {
        for (index, change) in plan.changes.iter().enumerate() {
            if let Some(before) = &change.before {
                self.write(&self.folder(number).join(index.to_string()), None, before)?;
            }
        }
        self.write_record(number, record, None)
    }

    fn write_record(&self, number: u32, record: &Record, before: Option<&[u8]>) -> Result<(), ApplyError> {
        let path = self.folder(number).join(RECORD);
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| ApplyError::DamagedRecord { path: path.clone(), reason: error.to_string() })?;
        self.write(&path, before, &text)
    }

    fn write(&self, path: &Path, before: Option<&[u8]>, content: &[u8]) -> Result<(), ApplyError> {
        let folders = NewFolders { mode: 0o700, owner: None };
        let place = Place::open(self.machine.root, path, Kind::Text, Some(folders))?;
        let me = rustix::process::geteuid().as_raw();
        let access = Access { uid: me, gid: rustix::process::getegid().as_raw(), mode: 0o600 };
        replace(path, &place, &Held::content(before), &Held::content(Some(content)), access)
    }

    pub(super) fn last(&self) -> Result<(u32, Record), ApplyError> {
        let number = self
            .numbers()
            .into_iter()
            .rfind(|number| self.is_of_set_up(*number))
            .ok_or_else(|| ApplyError::NoRecord { state: self.machine.state.to_owned() })?;
        Ok((number, self.read(number)?.0))
    }

    fn read(&self, number: u32) -> Result<(Record, Vec<u8>), ApplyError> {
        let path = self.folder(number).join(RECORD);
        let damaged = |reason: String| ApplyError::DamagedRecord { path: path.clone(), reason };
        let content = read_limited(&below(self.machine.root, &path), MAX_RECORD_BYTES)
            .map_err(|error| damaged(error.to_string()))?
            .ok_or_else(|| damaged("it is not there".to_owned()))?;
        let record = serde_json::from_slice(&content).map_err(|error| damaged(error.to_string()))?;
        Ok((record, content))
    }

    /// How the file with this index in a record is taken back; `None` if it is as it was.
    pub(super) fn step_back(
        &self,
        number: u32,
        index: usize,
        file: &FileRecord,
    ) -> Result<Option<Step>, ApplyError> {
        let backup = self.backup(number, index, file)?;
        file.step_back(backup, self.machine, || self.way_back(number, index, file))
    }

    /// What takes back that the file was changed after the record: another set-up's way back, or a copy by hand.
    fn way_back(&self, number: u32, index: usize, file: &FileRecord) -> String {
        let later = self.numbers().into_iter().filter(|later| *later > number).rev();
        let of_file = |record: &Record| record.files.iter().any(|other| other.path == file.path);
        let mut later = later.filter_map(|later| Some(self.read(later).ok()?.0)).filter(of_file);
        match later.next() {
            Some(record) if !record.set_up.is_empty() => {
                let command =
                    Target::at(self.machine.root).told(format!("ecru setup {} --undo", record.set_up));
                format!("take that one back first: {command}")
            }
            _ => {
                let copy = below(self.machine.root, &self.folder(number).join(index.to_string()));
                format!("to give that change up: {}", file.by_hand(self.machine.root, &copy))
            }
        }
    }

    /// Folders that are there still, because another set-up has put files into them, become that one's to remove.
    pub(super) fn hand_over(&self, folders: &[PathBuf]) -> Result<(), ApplyError> {
        let left: Vec<PathBuf> =
            folders.iter().filter(|folder| below(self.machine.root, folder).is_dir()).cloned().collect();
        let Some(number) = self.numbers().first().copied().filter(|_| !left.is_empty()) else {
            return Ok(());
        };
        let (mut record, before) = self.read(number)?;
        record.folders.splice(0..0, left);
        self.write_record(number, &record, Some(&before))
    }

    /// The copy of a file of a record; `None` if the file did not exist.
    fn backup(&self, number: u32, index: usize, file: &FileRecord) -> Result<Option<Vec<u8>>, ApplyError> {
        let Some(expected) = file.before() else { return Ok(None) };
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
