//! The program that judges the dependencies by deny.toml.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::children::Children;
use crate::{outside, workspace};

/// The version that is built where none is installed; no distribution has a package of it.
const VERSION: &str = "0.20.2";

/// The path of cargo-deny: that of the machine, or one that is built once, below `target/`.
///
/// # Errors
/// Says why there is none.
pub(super) fn program(children: &Children, may_install: bool) -> Result<PathBuf> {
    if let Some(program) = outside::program("cargo-deny") {
        return Ok(program);
    }
    let folder = workspace::root().join("target/cargo-deny").join(VERSION);
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    ensure!(may_install, "`cargo-deny` is not installed: `cargo install cargo-deny --locked`");
    println!("test: building cargo-deny {VERSION}, once");
    let mut install = outside::cargo();
    // It runs for two seconds: optimising it would take longer than all of its runs.
    install
        .args(["install", "cargo-deny", "--locked", "--debug", "--version", VERSION, "--root"])
        .arg(&folder);
    // Outside the workspace, whose target and static C library are not for it.
    install.current_dir(std::env::temp_dir());
    ensure!(children.run(install, |_| ())? && program.is_file(), "cargo-deny could not be built");
    Ok(program)
}
