//! `cargo xtask faults`: what may go wrong around a program, and what was seen to hold then.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::test_output::{self, Outcome, Test};
use crate::trace;

/// The targets of the helper whose tests are named by rows of the table of faults.
const TARGETS: [&str; 2] = ["faults", "slow_crash"];
/// The target that injects failures of system calls.
const TRACED: &str = "strace_faults";

/// How many rows the table has, from 1: where one has no test that was run, nothing holds there.
const ROWS: u8 = 26;

/// The arguments of `cargo xtask faults`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The program.
    program: Program,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Program {
    /// `docker-credential-ecr-login`.
    Helper,
}

/// Makes all faults, prints a line for each row, and the figure last.
///
/// # Errors
/// Fails when the tests do not build.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Program::Helper = arguments.program;
    let mut targets = TARGETS.to_vec();
    match trace::obstacle() {
        None => targets.push(TRACED),
        Some(obstacle) => println!("faults: failures of system calls are not injected: {obstacle}"),
    }
    let tests = test_output::of_targets(&targets, true, [])?;
    let rows = rows(&tests);
    println!("| row | fault | holds | how |\n|---|---|---|---|");
    for (number, row) in &rows {
        println!("{}", row.line(*number));
    }
    for (number, row) in rows.iter().filter(|(_, row)| !row.holds) {
        println!("\nrow {number} does not hold:");
        row.words.iter().for_each(|line| println!("  {line}"));
    }
    let held = rows.values().filter(|row| row.holds).count();
    let others = tests.iter().filter(|test| row_number(&test.name).is_none());
    let failed: Vec<_> = others.filter(|test| test.outcome == Outcome::Failed).collect();
    failed.iter().for_each(|test| println!("failed: {}", test.name));
    let missing = missing(&rows);
    missing.iter().for_each(|number| println!("row {number} has no test that was run"));
    let all = rows.len() + missing.len();
    println!("faults: {held} of {all} rows hold");
    Ok(if held == all && failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A row of the table: what one or more tests said.
#[derive(Debug)]
struct Row {
    faults: Vec<String>,
    held: Vec<String>,
    /// Whether all of its tests passed.
    holds: bool,
    /// What the tests that failed said.
    words: Vec<String>,
}

impl Default for Row {
    fn default() -> Self {
        Self { faults: Vec::new(), held: Vec::new(), holds: true, words: Vec::new() }
    }
}

impl Row {
    fn line(&self, number: u8) -> String {
        let holds = if self.holds { "yes" } else { "**no**" };
        format!("| {number} | {} | {holds} | {} |", self.faults.join("; "), self.held.join("; "))
    }
}

/// The rows that the tests are named by.
fn rows(tests: &[Test]) -> BTreeMap<u8, Row> {
    let mut rows: BTreeMap<u8, Row> = BTreeMap::new();
    for test in tests.iter().filter(|test| test.outcome != Outcome::Ignored) {
        let Some(number) = row_number(&test.name) else { continue };
        let row = rows.entry(number).or_default();
        for line in &test.lines {
            if let Some(fault) = line.strip_prefix("fault: ") {
                row.faults.push(fault.to_owned());
            } else if let Some(held) = line.strip_prefix("held: ") {
                row.held.push(held.to_owned());
            } else if line.starts_with("not tried: ") {
                row.held.push(format!("({line})"));
            }
        }
        if test.outcome == Outcome::Failed {
            row.holds = false;
            row.words.extend(test.lines.iter().filter(|line| !line.is_empty()).cloned());
        }
    }
    rows
}

/// The rows that no test that was run is named by.
fn missing(rows: &BTreeMap<u8, Row>) -> Vec<u8> {
    (1..=ROWS).filter(|number| !rows.contains_key(number)).collect()
}

/// The row in a name such as `locks::row_10_a_lock_that_cannot_be_had`.
fn row_number(name: &str) -> Option<u8> {
    let (_, test) = name.rsplit_once("::").unwrap_or(("", name));
    test.strip_prefix("row_")?.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, outcome: Outcome, lines: &[&str]) -> Test {
        let lines = lines.iter().map(ToString::to_string).collect();
        Test { name: name.to_owned(), outcome, lines }
    }

    #[test]
    fn a_row_holds_if_all_of_its_tests_do() {
        let rows = rows(&[
            test("a::row_06_x", Outcome::Passed, &["fault: x", "held: 1 call"]),
            test("row_06_y", Outcome::Failed, &["fault: y", "", "panicked"]),
            test("row_07_z", Outcome::Passed, &["fault: z", "not tried: a disk", "held: all"]),
            test("row_08_w", Outcome::Ignored, &[]),
            test("helpers", Outcome::Passed, &["fault: none"]),
        ]);
        assert_eq!(rows.keys().copied().collect::<Vec<_>>(), [6, 7]);
        let missing = missing(&rows);
        assert_eq!((missing.len(), missing[4], missing[5], missing[6]), (24, 5, 8, 9));
        assert_eq!(rows[&6].line(6), "| 6 | x; y | **no** | 1 call |");
        assert_eq!(rows[&6].words, ["fault: y", "panicked"]);
        assert_eq!(rows[&7].line(7), "| 7 | z | yes | (not tried: a disk); all |");
    }

    #[test]
    fn rows_are_numbers_at_the_beginning_of_a_name() {
        assert_eq!(row_number("locks::row_10_a"), Some(10));
        assert_eq!(row_number("row_05_b"), Some(5));
        assert_eq!(row_number("a_row_05"), None);
        assert_eq!(row_number("row_x"), None);
    }
}
