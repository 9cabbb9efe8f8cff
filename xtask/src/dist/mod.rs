//! `cargo xtask dist`: the programs as they are shipped, and whether they are what is said of them.

mod platform;
mod program;
mod run;
mod warm;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

pub(crate) use self::platform::Platform;
use self::program::{Checked, Program};
pub(crate) use self::program::{ECRU, HELPER, METER};
use self::run::Runner;

/// The arguments of `cargo xtask dist`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Build for this platform only, such as `aarch64-unknown-linux-musl`; may be repeated. Without it: for this
    /// machine, and for the other kinds of machines where what that needs is installed.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// Build the credential helper only.
    #[arg(long)]
    helper: bool,
    /// Find out anew which functions of the helper answer from the cache, which are laid side by side: needs valgrind,
    /// and is worth it after a change of what a warm `get` does, or of the compiler.
    #[arg(long, conflicts_with_all = ["targets", "helper"])]
    find_warm_functions: bool,
}

/// Builds, checks, and prints one Markdown table.
///
/// # Errors
/// Fails when a program does not build, is not static, is longer than it may be, or does not run where it can be tried.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.find_warm_functions {
        println!("dist: {} functions answer from the cache", warm::write_list()?);
        return Ok(());
    }
    let (platforms, obstacles) = platforms(&arguments.targets)?;
    let programs: &[Program] = if arguments.helper { &[HELPER] } else { &[HELPER, ECRU] };
    let mut rows = Vec::new();
    for platform in &platforms {
        let runner = Runner::of(&platform.target)?;
        for program in programs {
            let file = program.build(platform)?;
            let checked = Checked::of(program, &file)?;
            runner.ensure_runs(program.name, &file)?;
            rows.push(Row { program, platform, file, checked, runner: runner.clone() });
        }
    }
    println!("\n| program | platform | bytes | at most | runs | SHA-256 |\n|---|---|--:|--:|---|---|");
    for row in &rows {
        println!("{}", row.line());
    }
    println!();
    for row in &rows {
        println!("{}", row.file.display());
    }
    for obstacle in &obstacles {
        println!("dist: not built {obstacle}");
    }
    println!("dist: {} files, all static; {} platforms left out", rows.len(), obstacles.len());
    Ok(())
}

/// What can be built for, and why the rest cannot.
fn platforms(targets: &[String]) -> Result<(Vec<Platform>, Vec<String>)> {
    if !targets.is_empty() {
        let platforms: Result<_> = targets.iter().map(|target| Platform::of(target)).collect();
        return Ok((platforms?, Vec::new()));
    }
    let (mut platforms, mut obstacles) = (vec![Platform::of_this_machine(true)?], Vec::new());
    for (machine, platform) in Platform::others()? {
        match platform {
            Ok(platform) => platforms.push(platform),
            Err(obstacle) => obstacles.push(format!("for {machine}: {obstacle}")),
        }
    }
    Ok((platforms, obstacles))
}

/// One file.
#[derive(Debug)]
struct Row<'a> {
    program: &'a Program,
    platform: &'a Platform,
    file: PathBuf,
    checked: Checked,
    runner: Runner,
}

impl Row<'_> {
    fn line(&self) -> String {
        let most = self.program.most_bytes.map_or("–".to_owned(), |most| most.to_string());
        let Checked { bytes, digest } = &self.checked;
        let (name, target) = (self.program.name, &self.platform.target);
        format!("| {name} | {target} | {bytes} | {most} | {} | {digest} |", self.runner)
    }
}
