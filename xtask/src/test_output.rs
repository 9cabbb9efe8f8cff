//! A test target of the helper, run for what its tests say on their standard output.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::outside;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It was not run.
    Ignored,
}

/// A test, and what it said.
#[derive(Debug)]
pub(crate) struct Test {
    /// Its name in its target.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Its standard output.
    pub(crate) lines: Vec<String>,
}

/// Runs `targets` of the crate `ecru-helper`, ignored tests too if `all`, with more environment.
///
/// # Errors
/// Fails when they do not build or run no test.
pub(crate) fn of_targets(
    targets: &[&str],
    all: bool,
    environment: impl IntoIterator<Item = (&'static str, OsString)>,
) -> Result<Vec<Test>> {
    let mut cargo = outside::cargo();
    cargo.args(["test", "-p", "ecru-helper", "--locked", "--no-fail-fast"]).envs(environment);
    for target in targets {
        cargo.args(["--test", target]);
    }
    cargo.args(["--", "--show-output"]);
    if all {
        cargo.arg("--include-ignored");
    }
    // Cargo's own words go to standard error, where they show what it is at.
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let lines: Vec<String> = BufReader::new(stdout).lines().collect::<std::io::Result<_>>()?;
    child.wait()?;
    let tests = tests_in(&lines);
    ensure!(!tests.is_empty(), "no test was run: see above");
    Ok(tests)
}

/// The tests in the output of test programs that were told `--show-output`.
fn tests_in(lines: &[String]) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    let mut section: Option<usize> = None;
    for line in lines {
        if let Some((name, outcome)) = ended(line) {
            tests.push(Test { name: name.to_owned(), outcome, lines: Vec::new() });
        } else if let Some(name) = section_name(line) {
            // Targets may have tests of the same name; the output follows its target's results.
            section = tests.iter().rposition(|test| test.name == name);
        } else if matches!(line.as_str(), "successes:" | "failures:") || line.starts_with("test result: ") {
            section = None;
        } else if let Some(test) = section.and_then(|place| tests.get_mut(place)) {
            test.lines.push(line.clone());
        }
    }
    tests
}

/// `test name ... ok`.
fn ended(line: &str) -> Option<(&str, Outcome)> {
    let (name, state) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let outcome = match state {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        state if state.starts_with("ignored") => Outcome::Ignored,
        _ => return None,
    };
    Some((name, outcome))
}

/// `---- name stdout ----`.
fn section_name(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a::row_01_x ... ok
test row_02_y ... FAILED
test row_03_z ... ignored, needs a lot

successes:

---- a::row_01_x stdout ----
fault: x
held: yes

successes:
    a::row_01_x

failures:

---- row_02_y stdout ----
fault: y

failures:
    row_02_y

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s
";

    #[test]
    fn tests_are_read_with_their_output() {
        let lines: Vec<String> = OUTPUT.lines().map(str::to_owned).collect();
        let tests = tests_in(&lines);
        let outcomes: Vec<_> = tests.iter().map(|test| (test.name.as_str(), test.outcome)).collect();
        assert_eq!(
            outcomes,
            [("a::row_01_x", Outcome::Passed), ("row_02_y", Outcome::Failed), ("row_03_z", Outcome::Ignored)]
        );
        assert_eq!(tests[0].lines, ["fault: x", "held: yes", ""]);
        assert_eq!(tests[1].lines, ["fault: y", ""]);
        assert!(tests[2].lines.is_empty());
    }

    #[test]
    fn other_output_has_no_tests() {
        let lines = ["test ", "---- x ----", "test a ... maybe", ""].map(str::to_owned);
        assert!(tests_in(&lines).is_empty());
    }
}
