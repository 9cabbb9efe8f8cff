//! `cargo xtask fuzz`: the libFuzzer targets, each for a number of executions.

mod figures;
mod replay;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{MetadataCommand, TargetKind};
use clap::Args;

use self::figures::Figures;
use crate::{outside, workspace};

/// How long one input may take, in seconds.
const INPUT_TIMEOUT: &str = "-timeout=10";
const MEMORY_LIMIT: &str = "-rss_limit_mb=1024";
const MOST_BYTES: &str = "-max_len=4096";

/// The arguments of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A target of the folder `fuzz`, or `all`.
    #[arg(default_value = "all")]
    target: String,
    /// How often each target is run.
    #[arg(long, default_value_t = 100_000)]
    execs: u64,
    /// After how many seconds a target is ended, whatever it has done.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Only run the seeds that the repository keeps, each once, without a nightly compiler.
    #[arg(long, conflicts_with_all = ["execs", "seconds"])]
    replay: bool,
}

/// Runs the targets, prints what each did, and the sum last.
///
/// # Errors
/// Fails when there is no nightly compiler, no `cargo-fuzz`, or no such target.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = workspace::root().join("fuzz");
    let targets = chosen(&arguments.target, &targets(&folder)?)?;
    if arguments.replay {
        return replay::run(&folder, &targets);
    }
    ensure_tools()?;
    build(&folder, &targets)?;
    let (mut sum, mut crashed) = (0, Vec::new());
    println!("| target | executions | seconds | in the corpus | finding |\n|---|---|---|---|---|");
    for target in &targets {
        let figures = fuzz(&folder, target, arguments)?;
        sum += figures.executions;
        println!("{}", figures.line(target));
        if let Some(finding) = figures.finding {
            crashed.push(format!("{target}: {finding}"));
        }
    }
    crashed.iter().for_each(|finding| println!("finding: {finding}"));
    println!("fuzz: {sum} executions of {} targets, {} findings", targets.len(), crashed.len());
    Ok(if crashed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of all targets.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(folder.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the folder `fuzz`")?;
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    Ok(targets.filter(|it| it.is_kind(TargetKind::Bin)).map(|it| it.name.clone()).collect())
}

fn chosen(wanted: &str, targets: &[String]) -> Result<Vec<String>> {
    if wanted == "all" {
        return Ok(targets.to_vec());
    }
    let found = targets.iter().find(|target| target.as_str() == wanted);
    let found =
        found.with_context(|| format!("there is no target `{wanted}`, but {}", targets.join(", ")))?;
    Ok(vec![found.clone()])
}

/// The cargo of the nightly toolchain, in the folder `fuzz`.
fn nightly(folder: &Path) -> Command {
    let mut cargo = outside::command("cargo");
    // What cargo tells the programs that it runs is about another toolchain.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CARGO_TARGET_DIR"] {
        cargo.env_remove(name);
    }
    cargo.arg("+nightly").current_dir(folder).stdin(Stdio::null());
    cargo
}

fn ensure_tools() -> Result<()> {
    let works = |arguments: &[&str]| {
        let output = nightly(Path::new(".")).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    ensure!(works(&["--version"]), "there is no nightly compiler: `rustup toolchain install nightly`");
    ensure!(works(&["fuzz", "--version"]), "there is no cargo-fuzz: `cargo install cargo-fuzz --locked`");
    Ok(())
}

fn build(folder: &Path, targets: &[String]) -> Result<()> {
    for target in targets {
        let built = nightly(folder).args(["fuzz", "build", target]).stdout(Stdio::null()).status()?;
        ensure!(built.success(), "the target `{target}` does not build");
    }
    Ok(())
}

/// Runs a target to the number of executions or the end of its time.
fn fuzz(folder: &Path, target: &str, arguments: &Arguments) -> Result<Figures> {
    let started = Instant::now();
    let mut cargo = nightly(folder);
    cargo.args([
        "fuzz",
        "run",
        target,
        "--",
        "-print_final_stats=1",
        INPUT_TIMEOUT,
        MEMORY_LIMIT,
        MOST_BYTES,
    ]);
    cargo.arg(format!("-runs={}", arguments.execs)).arg(format!("-max_total_time={}", arguments.seconds));
    // Two of the targets write files.
    if Path::new("/dev/shm").is_dir() {
        cargo.env("TMPDIR", "/dev/shm");
    }
    let output = cargo.output().with_context(|| format!("cannot run the target `{target}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut figures = Figures::of(&text, output.status.success(), started.elapsed());
    figures.corpus = corpus_size(&folder.join("corpus").join(target));
    if figures.executions == 0 && figures.finding.is_none() {
        bail!("the target `{target}` did not run: {}", text.lines().last().unwrap_or_default());
    }
    Ok(figures)
}

/// How many inputs the corpus of a target has.
fn corpus_size(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_are_chosen_or_one_that_there_is() {
        let targets = ["registry_host", "go_json"].map(str::to_owned);
        assert_eq!(chosen("all", &targets).unwrap(), targets);
        assert_eq!(chosen("go_json", &targets).unwrap(), ["go_json"]);
        assert!(chosen("go", &targets).unwrap_err().to_string().contains("registry_host, go_json"));
    }

    #[test]
    fn the_folder_has_targets_with_seeds() {
        let folder = workspace::root().join("fuzz");
        let targets = targets(&folder).unwrap();
        assert!(targets.len() >= 11);
        for target in targets {
            let source = folder.join("fuzz_targets").join(format!("{target}.rs"));
            assert!(source.is_file() && corpus_size(&folder.join("corpus").join(&target)) > 0, "{target}");
        }
    }
}
