//! Finding a helper's program on PATH.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::InvokeError;
use crate::credential_helper::message::PROGRAM_PREFIX;

/// The program that a suffix names, searched as Go's `exec.LookPath` does: the first executable file on PATH wins,
/// and one that was found through a relative directory is an error.
///
/// # Errors
/// If the suffix is no suffix, or PATH holds no such program that could be run.
pub(super) fn helper_program(suffix: &str, path: &OsStr) -> Result<PathBuf, InvokeError> {
    // GitLab Runner v19.3.0, helpers/docker/auth/auth.go: a suffix must be its own base name, and not empty.
    if suffix.is_empty() || suffix.contains(['/', '\0']) {
        return Err(InvokeError::PathInSuffix { suffix: suffix.to_owned() });
    }
    let name = format!("{PROGRAM_PREFIX}{suffix}");
    let mut not_executable = None;
    for directory in std::env::split_paths(path) {
        let program = match directory.as_os_str().is_empty() {
            true => Path::new(".").join(&name),
            false => directory.join(&name),
        };
        match is_executable(&program) {
            Some(true) if program.is_absolute() => return Ok(program),
            Some(true) => return Err(InvokeError::RelativePath { program }),
            Some(false) => not_executable = not_executable.or(Some(program)),
            None => {}
        }
    }
    Err(match not_executable {
        Some(program) => InvokeError::NotExecutable { program },
        None => InvokeError::NotOnPath { program: name, path: path.to_owned() },
    })
}

/// Whether this process may execute the file; `None` if there is none.
fn is_executable(path: &Path) -> Option<bool> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let is_marked = metadata.permissions().mode() & 0o111 != 0;
    Some(is_marked && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
}
