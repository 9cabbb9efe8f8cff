//! `cargo xtask test`: everything that the tests need, and then all of them.

mod children;
mod classes;
mod cloud_init;
mod deny;
mod engine;
mod needs;
mod python;
mod selection;
mod steps;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use self::children::Children;
use self::selection::Selection;
use self::steps::Steps;
use crate::musl::Musl;

/// The arguments of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these crates, named without the prefix `ecru-`.
    topics: Vec<String>,
    /// Install nothing; say what is missing.
    #[arg(long)]
    no_install: bool,
}

/// Runs the tests, and prints as its last line how many passed, failed and were skipped. A step that is no test, such
/// as the formatting check, counts when it fails, so that the line never looks better than the run was.
///
/// # Errors
/// Fails when nothing could be run at all.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let selection = Selection::of(&arguments.topics)?;
    let children = Children::new()?;
    needs::install_missing(&children, !arguments.no_install)?;
    let musl = Musl::find(!arguments.no_install)?;
    if let Some(obstacle) = &musl.obstacle {
        println!("test: going on with static glibc: {obstacle}");
    }

    let mut steps = Steps::new(children, selection, !arguments.no_install);
    steps.run(&musl);
    // The engine that was started for them ends here, before the last line.
    let tally = steps.finish();
    println!("test: {tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
