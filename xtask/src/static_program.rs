//! Whether a program needs no loader, and so runs in a container without libraries.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use object::FileKind;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Whether the file is a 64-bit ELF program of whatever machine, and names no loader.
pub(crate) fn is_static(program: &Path) -> bool {
    names_interpreter(program).is_ok_and(|names| !names)
}

fn names_interpreter(program: &Path) -> Result<bool> {
    /// The headers are at the beginning of every file that a linker makes.
    const HEADERS: u64 = 64 * 1024;
    let mut start = Vec::new();
    File::open(program)?.take(HEADERS).read_to_end(&mut start)?;
    ensure!(FileKind::parse(&*start)? == FileKind::Elf64, "not a 64-bit ELF file");
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*start)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, &*start).context("no program headers")?;
    Ok(segments.iter().any(|segment| segment.p_type(endian) == object::elf::PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_a_static_program() {
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(!is_static(script.path()));
        assert!(!is_static(Path::new("/nonexistent")));
    }

    #[test]
    fn linked_programs_are_told_from_static_ones() {
        // Debian links its shell, and this workspace links its own programs statically.
        assert!(!is_static(Path::new("/bin/sh")));
        assert!(is_static(&std::env::current_exe().unwrap()));
    }
}
