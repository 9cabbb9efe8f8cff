//! The helper, on the PATH of the service.
//!
//! It is a copy, owned by root, and not a link: a link would let whoever owns the folder of ecru decide what the
//! service runs, and break when that folder is private. A link that is there already is replaced, never written through:
//! what it leads to is ecru itself, or a package's.

use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile32, ElfFile64};
use object::{Architecture, Object as _};

use super::Request;
use crate::files::{below_itself, read_limited};
use crate::plan::{Change, Content, Creation};
use crate::service::{Service, below};
use crate::shell::shell_word;

/// The program that Docker's files name as `ecr-login`.
pub const HELPER: &str = "docker-credential-ecr-login";

/// The longest program.
const MAX_BYTES: usize = 512 * 1024 * 1024;

/// Where administrators put programs (hier(7)); a package manager may replace files elsewhere.
const PREFERRED: [&str; 2] = ["/usr/local/bin", "/usr/local/sbin"];

/// Why the helper cannot be put where the service finds it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program cannot be read.
    #[error("cannot read the program `{}`: {reason}", path.display())]
    Unreadable {
        /// The program.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// It is no program of this machine.
    #[error("`{}` is no program for {wanted}", path.display())]
    Architecture {
        /// The program.
        path: PathBuf,
        /// The machine's architecture.
        wanted: &'static str,
    },
    /// No folder of the service's PATH is fit.
    #[error("no folder of the service's PATH exists and can be written by its owner only")]
    NoFolder {
        /// The command that makes one.
        command: String,
    },
}

impl ProgramError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFolder { command } => Some(command.clone()),
            Self::Unreadable { .. } | Self::Architecture { .. } => None,
        }
    }
}

pub(super) fn change(service: &Service, request: &Request<'_>) -> Result<Change, ProgramError> {
    let folder = folder(&service.path, request.root)
        .ok_or_else(|| ProgramError::NoFolder { command: making_fit(&service.path, request.root) })?;
    change_at(folder.join(HELPER), request.program, request.root)
}

/// The change that puts `program` at the absolute `path` of the machine below `root`.
pub(crate) fn change_at(path: PathBuf, program: &Path, root: &Path) -> Result<Change, ProgramError> {
    let unreadable = |path: &Path, reason: String| ProgramError::Unreadable { path: path.to_owned(), reason };
    let after = read_limited(program, MAX_BYTES)
        .map_err(|error| unreadable(program, error.to_string()))?
        .ok_or_else(|| unreadable(program, "it does not exist".to_owned()))?;
    if !is_for_this_machine(&after) {
        let wanted = std::env::consts::ARCH;
        return Err(ProgramError::Architecture { path: program.to_owned(), wanted });
    }
    let place = below_itself(root, &path);
    let link = std::fs::read_link(&place).ok();
    let before = match &link {
        Some(_) => None,
        None => read_limited(&place, MAX_BYTES).map_err(|error| unreadable(&path, error.to_string()))?,
    };
    let creation = Creation { owner: None, mode: 0o755, folder_mode: 0o755 };
    Ok(Change { path, before, link, after, creation, content: Content::Program })
}

/// The folder for the helper.
fn folder(path: &[PathBuf], root: &Path) -> Option<PathBuf> {
    let fit: Vec<PathBuf> =
        candidates(path, root).iter().filter(|folder| is_safe(&below(root, folder))).cloned().collect();
    preferred(&fit).cloned()
}

/// The folders that count: none behind one that has a helper already, because the service takes the first.
fn candidates<'p>(path: &'p [PathBuf], root: &Path) -> &'p [PathBuf] {
    let has_helper = |folder: &PathBuf| below(root, &folder.join(HELPER)).exists();
    &path[..path.iter().position(has_helper).map_or(path.len(), |found| found + 1)]
}

fn preferred(folders: &[PathBuf]) -> Option<&PathBuf> {
    PREFERRED
        .iter()
        .find_map(|name| folders.iter().find(|folder| *folder == Path::new(name)))
        .or(folders.first())
}

/// The command that makes one of the folders fit.
fn making_fit(path: &[PathBuf], root: &Path) -> String {
    let folder = preferred(candidates(path, root)).map(|folder| below(root, folder)).unwrap_or_default();
    let (exists, folder) = (folder.exists(), shell_word(&folder.display().to_string()));
    if exists {
        return format!("chown root: {folder} && chmod go-w {folder}");
    }
    format!("mkdir -p -m 0755 {folder}")
}

fn is_safe(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    folder.metadata().is_ok_and(|metadata| {
        let me = rustix::process::geteuid().as_raw();
        metadata.is_dir() && [0, me].contains(&metadata.uid()) && metadata.mode() & 0o022 == 0
    })
}

fn is_for_this_machine(content: &[u8]) -> bool {
    let architecture = ElfFile64::<object::Endianness>::parse(content)
        .map(|file| file.architecture())
        .or_else(|_| ElfFile32::<object::Endianness>::parse(content).map(|file| file.architecture()));
    let wanted = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "arm" => Architecture::Arm,
        "x86" => Architecture::I386,
        _ => return architecture.is_ok(),
    };
    architecture.is_ok_and(|architecture| architecture == wanted)
}
