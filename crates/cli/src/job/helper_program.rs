//! Which file a runner or a container gets as `docker-credential-ecr-login`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ecru_helper::SIGNATURE;
use memchr::memmem;
use object::read::elf::ProgramHeader as _;

/// The name under which Docker and GitLab Runner look for the helper.
pub(crate) const HELPER_NAME: &str = "docker-credential-ecr-login";

/// Programs are read no further than this to find their interpreter: headers stand at the start.
const HEADER_BYTES: u64 = 64 * 1024;

/// How much of a program is searched for its signature: several times what the helper has in it, without what debuggers
/// read, which stands at the end.
const SEARCHED_BYTES: u64 = 64 * 1024 * 1024;

/// Why there is no helper to give to a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelperProgramError {
    /// This program's own file is unknown.
    #[error("cannot tell which file this program is: {0}")]
    UnknownProgram(io::Error),
    /// Neither the helper beside this program nor this program is static.
    #[error("{} is linked dynamically and would not run in every job image", .0.display())]
    NotStatic(PathBuf),
}

/// The helper that belongs to this program.
#[derive(Debug)]
pub(crate) struct OwnHelper {
    /// Its file.
    pub(crate) file: PathBuf,
    /// What has its name and place, and is another program: one of a former version, or amazon-ecr-credential-helper.
    pub(crate) passed_over: Option<PathBuf>,
}

/// The slim helper beside `ecru` where it is installed, else `ecru` itself, which is the helper when it is called by
/// that name.
///
/// # Errors
/// [`HelperProgramError::UnknownProgram`].
pub(crate) fn own_helper() -> Result<OwnHelper, HelperProgramError> {
    let this = std::env::current_exe().map_err(HelperProgramError::UnknownProgram)?;
    let beside = this.with_file_name(HELPER_NAME);
    Ok(if !beside.is_file() {
        OwnHelper { file: this, passed_over: None }
    } else if has_signature(&beside) {
        OwnHelper { file: beside, passed_over: None }
    } else {
        OwnHelper { file: this, passed_over: Some(beside) }
    })
}

/// The same for containers: it must run in any image, so it must be static.
///
/// # Errors
/// [`HelperProgramError`].
pub(crate) fn static_helper() -> Result<PathBuf, HelperProgramError> {
    let this = std::env::current_exe().map_err(HelperProgramError::UnknownProgram)?;
    [own_helper()?.file, this.clone()]
        .into_iter()
        .find(|file| is_static_program(file).unwrap_or(false))
        .ok_or(HelperProgramError::NotStatic(this))
}

/// Whether `file` is the helper of this version. What cannot be read is not.
fn has_signature(file: &Path) -> bool {
    let mut content = Vec::new();
    let read = File::open(file).and_then(|file| file.take(SEARCHED_BYTES).read_to_end(&mut content));
    read.is_ok() && memmem::find(&content, SIGNATURE.as_bytes()).is_some()
}

/// Whether `file` is an ELF program that asks for no interpreter (ELF specification, `PT_INTERP`).
pub(crate) fn is_static_program(file: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(file)?.take(HEADER_BYTES).read_to_end(&mut start)?;
    Ok(asks_for_interpreter(&start).is_some_and(|asks| !asks))
}

/// Whether the ELF file that begins with `start` names an interpreter; nothing if it is no such file.
fn asks_for_interpreter(start: &[u8]) -> Option<bool> {
    use object::elf::{FileHeader64, PT_INTERP};
    use object::read::elf::FileHeader as _;
    let header = FileHeader64::<object::Endianness>::parse(start).ok()?;
    let endian = header.endian().ok()?;
    let programs = header.program_headers(endian, start).ok()?;
    Some(programs.iter().any(|program| program.p_type(endian) == PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_script_is_no_static_program() {
        assert_eq!(asks_for_interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(asks_for_interpreter(b""), None);
        assert_eq!(asks_for_interpreter(b"\x7fELF"), None);
    }

    #[test]
    fn the_test_program_itself_is_static_as_cargo_config_asks() {
        let program = std::env::current_exe().unwrap();
        assert!(is_static_program(&program).unwrap());
    }

    #[test]
    fn another_program_has_no_signature() {
        assert!(!has_signature(Path::new("/bin/bash")) && !has_signature(Path::new("/nonexistent")));
    }

    #[test]
    fn debian_s_own_shell_is_not_static() {
        assert!(!is_static_program(Path::new("/bin/bash")).unwrap_or(false));
    }
}
