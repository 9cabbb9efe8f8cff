//! The helper, on the PATH of the service.
//!
//! It is a copy, owned by root, and not a link: a link would let whoever owns the folder of ecru decide what the
//! service runs, and break when that folder is private.

use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile32, ElfFile64};
use object::{Architecture, Object as _};

use super::Request;
use crate::files::read_limited;
use crate::plan::{Change, Content, Creation};
use crate::service::{Service, below};

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
    NoFolder,
}

impl ProgramError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFolder => Some("mkdir -p -m 0755 /usr/local/bin, as root".to_owned()),
            Self::Unreadable { .. } | Self::Architecture { .. } => None,
        }
    }
}

pub(super) fn change(service: &Service, request: &Request<'_>) -> Result<Change, ProgramError> {
    let path = folder(&service.path, request.root).ok_or(ProgramError::NoFolder)?.join(HELPER);
    change_at(path, request.program, request.root)
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
    let before =
        read_limited(&below(root, &path), MAX_BYTES).map_err(|error| unreadable(&path, error.to_string()))?;
    let creation = Creation { owner: None, mode: 0o755, folder_mode: 0o755 };
    Ok(Change { path, before, after, creation, content: Content::Program })
}

/// The folder for the helper: none behind one that has a helper already, because the service takes the first.
fn folder(path: &[PathBuf], root: &Path) -> Option<PathBuf> {
    let has_helper = |folder: &PathBuf| below(root, &folder.join(HELPER)).exists();
    let limit = path.iter().position(has_helper).map_or(path.len(), |found| found + 1);
    let fit: Vec<&PathBuf> = path[..limit].iter().filter(|folder| is_safe(&below(root, folder))).collect();
    let preferred =
        PREFERRED.iter().find_map(|preferred| fit.iter().find(|folder| **folder == Path::new(preferred)));
    preferred.or(fit.first()).map(|folder| (*folder).clone())
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
