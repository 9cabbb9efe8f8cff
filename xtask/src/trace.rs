//! Whether system calls can be traced here.

use std::process::Stdio;

use crate::outside;

/// Why `strace` cannot make system calls fail here, if it cannot: it may be missing, and a container may refuse it
/// ptrace(2).
pub(crate) fn obstacle() -> Option<String> {
    if outside::program("strace").is_none() {
        return Some("`strace` is not installed; Debian has it in strace".to_owned());
    }
    let try_out = outside::command("strace")
        .args(["--quiet=all", "--output=/dev/null", "--inject=fsync:error=EIO", "true"])
        .stdin(Stdio::null())
        .output();
    match try_out {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("cannot run `strace`: {error}")),
    }
}
