//! Developer commands: `cargo xtask edges`, `test`, `bench`, `compat`, `dist`, `faults`, `fuzz`, `gen`.
#![expect(clippy::print_stdout, reason = "a developer command speaks on its standard output")]

mod bench;
mod compat;
mod dist;
mod edges;
mod faults;
mod fuzz;
mod http;
mod musl;
mod outside;
mod pages;
mod peer;
mod process_group;
mod static_program;
mod test;
mod test_output;
mod trace;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Developer commands of ecru.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Check that no crate uses another unless the table allows it.
    Edges,
    /// Install what the tests need where that is allowed, and run them all.
    Test(test::Arguments),
    /// Measure the credential helper or the emulator, and print a table.
    Bench(bench::Arguments),
    /// Run the cases of the credential helper, on the one whose place it takes as well.
    Compat(compat::Arguments),
    /// Make everything go wrong around a program, and print what holds.
    Faults(faults::Arguments),
    /// Run the libFuzzer targets.
    Fuzz(fuzz::Arguments),
    /// Write the parts of pages that come from the code, or check that none is stale.
    Gen(pages::Arguments),
    /// Build the programs as they are shipped, and check that they are static and small.
    Dist(dist::Arguments),
}

fn main() -> Result<ExitCode> {
    match Command::parse() {
        Command::Edges => edges::run().map(|()| ExitCode::SUCCESS),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Compat(arguments) => compat::run(&arguments),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Gen(arguments) => pages::run(&arguments),
        Command::Dist(arguments) => dist::run(&arguments).map(|()| ExitCode::SUCCESS),
    }
}
