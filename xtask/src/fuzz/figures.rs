//! What libFuzzer says at the end of a run.

use std::time::Duration;

/// The figures of one target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// How often it was run.
    pub(super) executions: u64,
    /// How long that took.
    pub(super) took: Duration,
    /// How many places of the program were reached.
    pub(super) coverage: u64,
    /// What was found, if anything was.
    pub(super) finding: Option<String>,
}

impl Figures {
    /// Reads them from the standard error of a run (LLVM's documentation of libFuzzer, "Output").
    pub(super) fn of(text: &str, success: bool, took: Duration) -> Self {
        let executions = text
            .lines()
            .filter_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
            .next_back();
        let coverage = text
            .lines()
            .filter_map(|line| line.split_once(" cov: ")?.1.split(' ').next()?.parse().ok())
            .next_back();
        let named = text.lines().find(|line| {
            line.contains("panicked at") || (line.starts_with("==") && line.contains("ERROR: "))
        });
        let finding = named.map(str::trim).unwrap_or("it ended with an error").to_owned();
        Self {
            executions: executions.unwrap_or_default(),
            took,
            coverage: coverage.unwrap_or_default(),
            finding: (!success).then_some(finding),
        }
    }

    /// Whether it was ended by its time, with less done than was asked for and nothing found.
    pub(super) fn is_cut_short(&self, wanted: u64) -> bool {
        self.finding.is_none() && self.executions < wanted
    }

    /// Its line in the table, where `wanted` executions were asked for.
    pub(super) fn line(&self, target: &str, wanted: u64) -> String {
        let finding = self.finding.as_deref().unwrap_or("none");
        let mut executions = with_separators(self.executions);
        if self.is_cut_short(wanted) {
            executions = format!("{executions} of {}, ended by its time", with_separators(wanted));
        }
        format!("| {target} | {executions} | {} | {} | {finding} |", self.took.as_secs(), self.coverage)
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn with_separators(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_finding_has_its_executions_and_coverage() {
        let text = "#2\tINITED cov: 7 ft: 8\n#1012\tDONE   cov: 44 ft: 120 corp: 20/1Kb lim: 4096\n\
                    Done 1012 runs in 1 second(s)\nstat::number_of_executed_units: 1012\nstat::peak_rss_mb: 44\n";
        let figures = Figures::of(text, true, Duration::from_secs(3));
        assert_eq!(figures.line("go_json", 1012), "| go_json | 1,012 | 3 | 44 | none |");
        assert!(!figures.is_cut_short(1012));
    }

    #[test]
    fn a_run_that_was_ended_by_its_time_says_so() {
        let text = "Done 1012 runs in 600 second(s)\nstat::number_of_executed_units: 1012\n";
        let figures = Figures::of(text, true, Duration::from_secs(600));
        assert!(figures.is_cut_short(100_000));
        let line = "| go_json | 1,012 of 100,000, ended by its time | 600 | 0 | none |";
        assert_eq!(figures.line("go_json", 100_000), line);
    }

    #[test]
    fn a_finding_is_named() {
        let text = "thread '<unnamed>' panicked at src/a.rs:1:2:\nboom\n==12== ERROR: libFuzzer: deadly signal\nstat::number_of_executed_units: 7\n";
        let figures = Figures::of(text, false, Duration::ZERO);
        assert_eq!(figures.executions, 7);
        assert!(!figures.is_cut_short(100), "what is found ends it");
        assert_eq!(figures.finding.as_deref(), Some("thread '<unnamed>' panicked at src/a.rs:1:2:"));
        assert!(Figures::of("", false, Duration::ZERO).finding.is_some());
    }

    #[test]
    fn large_numbers_have_separators() {
        let numbers = [0, 999, 1000, 15_000_000].map(with_separators);
        assert_eq!(numbers, ["0", "999", "1,000", "15,000,000"]);
    }
}
