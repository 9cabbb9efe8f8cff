//! `cargo xtask bench`: how fast and how small our programs are, beside others.

mod check;
mod doctor;
mod emulated_aws;
mod emulator;
mod helper;
mod marks;
mod quartiles;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use cargo_metadata::MetadataCommand;
use clap::{Args, ValueEnum};

pub(crate) use self::emulated_aws::EmulatedAws;
use crate::{outside, workspace};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(value_enum, default_value_t = Topic::Helper)]
    topic: Topic,
    /// How often each program is run, or each transfer repeated: at least 200 (400 if not given) for the helper, at
    /// least 3 (9) for the emulator, at least 5 (9) for the check and the doctor.
    #[arg(long)]
    rounds: Option<u32>,
    /// Put the table into docs/HELPER.md, and the most telling rows into README.md; that of the emulator into
    /// docs/EMULATOR.md.
    #[arg(long)]
    write_readme: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// The credential helper, against the peer and against doing nothing.
    Helper,
    /// `ecru emulate`: signed requests on many connections, blobs against nginx, memory.
    Emulator,
    /// `ecru check`: a pipeline of 500 jobs, a merged file of 2 MB, against `skopeo inspect`.
    Check,
    /// `ecru doctor` on a healthy runner with five registries, and `ecru setup runner --dry-run`.
    Doctor,
}

/// Measures, and prints one Markdown table.
///
/// # Errors
/// Fails when our programs cannot be built or do not answer.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let rounds = |usual, fewest| {
        let rounds = arguments.rounds.unwrap_or(usual);
        ensure!(rounds >= fewest, "so few rounds say nothing: at least {fewest}");
        Ok(rounds)
    };
    match arguments.topic {
        Topic::Helper => helper::run(rounds(400, helper::FEWEST_ROUNDS)?, arguments.write_readme),
        Topic::Check => check::run(rounds(9, check::FEWEST_ROUNDS)?),
        Topic::Doctor => doctor::run(rounds(9, doctor::FEWEST_ROUNDS)?),
        Topic::Emulator => emulator::run(rounds(9, emulator::FEWEST_ROUNDS)?, arguments.write_readme),
    }
}

/// Programs of this workspace, each as `(package, binary)`, built with `profile` for `target`.
///
/// # Errors
/// Fails when one does not build.
pub(crate) fn built<const N: usize>(
    profile: &str,
    target: &str,
    programs: [(&str, &str); N],
) -> Result<[PathBuf; N]> {
    // One after the other: built together, one would get the features that only another needs.
    for (package, binary) in programs {
        let build = ["build", "--profile", profile, "--locked", "--target", target];
        let built = outside::cargo().args(build).args(["-p", package, "--bin", binary]).status()?;
        ensure!(built.success(), "`{binary}` does not build");
    }
    let manifest = workspace::root().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
    // "Build cache" of the Cargo book.
    let profile = if profile == "dev" { "debug" } else { profile };
    let folder = metadata.target_directory.into_std_path_buf().join(target).join(profile);
    Ok(programs.map(|(_, binary)| folder.join(binary)))
}
