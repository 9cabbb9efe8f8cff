//! Whether programs can be built for musl, whose static files run on every Linux.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::outside;

/// The target for this machine, and what keeps it from being used.
#[derive(Debug)]
pub(crate) struct Musl {
    /// Such as `x86_64-unknown-linux-musl`.
    pub(crate) target: String,
    /// What is missing, if something is.
    pub(crate) obstacle: Option<String>,
}

impl Musl {
    /// Looks whether the target and its C compiler are installed; with `may_add`, asks rustup for the target first.
    pub(crate) fn find(may_add: bool) -> Result<Self> {
        let host = crate::workspace::host_triple()?;
        let machine = host.split('-').next().unwrap_or_default();
        let target = format!("{machine}-unknown-linux-musl");
        if !has_target(&target)? && may_add && outside::program("rustup").is_some() {
            println!("musl: adding the target {target} with rustup");
            // It may fail for want of a network; what counts is whether the target is there afterwards.
            let _ = outside::command("timeout").args(["120", "rustup", "target", "add", &target]).status();
        }
        let obstacle = if !has_target(&target)? {
            Some(format!("the Rust target {target} is not installed"))
        } else if outside::program("musl-gcc").is_none() {
            Some("`musl-gcc` is not installed".to_owned())
        } else {
            None
        };
        Ok(Self { target, obstacle })
    }
}

fn has_target(target: &str) -> Result<bool> {
    let output =
        outside::command("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("the path of Rust is not UTF-8")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir())
}
