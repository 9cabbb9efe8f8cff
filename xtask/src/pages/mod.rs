//! `cargo xtask gen`: the parts of pages that are generated from what the programs really have.
//!
//! What makes a part are tests (`ecru_testkit::assert_generated`), so that private types can be read, nothing for it
//! is linked into a program, and `cargo test` alone fails where a page is stale. Here they are only called by name.

use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::outside;

/// The variable that asks these tests for writing.
pub(crate) const WRITE: &str = "ECRU_WRITE_DOCS";

/// The arguments of `cargo xtask gen`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write nothing, and fail when a page is stale.
    #[arg(long)]
    check: bool,
}

/// Where a part comes from: a new one needs a row here, a test that calls `assert_generated`, and the two marks in
/// its page.
struct Part {
    /// The page, for the reader of the output.
    page: &'static str,
    package: &'static str,
    /// The test program in it, as cargo selects it.
    program: &'static [&'static str],
    /// The beginning of the names of its tests.
    tests: &'static str,
}

const PARTS: [Part; 6] = [
    Part {
        page: "docs/HELPER.md (configuration)",
        package: "ecru-ecr",
        program: &["--lib"],
        tests: "config::reference",
    },
    Part {
        page: "docs/HELPER.md (variables)",
        package: "ecru-helper",
        program: &["--test", "documents"],
        tests: "variables",
    },
    Part {
        page: "docs/COMPATIBILITY.md",
        package: "ecru-helper",
        program: &["--test", "peer_compat"],
        tests: "the_table_of_differences",
    },
    Part {
        page: "docs/DOCTOR.md, examples/broken",
        package: "ecru-cli",
        program: &["--test", "doctor"],
        tests: "page::",
    },
    Part {
        page: "docs/COMMANDS.md",
        package: "ecru-cli",
        program: &["--lib"],
        tests: "args::tests::the_page",
    },
    Part { page: "docs/EXIT_CODES.md", package: "ecru-cli", program: &["--lib"], tests: "exit_code" },
];

/// Writes or checks all parts, and prints as its last line how many are up to date.
///
/// # Errors
/// Fails when cargo cannot be run.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut good = 0;
    for part in &PARTS {
        let is_good = part.is_up_to_date(arguments.check)?;
        good += usize::from(is_good);
        println!("gen: {}: {}", part.page, if is_good { "up to date" } else { "STALE" });
    }
    println!("gen: {good} of {} parts are up to date", PARTS.len());
    Ok(if good == PARTS.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Part {
    /// Runs its tests; unless only `check`ing, they write the part. What a test says of a stale one is shown.
    fn is_up_to_date(&self, check: bool) -> Result<bool> {
        let mut cargo = outside::cargo();
        cargo
            .args(["test", "--locked", "--quiet", "-p", self.package])
            .args(self.program)
            .args(["--", self.tests]);
        if !check {
            cargo.env(WRITE, "1");
        }
        let output =
            cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let ran = ran_tests(&text);
        if !output.status.success() || !ran {
            println!("{text}");
        }
        Ok(output.status.success() && ran)
    }
}

/// Whether the output of a test program tells of any test: a name that fits none would look like success.
fn ran_tests(output: &str) -> bool {
    output
        .lines()
        .any(|line| line.starts_with("test result: ok. ") && !line.starts_with("test result: ok. 0 passed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn a_part_without_a_test_is_not_taken_for_a_good_one() {
        assert!(ran_tests("\nrunning 1 test\n.\ntest result: ok. 1 passed; 0 failed; 0 ignored\n"));
        assert!(!ran_tests("\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n"));
        assert!(!ran_tests("test result: FAILED. 1 passed; 1 failed"));
    }

    #[test]
    fn every_page_of_a_part_exists() {
        for part in &PARTS {
            let page = part.page.split([' ', ',']).next().unwrap();
            assert!(workspace::root().join(page).is_file(), "{page}");
        }
    }
}
