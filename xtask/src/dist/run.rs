//! Whether a program that was built really runs: here, or by an emulator of the other kind of machine's processor.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{musl, outside};

/// What runs programs for a kind of machine here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runner {
    /// This machine.
    Itself,
    /// QEMU's user mode (Debian's `qemu-user-static`, `qemu-user`).
    Qemu(PathBuf),
    /// Nothing that is installed.
    Nothing,
}

impl Runner {
    /// The one for programs of `target`, such as `aarch64-unknown-linux-musl`.
    ///
    /// # Errors
    /// Fails when there is no `rustc`.
    pub(super) fn of(target: &str) -> Result<Self> {
        let machine = target.split('-').next().unwrap_or_default();
        if machine == musl::this_machine()? {
            return Ok(Self::Itself);
        }
        let names = [format!("qemu-{machine}-static"), format!("qemu-{machine}")];
        Ok(names.iter().find_map(|name| outside::program(name)).map_or(Self::Nothing, Self::Qemu))
    }

    /// Makes sure that the program at `file` says that it is `name`, where something can run it.
    ///
    /// # Errors
    /// Fails when it cannot be run, or says something else.
    pub(super) fn ensure_runs(&self, name: &str, file: &Path) -> Result<()> {
        let mut command = match self {
            Self::Itself => outside::command(file),
            Self::Qemu(qemu) => with_argument(outside::command(qemu), file),
            Self::Nothing => return Ok(()),
        };
        let output = command.arg("--version").stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("`{name}` cannot be run"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && said.starts_with(&format!("{name} ")),
            "`{name} --version` ends with {} and says: {said}",
            output.status
        );
        Ok(())
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("here"),
            Self::Qemu(program) => {
                let name = program.file_name().unwrap_or_default();
                write!(f, "by {}", name.to_string_lossy())
            }
            Self::Nothing => f.write_str("not tried: no QEMU"),
        }
    }
}

fn with_argument(mut command: Command, argument: &Path) -> Command {
    command.arg(argument);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_needs_no_emulator_and_an_old_one_has_none() {
        let here = format!("{}-unknown-linux-musl", musl::this_machine().unwrap());
        assert_eq!(Runner::of(&here).unwrap(), Runner::Itself);
        assert_eq!(Runner::of("pdp11-unknown-linux-musl").unwrap(), Runner::Nothing);
    }

    #[test]
    fn a_program_that_says_something_else_is_refused() {
        let error =
            Runner::Itself.ensure_runs("docker-credential-ecr-login", Path::new("/bin/echo")).unwrap_err();
        assert!(error.to_string().contains("says: "), "{error}");
        assert!(Runner::Itself.ensure_runs("x", Path::new("/nonexistent")).is_err());
        assert!(Runner::Nothing.ensure_runs("x", Path::new("/nonexistent")).is_ok());
    }
}
