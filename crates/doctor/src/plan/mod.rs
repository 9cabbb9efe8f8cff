//! A plan: files, what they hold, and what they shall hold.

mod diff;

use std::path::PathBuf;

/// The files that a set-up changes, in the order in which they are changed.
#[derive(Debug, Default)]
pub struct Plan {
    /// The changes. A file that is right already is none of them.
    pub changes: Vec<Change>,
}

/// A file that is to hold something else.
pub struct Change {
    /// The file, as an absolute path of the machine.
    pub path: PathBuf,
    /// What it holds; `None` if there is no such file, or a link that is replaced.
    pub before: Option<Vec<u8>>,
    /// Where the link leads that stands in the place of a program. It is replaced itself, and what it leads to is left
    /// alone: that belongs to a package, or is ecru. Links to other files are followed.
    pub link: Option<PathBuf>,
    /// What it shall hold.
    pub after: Vec<u8>,
    /// How a file is made that is not there yet.
    pub creation: Creation,
    /// What kind of file it is, which decides what of it may be seen.
    pub content: Content,
}

/// Owner and modes of a new file and of the folders that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creation {
    /// The owner, by number; the folder's own if none is given.
    pub owner: Option<u32>,
    /// The mode of the file.
    pub mode: u32,
    /// The mode of its folders.
    pub folder_mode: u32,
}

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Docker's `config.json`.
    DockerConfig,
    /// The runner's `config.toml`.
    RunnerConfig,
    /// A drop-in of systemd that sets these variables, which are no secrets.
    DropIn(Vec<(String, String)>),
    /// ecru's own configuration.
    EcruConfig,
    /// A text that ecru writes whole, and that has no secret: a script, a unit of systemd.
    WrittenByEcru,
    /// A program.
    Program,
}

/// Contents are secrets.
impl std::fmt::Debug for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Change")
            .field("path", &self.path)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Adds a change, unless the file holds what it shall hold.
    pub fn push(&mut self, change: Change) {
        if change.before.as_ref() != Some(&change.after) {
            self.changes.push(change);
        }
    }

    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// All changes as one unified diff, in which masks stand for what may be secret.
    #[must_use]
    pub fn diff(&self) -> String {
        self.changes.iter().map(Change::diff).collect()
    }
}
