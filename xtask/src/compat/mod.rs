//! `cargo xtask compat`: one suite of cases for our credential helper and for the one whose place it takes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::test_output::{self, Outcome};
use crate::{pages, peer};

/// The arguments of `cargo xtask compat`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run the suite on the other helper, too: `ECRU_PEER`, or the one that Debian has.
    #[arg(long)]
    peer: bool,
    /// Run the suite on this build of our helper, such as one that `cargo xtask dist` has made.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the table of differences into docs/COMPATIBILITY.md.
    #[arg(long)]
    write_docs: bool,
}

/// Runs the suite, and prints as its last line how many cases come to the same.
///
/// # Errors
/// Fails when the suite does not build, or there is no peer where one is asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut environment: Vec<(&str, OsString)> = Vec::new();
    if arguments.peer {
        let program = peer::program()?;
        println!("compat: the peer is {} of version {}", program.display(), peer::version(&program)?);
        environment.push(("ECRU_PEER", program.into()));
    }
    if let Some(program) = &arguments.program {
        let program = program.canonicalize().with_context(|| format!("no {}", program.display()))?;
        environment.push(("ECRU_TEST_PROGRAM", program.into()));
    }
    if arguments.write_docs {
        environment.push((pages::WRITE, "1".into()));
    }
    let tests = test_output::of_targets(&["peer_compat"], arguments.peer, environment)?;
    let mut figures = Vec::new();
    let mut all_hold = true;
    for test in &tests {
        let (figure, words): (Vec<_>, Vec<_>) =
            test.lines.iter().filter(|line| !line.is_empty()).partition(|line| line.starts_with("compat: "));
        figures.extend(figure);
        if test.outcome == Outcome::Failed {
            all_hold = false;
            println!("failed: {}", test.name);
            words.iter().for_each(|line| println!("  {line}"));
        }
    }
    // The figure of both programs follows that of ours alone.
    figures.sort_by_key(|figure| figure.contains("unexplained"));
    if figures.is_empty() {
        println!("compat: the cases do not hold");
    }
    figures.iter().for_each(|figure| println!("{figure}"));
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
