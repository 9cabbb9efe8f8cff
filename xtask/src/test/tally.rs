//! What the test programs said, counted.

use std::fmt;

/// A test that its program did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ignored {
    /// The test target: `engine` for `tests/engine.rs`.
    pub(super) target: String,
    /// The test's name in that target.
    pub(super) name: String,
    /// What its `#[ignore = "…"]` says.
    pub(super) reason: String,
}

/// The counts of one or more runs of `cargo test`.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: Vec<Ignored>,
    /// How many steps of a run, such as a build for another platform, could not be tried.
    pub(super) steps_not_run: usize,
    /// The target whose output is being read; none after its result, so that a test's own output counts nothing.
    target: Option<String>,
}

impl Tally {
    /// Reads one line of the output of `cargo test`.
    pub(super) fn read_line(&mut self, line: &str) {
        if let Some(target) = started_target(line) {
            self.target = Some(target);
        }
        let Some(target) = &self.target else { return };
        if let Some((name, reason)) = ignored_test(line) {
            let (target, name, reason) = (target.clone(), name.to_owned(), reason.to_owned());
            self.ignored.push(Ignored { target, name, reason });
        }
        if let Some((passed, failed)) = result_counts(line) {
            self.passed += passed;
            self.failed += failed;
            self.target = None;
        }
    }

    /// Adds a run of other tests.
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored.extend(other.ignored);
    }

    /// Adds a later run of nothing but ignored tests: those that it ran are no longer ignored.
    pub(super) fn add_run_of_ignored(&mut self, later: &Self, ran: impl Fn(&Ignored) -> bool) {
        self.passed += later.passed;
        self.failed += later.failed;
        self.ignored.retain(|test| !ran(test));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.ignored.len() + self.steps_not_run;
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed, self.failed)
    }
}

/// `     Running tests/engine.rs (…/deps/engine-0123456789abcdef)`, or `   Doc-tests ecru_docker`.
fn started_target(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(library) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{library} (documentation)"));
    }
    let (_, program) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('(')?;
    let (target, _hash) = program.rsplit('/').next()?.rsplit_once('-')?;
    Some(target.to_owned())
}

/// `test module::name ... ignored, needs a Docker engine`.
fn ignored_test(line: &str) -> Option<(&str, &str)> {
    let (name, state) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = state.strip_prefix("ignored")?;
    Some((name, reason.strip_prefix(", ").unwrap_or("no reason given")))
}

/// `test result: ok. 7 passed; 0 failed; 1 ignored; …`, the first two numbers.
fn result_counts(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim().parse().ok());
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "\
   Compiling ecru-executor v0.1.0
     Running unittests src/lib.rs (target/debug/deps/ecru_executor-0123)
test network::names ... ok
test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/engine_pull.rs (target/debug/deps/engine_pull-4567)
test a_denied_pull ... ignored, needs a Docker engine
test odd ... ignored
test result: FAILED. 1 passed; 2 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests ecru_executor
test src/lib.rs - (line 3) ... ignored
test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_line(line));
        tally
    }

    #[test]
    fn results_of_all_targets_are_summed() {
        let tally = tally(FIRST);
        assert_eq!(tally.to_string(), "8 passed, 2 failed, 3 skipped");
        let first = &tally.ignored[0];
        assert_eq!((first.target.as_str(), first.name.as_str()), ("engine_pull", "a_denied_pull"));
        assert_eq!(first.reason, "needs a Docker engine");
        assert_eq!(tally.ignored[1].reason, "no reason given");
        assert_eq!(tally.ignored[2].target, "ecru_executor (documentation)");
    }

    #[test]
    fn a_test_that_ran_later_is_counted_once() {
        let mut first = tally(FIRST);
        let later = tally(
            "     Running tests/engine_pull.rs (target/debug/deps/engine_pull-4567)\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 1.00s\n",
        );
        first.add_run_of_ignored(&later, |test| test.target.starts_with("engine"));
        assert_eq!(first.to_string(), "10 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn what_follows_a_targets_result_counts_nothing() {
        let tally = tally(
            "     Running tests/a.rs (target/debug/deps/a-1)\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: ok. 900 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test fake ... ignored\n",
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_step_that_was_not_run_is_skipped() {
        let tally = Tally { steps_not_run: 2, ..tally(FIRST) };
        assert_eq!(tally.to_string(), "8 passed, 2 failed, 5 skipped");
    }

    #[test]
    fn no_line_is_too_odd() {
        for line in
            ["", "Running ", "     Running x (y)", "test ... ignored", "test result: ", "test result: ok. x"]
        {
            assert_eq!(tally(line).to_string(), "0 passed, 0 failed, 0 skipped", "{line}");
        }
    }
}
