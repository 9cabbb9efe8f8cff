//! `cargo xtask fuzz`: the libFuzzer targets, each for a number of executions.

mod figures;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{MetadataCommand, TargetKind};
use clap::Args;

use self::figures::{Figures, with_separators};
use crate::{outside, workspace};

/// How long one input may take, in seconds.
const INPUT_TIMEOUT: &str = "-timeout=10";
const MEMORY_LIMIT: &str = "-rss_limit_mb=1024";
const MOST_BYTES: &str = "-max_len=4096";

/// fuzz/README.md says why there is no sanitizer. One unit, cargo-fuzz's own choice, leaves all processors but one idle.
const BUILD: [&str; 6] = ["fuzz", "build", "--sanitizer", "none", "--codegen-units", "16"];

/// The arguments of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Targets of the folder `fuzz`, or `all`.
    #[arg(value_name = "TARGET", default_value = "all")]
    targets: Vec<String>,
    /// How often each target is run. As many targets are run at the same time as there are processors.
    #[arg(long, default_value_t = 100_000)]
    execs: u64,
    /// After how many seconds a target is ended, whatever it has done; the table and the last line tell where that was less.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// A target of the folder `fuzz`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    name: String,
    /// The area that it belongs to, which is a feature.
    areas: Vec<String>,
}

/// Runs the targets, prints what each did, and the sum last.
///
/// # Errors
/// Fails when there is no nightly compiler, no `cargo-fuzz`, or no such target.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = workspace::root().join("fuzz");
    let targets = chosen(&arguments.targets, &targets(&folder)?)?;
    ensure_tools()?;
    build(&folder, &targets)?;
    let (mut sum, mut crashed, mut cut_short) = (0, Vec::new(), 0);
    println!("| target | executions | seconds | coverage | finding |\n|---|---|---|---|---|");
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    for_each(
        &targets,
        at_once,
        |target| fuzz(&folder, &target.name, arguments),
        |target, figures| {
            let figures = figures?;
            sum += figures.executions;
            cut_short += usize::from(figures.is_cut_short(arguments.execs));
            println!("{}", figures.line(&target.name, arguments.execs));
            if let Some(finding) = figures.finding {
                crashed.push(format!("{}: {finding}", target.name));
            }
            Ok(())
        },
    )?;
    crashed.iter().for_each(|finding| println!("finding: {finding}"));
    println!("{}", summary(targets.len(), sum, crashed.len(), cut_short, arguments));
    Ok(if crashed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The last line: what was done, and what was not. A slow target is no failure, but must not pass for a thorough one.
fn summary(targets: usize, sum: u64, crashes: usize, cut_short: usize, arguments: &Arguments) -> String {
    let done = format!("fuzz: {targets} targets, {} executions, {crashes} crashes", with_separators(sum));
    match cut_short {
        0 => done,
        _ => format!(
            "{done}; {cut_short} of them ended after {} seconds, before their {} executions",
            arguments.seconds,
            with_separators(arguments.execs)
        ),
    }
}

/// Does `work` on each item, on so many at once, and tells of each when it is done. After the first error no other is
/// begun.
fn for_each<'a, T: Sync, R: Send>(
    items: &'a [T],
    at_once: usize,
    work: impl Fn(&T) -> R + Sync,
    mut tell: impl FnMut(&'a T, R) -> Result<()>,
) -> Result<()> {
    let (next, (sender, receiver)) = (AtomicUsize::new(0), mpsc::channel());
    thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            let (next, work, sender) = (&next, &work, sender.clone());
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver outlives this thread.
                    let _ = sender.send((item, work(item)));
                }
            });
        }
        drop(sender);
        let outcome = receiver.iter().try_for_each(|(item, done)| tell(item, done));
        next.store(items.len(), Ordering::Relaxed);
        outcome
    })
}

/// All targets.
fn targets(folder: &Path) -> Result<Vec<Target>> {
    let metadata = MetadataCommand::new()
        .manifest_path(folder.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the folder `fuzz`")?;
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    Ok(targets
        .filter(|target| target.is_kind(TargetKind::Bin))
        .map(|target| Target { name: target.name.clone(), areas: target.required_features.clone() })
        .collect())
}

/// The targets of these names, in the order of the names.
fn chosen(wanted: &[String], targets: &[Target]) -> Result<Vec<Target>> {
    if wanted.iter().any(|name| name == "all") {
        return Ok(targets.to_vec());
    }
    let names = || targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
    let named = |name: &String| {
        let found = targets.iter().find(|target| target.name == *name);
        found.cloned().with_context(|| format!("there is no target `{name}`, but {}", names()))
    };
    wanted.iter().map(named).collect()
}

/// The cargo of the nightly toolchain, in the folder `fuzz`.
fn nightly(folder: &Path) -> Command {
    let mut cargo = outside::cargo_called("cargo".as_ref());
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

/// Builds all targets at once, or one with the crates of its area only. Cargo-fuzz builds one or all.
fn build(folder: &Path, targets: &[Target]) -> Result<()> {
    let mut cargo = nightly(folder);
    cargo.args(BUILD).env("RUSTC_WRAPPER", built_wrapper()?);
    if let [target] = targets {
        cargo.args(["--no-default-features", "--features", &target.areas.join(","), &target.name]);
    }
    let built = cargo.status().context("cannot run cargo")?;
    ensure!(built.success(), "the targets do not build");
    Ok(())
}

/// The program of `src/bin/fuzz-rustc.rs`, which cargo leaves beside this one.
fn built_wrapper() -> Result<PathBuf> {
    const WRAPPER: &str = "fuzz-rustc";
    let built = outside::cargo().args(["build", "--quiet", "--package", "xtask", "--bin", WRAPPER]).status();
    ensure!(built.context("cannot run cargo")?.success(), "`{WRAPPER}` does not build");
    Ok(std::env::current_exe().context("this program has no path")?.with_file_name(WRAPPER))
}

/// Runs a target to the number of executions or the end of its time.
fn fuzz(folder: &Path, target: &str, arguments: &Arguments) -> Result<Figures> {
    let started = Instant::now();
    let program = folder.join("target").join(workspace::host_triple()?).join("release").join(target);
    let artifacts = folder.join("artifacts").join(target);
    std::fs::create_dir_all(&artifacts).context("no place for findings")?;
    let output = outside::command(program)
        .args(["-print_final_stats=1", INPUT_TIMEOUT, MEMORY_LIMIT, MOST_BYTES])
        .arg(format!("-runs={}", arguments.execs))
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(folder.join("corpus").join(target))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run the target `{target}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let figures = Figures::of(&text, output.status.success(), started.elapsed());
    if figures.executions == 0 && figures.finding.is_none() {
        bail!("the target `{target}` did not run: {}", text.lines().last().unwrap_or_default());
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, area: &str) -> Target {
        Target { name: name.to_owned(), areas: vec![area.to_owned()] }
    }

    #[test]
    fn all_targets_are_chosen_or_those_that_there_are() {
        let targets = [target("registry_host", "ecr"), target("go_json", "docker")];
        let chosen =
            |names: &[&str]| chosen(&names.iter().map(ToString::to_string).collect::<Vec<_>>(), &targets);
        assert_eq!(chosen(&["all"]).unwrap(), targets);
        assert_eq!(chosen(&["go_json"]).unwrap(), targets[1..]);
        assert_eq!(chosen(&["go_json", "registry_host"]).unwrap().len(), 2);
        assert!(chosen(&["go_json", "go"]).unwrap_err().to_string().contains("registry_host, go_json"));
    }

    #[test]
    fn items_are_done_at_the_same_time_and_each_once() {
        let (items, meeting) = ([1, 2, 3, 4], std::sync::Barrier::new(2));
        let mut told = Vec::new();
        for_each(
            &items,
            2,
            |item| (meeting.wait().is_leader(), *item),
            |item, (_, done)| {
                assert_eq!(*item, done);
                told.push(done);
                Ok(())
            },
        )
        .unwrap();
        told.sort_unstable();
        assert_eq!(told, items);
    }

    #[test]
    fn the_last_line_claims_no_more_than_was_done() {
        let arguments = Arguments { targets: vec!["all".to_owned()], execs: 100_000, seconds: 600 };
        let done = summary(3, 300_000, 0, 0, &arguments);
        assert_eq!(done, "fuzz: 3 targets, 300,000 executions, 0 crashes");
        assert_eq!(
            summary(3, 201_000, 0, 1, &arguments),
            "fuzz: 3 targets, 201,000 executions, 0 crashes; 1 of them ended after 600 seconds, before their 100,000 \
             executions"
        );
    }

    #[test]
    fn each_target_is_in_the_list_of_its_area_whose_seeds_are_tested() {
        let folder = workspace::root().join("fuzz");
        let targets = targets(&folder).unwrap();
        assert!(targets.len() >= 20);
        for Target { name, areas } in targets {
            let [area] = areas.as_slice() else { panic!("`{name}` belongs to one area: {areas:?}") };
            let list = std::fs::read_to_string(folder.join("src").join(area).join("mod.rs")).unwrap();
            assert!(list.contains(&format!(r#"("{name}", {name}::check_input)"#)), "{area} lacks {name}");
            let test = workspace::root().join("crates").join(area).join("tests/fuzz_seeds.rs");
            assert!(test.is_file(), "{}", test.display());
        }
    }
}
