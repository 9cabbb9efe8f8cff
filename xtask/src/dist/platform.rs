//! Where programs shall run, and what building for there needs.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::warm;
use crate::musl::{self, Musl};
use crate::{outside, workspace};

/// The kinds of machines that the shipped programs are for.
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];
/// The linker that comes with Rust. It links for every machine, and packs relative relocations on all of them;
/// Debian's binutils learnt that for aarch64 in 2.44.
const LINKER: &str = "rust-lld";

/// A platform for which everything that is needed is there.
#[derive(Debug)]
pub(crate) struct Platform {
    /// Such as `x86_64-unknown-linux-musl`.
    pub(crate) target: String,
    /// For musl: its C compiler.
    c_compiler: Option<String>,
}

impl Platform {
    /// This machine's: musl, or glibc where that cannot be had; the reason is printed.
    ///
    /// # Errors
    /// Fails when there is no `rustc`.
    pub(crate) fn of_this_machine(may_add: bool) -> Result<Self> {
        let musl = Musl::find(may_add)?;
        match musl.obstacle {
            None => Ok(Self { target: musl.target, c_compiler: musl.c_compiler }),
            Some(obstacle) => {
                println!("dist: built with static glibc: {obstacle}");
                Ok(Self { target: workspace::host_triple()?, c_compiler: None })
            }
        }
    }

    /// The one that Rust calls `target`.
    ///
    /// # Errors
    /// Says what is missing.
    pub(crate) fn of(target: &str) -> Result<Self> {
        if target == workspace::host_triple()? {
            return Ok(Self { target: target.to_owned(), c_compiler: None });
        }
        match target.strip_suffix("-unknown-linux-musl") {
            Some(machine) => Self::foreign(machine),
            None => bail!("programs are built for Linux with musl, and for this machine"),
        }
    }

    /// The other machines' platforms, each with what keeps it from being built for.
    ///
    /// # Errors
    /// Fails when there is no `rustc`.
    pub(crate) fn others() -> Result<Vec<(String, Result<Self>)>> {
        let this = musl::this_machine()?;
        let others = MACHINES.into_iter().filter(|machine| *machine != this);
        Ok(others.map(|machine| (machine.to_owned(), Self::foreign(machine))).collect())
    }

    fn foreign(machine: &str) -> Result<Self> {
        let musl = Musl::of(machine, true)?;
        match musl.obstacle {
            None => Ok(Self { target: musl.target, c_compiler: musl.c_compiler }),
            Some(obstacle) => bail!(obstacle),
        }
    }

    /// A command of cargo for this platform, such as `rustc`, with the settings of what is shipped, and more flags of
    /// the compiler for all crates.
    ///
    /// # Errors
    /// Fails when it is not known where cargo keeps the sources of crates.
    pub(super) fn cargo(&self, command: &str, more_flags: &[&str]) -> Result<Command> {
        let mut cargo = outside::cargo();
        let mut flags = flags()?;
        flags.extend(more_flags.iter().map(ToString::to_string));
        let flags = format!("target.{}.rustflags={flags:?}", self.target);
        cargo.args([command, "--locked", "--target", &self.target, "--config", &flags]);
        // They would take the place of ours.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
            cargo.env_remove(name);
        }
        if let Some(compiler) = &self.c_compiler {
            let name = self.target.replace('-', "_");
            cargo.env(format!("CC_{name}"), compiler);
            cargo.env(format!("AR_{name}"), archiver(compiler));
            cargo.env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), LINKER);
        }
        Ok(cargo)
    }

    /// What the linker is told besides. Each of the thousands of addresses in tables of functions takes 24 bytes in a
    /// program that can be loaded anywhere, or, packed, two bits; musl applies them at its start. What is never unwound
    /// needs no tables for it, and what is needed together shall lie together.
    ///
    /// # Errors
    /// Fails when the linker's script cannot be written.
    pub(super) fn link_arguments(&self) -> Result<Vec<String>> {
        if self.c_compiler.is_none() {
            return Ok(Vec::new());
        }
        let script = warm::linker_script()?;
        let arguments = [
            "-zpack-relative-relocs".to_owned(),
            "--no-eh-frame-hdr".to_owned(),
            format!("-T{}", script.display()),
        ];
        Ok(arguments.map(|argument| format!("-Clink-arg={argument}")).to_vec())
    }
}

/// `aarch64-linux-gnu-gcc` has `aarch64-linux-gnu-ar` beside it; `musl-gcc` uses the machine's own.
fn archiver(compiler: &str) -> String {
    compiler.strip_suffix("-gcc").filter(|it| *it != "musl").map_or("ar".to_owned(), |it| format!("{it}-ar"))
}

/// A program that aborts when it panics is never unwound, so that the tables for it, half a megabyte, are of no use.
/// They cannot be left out of tests, which unwind. And no folder of the machine that builds is named in what it builds.
fn flags() -> Result<Vec<String>> {
    let home = || Some(std::path::PathBuf::from(outside::variable("HOME")?).join(".cargo"));
    let cargo = outside::variable("CARGO_HOME").map(Into::into).or_else(home);
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set")?;
    Ok(vec![
        "-Cforce-unwind-tables=no".to_owned(),
        format!("--remap-path-prefix={}=/cargo", cargo.display()),
        format!("--remap-path-prefix={}=/ecru", workspace::root().display()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_systems_are_refused() {
        let error = Platform::of("x86_64-pc-windows-msvc").unwrap_err();
        assert!(error.to_string().contains("Linux"), "{error}");
    }

    #[test]
    fn the_archiver_is_the_compilers_own() {
        assert_eq!(archiver("aarch64-linux-gnu-gcc"), "aarch64-linux-gnu-ar");
        assert_eq!(archiver("musl-gcc"), "ar");
    }

    #[test]
    fn only_musl_gets_another_linker() {
        let platform = |compiler: Option<&str>| Platform {
            target: "aarch64-unknown-linux-musl".to_owned(),
            c_compiler: compiler.map(str::to_owned),
        };
        let linker = |platform: Platform| {
            let cargo = platform.cargo("rustc", &[]).unwrap();
            let mut set =
                cargo.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
            set.find(|(name, _)| *name == "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER")
                .map(|it| it.1 == LINKER)
        };
        assert_eq!(linker(platform(Some("aarch64-linux-gnu-gcc"))), Some(true));
        assert_eq!(linker(platform(None)), None);
    }
}
