//! Whether programs can be built for musl, whose static files run on every Linux.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::outside;

/// For `timeout`(1), in seconds.
const RUSTUP_DEADLINE: &str = "120";

/// The target for a kind of machine, and what keeps it from being used.
#[derive(Debug)]
pub(crate) struct Musl {
    /// Such as `x86_64-unknown-linux-musl`.
    pub(crate) target: String,
    /// The C compiler for it, if there is one. Code of `ring` is in C and assembly.
    pub(crate) c_compiler: Option<String>,
    /// What is missing, if something is.
    pub(crate) obstacle: Option<String>,
}

impl Musl {
    /// Looks whether the target for this machine and its C compiler are installed; with `may_add`, asks rustup for
    /// the target first.
    ///
    /// # Errors
    /// Fails when there is no `rustc`.
    pub(crate) fn find(may_add: bool) -> Result<Self> {
        Self::of(&this_machine()?, may_add)
    }

    /// The same for a kind of machine, such as `aarch64`.
    ///
    /// # Errors
    /// Fails when there is no `rustc`.
    pub(crate) fn of(machine: &str, may_add: bool) -> Result<Self> {
        let target = format!("{machine}-unknown-linux-musl");
        if !has_target(&target)? && may_add && outside::program("rustup").is_some() {
            println!("musl: adding the target {target} with rustup");
            // It may fail for want of a network; what counts is whether the target is there afterwards.
            let add = [RUSTUP_DEADLINE, "rustup", "target", "add", &target];
            let _ = outside::command("timeout").args(add).status();
        }
        let names = c_compilers(machine, machine == this_machine()?);
        let c_compiler = names.iter().find(|name| outside::program(name).is_some()).cloned();
        let obstacle = if !has_target(&target)? {
            Some(format!("the Rust target {target} is not installed"))
        } else if c_compiler.is_none() {
            Some(format!("neither of the C compilers {} is installed", names.join(" and ")))
        } else {
            None
        };
        Ok(Self { target, c_compiler, obstacle })
    }
}

/// The kind of this machine, such as `x86_64`.
///
/// # Errors
/// Fails when there is no `rustc`.
pub(crate) fn this_machine() -> Result<String> {
    Ok(crate::workspace::host_triple()?.split('-').next().unwrap_or_default().to_owned())
}

/// The wrapper of Debian's `musl-tools` is for the machine itself only. For another one, Debian's cross compilers
/// have glibc's headers: good enough for code that calls no C library.
fn c_compilers(machine: &str, is_this_machine: bool) -> [String; 2] {
    let cross = format!("{machine}-linux-musl-gcc");
    let debian = if is_this_machine { "musl-gcc".to_owned() } else { format!("{machine}-linux-gnu-gcc") };
    [debian, cross]
}

fn has_target(target: &str) -> Result<bool> {
    let output =
        outside::command("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("the path of Rust is not UTF-8")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_target_is_an_obstacle() {
        let musl = Musl::of("pdp11", false).unwrap();
        assert_eq!(musl.target, "pdp11-unknown-linux-musl");
        assert!(musl.obstacle.unwrap().contains("pdp11-unknown-linux-musl"));
    }

    #[test]
    fn another_machine_needs_a_compiler_of_its_own() {
        assert_eq!(c_compilers("aarch64", false), ["aarch64-linux-gnu-gcc", "aarch64-linux-musl-gcc"]);
        assert_eq!(c_compilers("aarch64", true)[0], "musl-gcc");
    }
}
