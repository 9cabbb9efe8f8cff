//! The seeds that the repository keeps, each run once: what a fuzzer found stays found, and any compiler will do.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::outside;

/// Runs each target with its named seeds, and prints the sum last.
///
/// # Errors
/// Fails when the targets do not build; libFuzzer wants a C++ compiler for that.
pub(super) fn run(folder: &Path, targets: &[String]) -> Result<ExitCode> {
    let programs = build(folder, targets)?;
    let (mut sum, mut failed) = (0, 0);
    for (target, program) in targets.iter().zip(&programs) {
        let seeds = named_seeds(&folder.join("corpus").join(target))?;
        ensure!(!seeds.is_empty(), "the target `{target}` has no seeds");
        sum += seeds.len();
        let output = outside::command(program).args(&seeds).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            failed += 1;
            println!("{target}: FAILED\n{}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    println!("fuzz: {sum} seeds of {} targets replayed, {failed} findings", targets.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the targets without a sanitizer, and returns their programs.
fn build(folder: &Path, targets: &[String]) -> Result<Vec<PathBuf>> {
    let mut cargo = outside::cargo();
    cargo.args(["build", "--quiet", "--bins"]).current_dir(folder);
    // The flags of the workspace make static programs; libFuzzer's C++ library need not be there as a static one.
    cargo.env("RUSTFLAGS", "--cfg fuzzing").env_remove("CARGO_TARGET_DIR");
    let built = cargo.stdin(Stdio::null()).status().context("cannot run cargo")?;
    ensure!(built.success(), "the targets do not build");
    let debug = folder.join("target").join(crate::workspace::host_triple()?).join("debug");
    Ok(targets.iter().map(|target| debug.join(target)).collect())
}

/// The seeds with a name and an ending; what libFuzzer adds has neither.
fn named_seeds(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("no corpus {}", folder.display()))?;
    let mut seeds: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some()))
        .collect::<std::io::Result<_>>()?;
    seeds.sort();
    Ok(seeds)
}
