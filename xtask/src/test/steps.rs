//! The steps of a run, one after the other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::children::Children;
use super::classes::{self, Class};
use super::cloud_init;
use super::deny;
use super::engine::Engine;
use super::python;
use super::selection::Selection;
use super::tally::Tally;
use crate::musl::Musl;
use crate::{edges, outside, peer, trace};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotRun,
}

/// What a run has done so far.
#[derive(Debug)]
pub(super) struct Steps {
    children: Children,
    selection: Selection,
    may_install: bool,
    /// What the tests find in their environment besides ours.
    environment: Vec<(&'static str, OsString)>,
    /// Why the tests of a class cannot run.
    obstacles: Vec<(Class, String)>,
    engine: Option<Engine>,
    tally: Tally,
    failed: Vec<String>,
    not_run: Vec<String>,
}

impl Steps {
    pub(super) fn new(children: Children, selection: Selection, may_install: bool) -> Self {
        Self {
            children,
            selection,
            may_install,
            environment: Vec::new(),
            obstacles: Vec::new(),
            engine: None,
            tally: Tally::default(),
            failed: Vec::new(),
            not_run: Vec::new(),
        }
    }

    /// Goes through all steps. One that fails does not keep the next from being tried, except that nothing is tested
    /// that does not build.
    pub(super) fn run(&mut self, musl: &Musl) {
        self.meet_needs();
        self.check("fmt", &["fmt", "--check"], self.selection.for_cargo("--all"), &[]);
        let edges = self.step("edges", |_| edges::run().map(|()| true));
        self.count(edges);
        let workspace = self.selection.for_cargo("--workspace");
        let clippy = ["clippy", "--all-targets", "--locked"];
        self.check("clippy", &clippy, workspace.clone(), &["--", "-D", "warnings"]);
        self.check_documentation(workspace.clone());
        if self.selection.is_all() {
            self.check_dependencies();
            self.check_fuzz_targets();
        }

        let mut builds = true;
        // Tests of these classes run the programs of other crates, too.
        if self.selection.is_all() || !self.selection.classes.is_empty() {
            let build = ["build", "--workspace", "--bins", "--locked"];
            builds = self.check("build", &build, Vec::new(), &[]) == Outcome::Passed;
        }
        if self.selection.has("ecru-helper") {
            self.build_for_musl(musl);
        }
        if builds {
            self.run_tests(&workspace);
        } else {
            self.not_run.push("the tests: the programs do not build".to_owned());
        }
    }

    /// Stops what was started, says what failed and what was not run, and returns the counts.
    pub(super) fn finish(mut self) -> Tally {
        if let Some(engine) = self.engine.take().filter(Engine::is_own) {
            println!("test: stopping the engine that was started for the tests");
            drop(engine);
        }
        // A step that was not run is no better than a test that was not.
        self.tally.steps_not_run = self.not_run.len();
        for (target, reason, count) in self.tests_not_run() {
            let tests = if count == 1 { "test" } else { "tests" };
            self.not_run.push(format!("{target}: {reason} ({count} {tests})"));
        }
        println!();
        self.not_run.iter().for_each(|what| println!("not run: {what}"));
        self.failed.iter().for_each(|what| println!("failed: {what}"));
        self.tally
    }

    fn meet_needs(&mut self) {
        for class in self.selection.classes.clone() {
            let met = match class {
                Class::Engine => self.meet_engine(),
                Class::RootNamespaces => classes::obstacle_to_root_namespaces().map_or(Ok(()), Err),
                Class::Root => match outside::is_root() {
                    true => Ok(()),
                    false => Err("this is not root".to_owned()),
                },
                Class::AwsCli => match outside::program("aws") {
                    Some(_) => Ok(()),
                    None => Err("`aws` is not installed".to_owned()),
                },
                Class::Python => python::with_clients(&self.children)
                    .map(|python| self.environment.push(("ECRU_TEST_PYTHON", python.into())))
                    .map_err(|error| format!("there is no Python with the clients: {error:#}")),
                Class::Skopeo => match outside::program("skopeo") {
                    Some(_) => Ok(()),
                    None => Err("`skopeo` is not installed".to_owned()),
                },
                Class::Linters => match outside::program("shellcheck") {
                    Some(_) => cloud_init::program(&self.children)
                        .map(|program| self.environment.push(("ECRU_CLOUD_INIT", program.into())))
                        .map_err(|error| format!("there is no cloud-init: {error:#}")),
                    None => Err("`shellcheck` is not installed".to_owned()),
                },
                Class::Strace => trace::obstacle().map_or(Ok(()), Err),
                Class::Chromium => classes::obstacle_to_chromium().map_or(Ok(()), Err),
                Class::Peer => peer::program()
                    .map(|program| self.environment.push(("ECRU_PEER", program.into())))
                    .map_err(|error| format!("there is no peer: {error:#}")),
            };
            if let Err(obstacle) = met {
                println!("test: `{}` cannot run: {obstacle}", class.pattern());
                self.obstacles.push((class, obstacle));
            }
        }
    }

    fn meet_engine(&mut self) -> Result<(), String> {
        let engine = Engine::find_or_start(|| self.children.stopped())
            .map_err(|error| format!("there is no Docker engine: {error:#}"))?;
        let whose = if engine.is_own() { "one started for the tests" } else { "the one that runs" };
        println!("test: the Docker engine is {whose}, at {}", engine.host);
        self.environment.push(("DOCKER_HOST", engine.host.clone().into()));
        self.engine = Some(engine);
        Ok(())
    }

    fn obstacle_to(&self, class: Class) -> Option<&str> {
        self.obstacles.iter().find(|(of, _)| *of == class).map(|(_, obstacle)| obstacle.as_str())
    }

    /// A link in a comment that leads nowhere is an error.
    fn check_documentation(&mut self, packages: Vec<String>) {
        let mut cargo = self.cargo(&["doc", "--no-deps", "--locked"], packages, &[]);
        cargo.env("RUSTDOCFLAGS", "-D warnings");
        self.check_command("doc", cargo);
    }

    /// What deny.toml says of licences, versions and sources. Advisories are not asked for: their list is not everywhere
    /// in reach, and changes by itself.
    fn check_dependencies(&mut self) {
        let mut deny = match deny::program(&self.children, self.may_install) {
            Ok(program) => outside::command(program),
            Err(error) => return self.not_run.push(format!("deny: {error:#}")),
        };
        deny.current_dir(crate::workspace::root());
        deny.args(["--offline", "--locked", "check", "bans", "licenses", "sources"]);
        self.check_command("deny", deny);
    }

    /// The fuzz targets are a workspace of their own, of which the crates' tests compile the inside only.
    fn check_fuzz_targets(&mut self) {
        let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
        self.check("fmt of the fuzz targets", &["fmt", "--check"], Vec::new(), &manifest);
        let mut cargo = self.cargo(&["check", "--bins", "--locked"], Vec::new(), &manifest);
        // What both workspaces depend on in the same way is compiled once.
        cargo.env("CARGO_TARGET_DIR", crate::workspace::root().join("target"));
        self.check_command("fuzz targets", cargo);
    }

    fn build_for_musl(&mut self, musl: &Musl) {
        match &musl.obstacle {
            Some(obstacle) => self.not_run.push(format!("build for musl: {obstacle}")),
            None => {
                let build = ["build", "-p", "ecru-helper", "--bins", "--locked", "--target", &musl.target];
                self.check("build for musl", &build, Vec::new(), &[]);
            }
        }
    }

    /// First what needs nothing, and then, of the rest, what can run here: by itself, so that no test counts twice.
    fn run_tests(&mut self, packages: &[String]) {
        let run = ["test", "--locked", "--no-fail-fast"];
        let first = self.tests("test", self.cargo(&run, packages.to_vec(), &[]));
        self.tally.add(first);

        let able: Vec<_> = self
            .selection
            .classes
            .iter()
            .filter(|class| self.obstacle_to(**class).is_none())
            .copied()
            .collect();
        if able.is_empty() {
            return;
        }
        let targets = able.iter().flat_map(|class| ["--test".to_owned(), class.pattern()]);
        let arguments = packages.iter().cloned().chain(targets).collect();
        let later = self.tests("test with needs", self.cargo(&run, arguments, &["--", "--ignored"]));
        let ran = |target: &str| Class::of(target).is_some_and(|class| able.contains(&class));
        self.tally.add_run_of_ignored(&later, |test| ran(&test.target));
    }

    fn tests(&mut self, name: &str, command: Command) -> Tally {
        let mut tally = Tally::default();
        let outcome = self.step(name, |children| children.run(command, |line| tally.read_line(line)));
        if outcome == Outcome::Failed && tally.failed == 0 {
            tally.failed = 1; // It did not build, or a test program died.
        }
        tally
    }

    fn check(&mut self, name: &str, before: &[&str], packages: Vec<String>, after: &[&str]) -> Outcome {
        self.check_command(name, self.cargo(before, packages, after))
    }

    fn check_command(&mut self, name: &str, command: Command) -> Outcome {
        let outcome = self.step(name, |children| children.run(command, |_| ()));
        self.count(outcome);
        outcome
    }

    fn count(&mut self, outcome: Outcome) {
        if outcome == Outcome::Failed {
            self.tally.failed += 1;
        }
    }

    fn cargo(&self, before: &[&str], packages: Vec<String>, after: &[&str]) -> Command {
        let mut cargo = outside::cargo();
        cargo.args(before).args(packages).args(after).envs(self.environment.iter().cloned());
        // Its output goes through a pipe, so that it cannot see the terminal for itself.
        if std::io::stdout().is_terminal() && outside::variable("CARGO_TERM_COLOR").is_none() {
            cargo.env("CARGO_TERM_COLOR", "always");
        }
        cargo
    }

    fn step(&mut self, name: &str, work: impl FnOnce(&Children) -> Result<bool>) -> Outcome {
        if self.children.stopped() {
            self.not_run.push(format!("{name}: stopped by a signal"));
            return Outcome::NotRun;
        }
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = work(&self.children);
        let seconds = started.elapsed().as_secs_f64();
        let cause = match outcome {
            Ok(true) => {
                println!("== {name}: ok in {seconds:.1} s");
                return Outcome::Passed;
            }
            Ok(false) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        println!("== {name}: FAILED in {seconds:.1} s{cause}");
        self.failed.push(format!("{name}{cause}"));
        Outcome::Failed
    }

    /// The ignored tests that nothing ran, counted by target and reason.
    fn tests_not_run(&self) -> Vec<(String, String, usize)> {
        let mut counts = BTreeMap::new();
        for test in &self.tally.ignored {
            let obstacle = Class::of(&test.target).and_then(|class| self.obstacle_to(class));
            let reason = obstacle.unwrap_or(&test.reason).to_owned();
            *counts.entry((test.target.clone(), reason)).or_insert(0) += 1;
        }
        counts.into_iter().map(|((target, reason), count)| (target, reason, count)).collect()
    }
}
