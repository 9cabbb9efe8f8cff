//! Which file a container gets as `docker-credential-ecr-login`: it must run in any image, so it must be static.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use object::read::elf::ProgramHeader as _;

/// The name under which Docker and GitLab Runner look for the helper.
pub(crate) const HELPER_NAME: &str = "docker-credential-ecr-login";

/// Programs are read no further than this to find their interpreter: headers stand at the start.
const HEADER_BYTES: u64 = 64 * 1024;

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

/// The slim helper beside `ecru` where it is installed, else `ecru` itself, which is the helper when it is called by
/// that name.
pub(crate) fn static_helper() -> Result<PathBuf, HelperProgramError> {
    let program = std::env::current_exe().map_err(HelperProgramError::UnknownProgram)?;
    let beside = program.with_file_name(HELPER_NAME);
    [beside, program.clone()]
        .into_iter()
        .find(|file| is_static_program(file).unwrap_or(false))
        .ok_or(HelperProgramError::NotStatic(program))
}

/// Whether `file` is an ELF program that asks for no interpreter (ELF specification, `PT_INTERP`).
pub(crate) fn is_static_program(file: &Path) -> io::Result<bool> {
    use io::Read as _;
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
    fn debian_s_own_shell_is_not_static() {
        assert!(!is_static_program(Path::new("/bin/bash")).unwrap_or(false));
    }
}
