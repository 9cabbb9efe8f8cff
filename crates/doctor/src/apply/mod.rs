//! Plans, applied and taken back.
//!
//! Each application has a folder of its own, readable by its owner only, with a copy of every file as it was and a
//! record of what it became. The record is written first, so that a set-up that was cut off can be taken back too.

mod file_record;
mod place;
mod record;
mod replace;

use std::io;
use std::path::{Path, PathBuf};

use file_record::{FileRecord, Step};
use place::{Kind, NewFolders, Place};
use record::{Record, Store};
use replace::{Access, Held, current, replace};

use crate::files::{below, below_itself};
use crate::plan::{Change, Content, Plan};
use crate::shell::shell_word;

/// Where plans are applied, and where it is kept what was applied.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The folder that is `/` of the machine.
    pub root: &'a Path,
    /// The folder of records and backups, as an absolute path of the machine.
    pub state: &'a Path,
    /// The set-up, as its command is called, such as `job-host`: only its own records are taken back.
    pub set_up: &'a str,
}

/// Why files were not changed. What was changed before the failure has been put back, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The system refused.
    #[error("cannot change `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file does not hold any more what it held when the change was planned or made.
    #[error("`{}` has been changed by somebody else", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold any more what a set-up made it hold.
    #[error("`{}` has been changed since it was set up", path.display())]
    ChangedSince {
        /// The file.
        path: PathBuf,
        /// What takes that change back.
        way_back: String,
    },
    /// A link leads into a folder of another owner.
    #[error(
        "`{}` leads through a link of user {link_owner} into a folder of user {folder_owner}",
        path.display()
    )]
    ForeignLink {
        /// The file.
        path: PathBuf,
        /// The owner of the link.
        link_owner: u32,
        /// The owner of the folder.
        folder_owner: u32,
    },
    /// The file has another name, which would go on showing the old content.
    #[error("`{}` has other names (hard links)", path.display())]
    OtherNames {
        /// The file.
        path: PathBuf,
    },
    /// Its owner has made it read-only.
    #[error("`{}` is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to take back.
    #[error("nothing was set up that could be taken back: no record in `{}`", state.display())]
    NoRecord {
        /// The folder of records.
        state: PathBuf,
    },
    /// A record cannot be read.
    #[error("the record `{}` is damaged: {reason}", path.display())]
    DamagedRecord {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ApplyError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// What a person can do about it, on the machine whose `/` is `root`.
    #[must_use]
    pub fn hint(&self, root: &Path) -> Option<String> {
        let word = |path: &Path| shell_word(&path.display().to_string());
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run this as root".to_owned())
            }
            Self::ChangedSince { way_back, .. } => Some(way_back.clone()),
            Self::ReadOnly { path } => Some(format!("chmod u+w {}", word(&below(root, path)))),
            Self::ForeignLink { path, .. } => {
                Some(format!("look at it: namei -l {}", word(&below_itself(root, path))))
            }
            _ => None,
        }
    }
}

/// Applies a plan, all of it or nothing. An empty plan leaves no record.
///
/// # Errors
/// If a file cannot be changed, or is not what it was when the plan was made ([`ApplyError::Changed`]).
pub fn apply(plan: &Plan, machine: Machine<'_>) -> Result<(), ApplyError> {
    if plan.is_empty() {
        return Ok(());
    }
    let store = Store::open(machine)?;
    // Each is looked at again when it is replaced; this spares the copies where a plan is out of date.
    for change in &plan.changes {
        if held(change, machine)? != before(change) {
            return Err(ApplyError::Changed { path: change.path.clone() });
        }
    }
    let record = record_of(plan, machine)?;
    let number = store.add(&record, plan)?;
    for (done, change) in plan.changes.iter().enumerate() {
        if let Err(error) = apply_one(change, machine) {
            for (change, file) in plan.changes.iter().zip(&record.files).take(done).rev() {
                take_back_one(change, file.access(), machine)?;
            }
            remove_folders(&record, machine);
            store.remove(number)?;
            return Err(error);
        }
    }
    Ok(())
}

fn held(change: &Change, machine: Machine<'_>) -> Result<Held<'static>, ApplyError> {
    match Place::open(machine.root, &change.path, kind(change), None) {
        Ok(place) => current(&place).map_err(|error| ApplyError::io(&change.path, error)),
        Err(ApplyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Held::Nothing),
        Err(error) => Err(error),
    }
}

fn kind(change: &Change) -> Kind {
    if change.content == Content::Program { Kind::Program } else { Kind::Text }
}

fn before(change: &Change) -> Held<'_> {
    match &change.link {
        Some(target) => Held::Link(target.into()),
        None => Held::content(change.before.as_deref()),
    }
}

fn after(change: &Change) -> Held<'_> {
    Held::content(Some(&change.after))
}

fn apply_one(change: &Change, machine: Machine<'_>) -> Result<(), ApplyError> {
    let creation = change.creation;
    let folders = NewFolders { mode: creation.folder_mode, owner: creation.owner };
    let place = Place::open(machine.root, &change.path, kind(change), Some(folders))?;
    let access = new_access(&change.path, &place, creation.owner, creation.mode)?;
    replace(&change.path, &place, &before(change), &after(change), access)
}

fn take_back_one(change: &Change, access: Access, machine: Machine<'_>) -> Result<(), ApplyError> {
    let place = Place::open(machine.root, &change.path, kind(change), None)?;
    replace(&change.path, &place, &after(change), &before(change), access)
}

/// A new file belongs to the owner that is given, else to the folder's.
fn new_access(path: &Path, place: &Place, owner: Option<u32>, mode: u32) -> Result<Access, ApplyError> {
    let folder = rustix::fs::fstat(&place.folder).map_err(|error| ApplyError::io(path, error.into()))?;
    Ok(Access { uid: owner.unwrap_or(folder.st_uid), gid: folder.st_gid, mode })
}

fn record_of(plan: &Plan, machine: Machine<'_>) -> Result<Record, ApplyError> {
    let mut record = Record { set_up: machine.set_up.to_owned(), ..Record::default() };
    for change in &plan.changes {
        let mut folders: Vec<PathBuf> = change.path.ancestors().skip(1).map(Path::to_owned).collect();
        folders.retain(|folder| !below(machine.root, folder).exists());
        folders.reverse();
        folders.retain(|folder| !record.folders.contains(folder));
        record.folders.extend(folders);
        record.files.push(FileRecord::of(change, machine)?);
    }
    Ok(record)
}

/// What is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The files, as they were before.
    pub files: Vec<PathBuf>,
    /// How many earlier ones of this set-up can be taken back still.
    pub remaining: usize,
}

/// What [`undo`] would take back. Nothing is changed.
///
/// # Errors
/// As [`undo`].
pub fn preview_of_undo(machine: Machine<'_>) -> Result<Undone, ApplyError> {
    let store = Store::open_existing(machine)?;
    let (number, record) = store.last()?;
    steps_back(&store, number, &record)?;
    let remaining = store.count().saturating_sub(1);
    Ok(Undone { files: record.files.into_iter().map(|file| file.path).collect(), remaining })
}

fn steps_back<'r>(
    store: &Store<'_>,
    number: u32,
    record: &'r Record,
) -> Result<Vec<(&'r FileRecord, Step)>, ApplyError> {
    let mut steps = Vec::new();
    for (index, file) in record.files.iter().enumerate() {
        if let Some(step) = store.step_back(number, index, file)? {
            steps.push((file, step));
        }
    }
    Ok(steps)
}

/// Takes the last application of a set-up back: every file is what it was, to the byte.
///
/// # Errors
/// If there is none, or if a file was changed since: then none is touched.
pub fn undo(machine: Machine<'_>) -> Result<Undone, ApplyError> {
    let store = Store::open_existing(machine)?;
    let (number, record) = store.last()?;
    let steps = steps_back(&store, number, &record)?;
    for (done, (file, step)) in steps.iter().rev().enumerate() {
        if let Err(error) = replace(&file.path, &step.place, &step.current, &step.before, file.access()) {
            for (file, step) in steps.iter().rev().take(done).rev() {
                replace(&file.path, &step.place, &step.before, &step.current, step.access)?;
            }
            return Err(error);
        }
    }
    drop(steps);
    remove_folders(&record, machine);
    store.remove(number)?;
    store.hand_over(&record.folders)?;
    Ok(Undone { files: record.files.into_iter().map(|file| file.path).collect(), remaining: store.count() })
}

/// Folders that were made, if nobody has put anything else into them.
fn remove_folders(record: &Record, machine: Machine<'_>) {
    for folder in record.folders.iter().rev() {
        let _ = std::fs::remove_dir(below(machine.root, folder));
    }
}
