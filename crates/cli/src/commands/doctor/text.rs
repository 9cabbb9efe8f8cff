//! A diagnosis for people: the answer first and last, between them what it was found by, readable without colour.

use std::fmt::Write as _;

use ecru_doctor::page::verdict;
use ecru_doctor::report::{Check, Context, Fix, Outcome, Report, Section, Weight};

use crate::terminal::wrapped;

/// A fix of more lines is not repeated at the end.
const MAX_REPEATED_LINES: usize = 8;

/// The whole diagnosis in lines of at most `width` columns, but for what is copied. What passed and what has no meaning
/// on this machine is only counted, unless `shows_all`.
pub(super) fn text(report: &Report, shows_all: bool, width: usize) -> String {
    let mut paper = Paper { text: String::new(), width };
    paper.put_answer(report, true);
    for section in &report.sections {
        paper.put_section(section, shows_all);
    }
    paper.text.push('\n');
    paper.put_words("", "    ", &counts(report));
    // Whoever sees the end of a long text only sees the answer, too.
    if report.first_error().is_some() {
        paper.text.push('\n');
        paper.put_answer(report, false);
    }
    paper.text
}

/// A text that grows line by line.
struct Paper {
    text: String,
    width: usize,
}

impl Paper {
    /// What is wrong, why, and what to type.
    fn put_answer(&mut self, report: &Report, is_whole: bool) {
        let checks = || report.sections.iter().flat_map(|section| &section.checks);
        let Some(first) = report.first_error() else {
            let has_risk = checks().any(|check| matches!(check.outcome, Outcome::Fail(_)));
            return self.put_headline(if has_risk { "RISK" } else { "ok" }, &verdict(report));
        };
        self.put_headline("FAIL", &verdict(report));
        self.put("cause", first.outcome.reason().unwrap_or_default());
        if let Some(subject) = &first.subject {
            self.put("about", subject);
        }
        match first.fixes.first() {
            Some(Fix::Lines { place, lines }) if !is_whole && lines.lines().count() > MAX_REPEATED_LINES => {
                self.put("fix", &format!("the lines above, in {place}"));
            }
            Some(fix) => self.put_fix(fix),
            None => first.evidence.iter().filter_map(|seen| seen.strip_prefix("hint: ")).for_each(|hint| {
                self.put("hint", hint);
            }),
        }
        self.put("check", first.definition.id);
    }

    fn put_section(&mut self, section: &Section, shows_all: bool) {
        let title = match section.context {
            Context::Runner => "RUNNER: the process of gitlab-runner, for `image:` and `services:`",
            Context::JobHost => "JOB HOST: the machine whose Docker engine runs jobs",
            Context::Job => "JOB: this container, for `docker` in the script",
        };
        self.text.push('\n');
        self.put_words("", "    ", title);
        for by in &section.known_by {
            self.put_words("      known by ", "               ", by);
        }
        for (place, check) in section.checks.iter().enumerate() {
            match &check.outcome {
                Outcome::Fail(reason) => self.put_failed(check, reason),
                _ if shows_all => self.put_headline(word(check), &headline(check)),
                Outcome::Pass | Outcome::NotApplicable(_) => {}
                Outcome::Skipped(reason) => {
                    let is_same = |other: &&Check| other.outcome == check.outcome;
                    let before = section.checks.iter().take(place).any(|other| is_same(&other));
                    match section.checks.iter().filter(is_same).count() {
                        _ if before => {}
                        1 => self.put_headline("skip", &headline(check)),
                        several => self.put_headline("skip", &format!("{several} checks: {reason}")),
                    }
                }
            }
        }
        let passed = section.checks.iter().filter(|check| check.outcome == Outcome::Pass).count();
        if !shows_all && passed > 0 {
            let checks = if passed == 1 { "check" } else { "checks" };
            self.put_headline("ok", &format!("{passed} {checks}, which --all lists"));
        }
    }

    /// A check that failed: what is wrong, and never what would be true if it had passed.
    fn put_failed(&mut self, check: &Check, reason: &str) {
        let subject = check.subject.as_ref().map(|subject| format!(" [{subject}]")).unwrap_or_default();
        self.put_headline(word(check), &format!("{reason}{subject}"));
        self.put("because", check.definition.why);
        self.put("check", check.definition.id);
        check.evidence.iter().for_each(|seen| self.put("seen", seen));
        check.fixes.iter().for_each(|fix| self.put_fix(fix));
    }

    /// A command, or lines, as they are: they are copied.
    fn put_fix(&mut self, fix: &Fix) {
        match fix {
            Fix::Command { command, .. } => self.put_as_it_is("fix", command),
            Fix::Lines { place, lines } => {
                self.put("fix", &format!("in {place}:"));
                self.put_as_it_is("", lines);
            }
            Fix::Advice { text: advice } => self.put("advice", advice),
        }
    }

    fn put_headline(&mut self, word: &str, text: &str) {
        self.put_words(&format!("{word:<5} "), "      ", text);
    }

    fn put(&mut self, name: &str, text: &str) {
        self.put_words(&format!("      {name:<8} "), "               ", text);
    }

    fn put_words(&mut self, first: &str, rest: &str, text: &str) {
        let _ = writeln!(self.text, "{}", wrapped(first, rest, text, self.width));
    }

    fn put_as_it_is(&mut self, name: &str, lines: &str) {
        for (number, line) in lines.lines().enumerate() {
            let name = if number == 0 { name } else { "" };
            let _ = writeln!(self.text, "      {name:<8} {line}");
        }
    }
}

/// What a check that did not fail is about, and why it is not known where it is not.
fn headline(check: &Check) -> String {
    let title = check.definition.title;
    let mut line = match &check.outcome {
        Outcome::Pass | Outcome::Fail(_) => title.to_owned(),
        Outcome::Skipped(reason) | Outcome::NotApplicable(reason) => format!("{title}: {reason}"),
    };
    if let Some(subject) = &check.subject {
        let _ = write!(line, " [{subject}]");
    }
    line
}

fn word(check: &Check) -> &'static str {
    match (&check.outcome, check.definition.weight) {
        (Outcome::Pass, _) => "ok",
        (Outcome::Fail(_), Weight::Error) => "FAIL",
        (Outcome::Fail(_), Weight::Risk) => "RISK",
        (Outcome::Skipped(_), _) => "skip",
        (Outcome::NotApplicable(_), _) => "n/a",
    }
}

fn counts(report: &Report) -> String {
    let words: Vec<&str> =
        report.sections.iter().flat_map(|section| &section.checks).map(|check| word(check)).collect();
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    format!(
        "{} checks: {} passed, {} failed, {} {}, {} skipped, {} not applicable",
        words.len(),
        count("ok"),
        count("FAIL"),
        count("RISK"),
        if count("RISK") == 1 { "risk" } else { "risks" },
        count("skip"),
        count("n/a")
    )
}

#[cfg(test)]
mod tests {
    use ecru_doctor::report::{Definition, Station};

    use super::*;

    static FOUND: Definition = Definition {
        id: "runner.identity.found",
        context: Context::Runner,
        station: Station::Identity,
        weight: Weight::Error,
        title: "an AWS identity is found",
        why: "Without an identity there is no password for a private registry.",
    };

    const COMMAND: &str = "ecru setup runner --registry 000000000000.dkr.ecr.us-east-1.amazonaws.com --aws-env AWS_PROFILE=PROFILE";

    fn shown(checks: Vec<Check>, width: usize) -> String {
        let section = Section { context: Context::Runner, known_by: vec!["--context".to_owned()], checks };
        text(&Report { sections: vec![section] }, false, width)
    }

    fn failed() -> Check {
        let fix = Fix::Command { command: COMMAND.to_owned(), by_setup: false };
        Check::fail(&FOUND, "no AWS identity was found").seen("word ".repeat(60)).fix(fix)
    }

    #[test]
    fn the_answer_is_first_and_last() {
        let shown = shown(vec![Check::pass(&FOUND), failed(), Check::pass(&FOUND)], 80);
        let answer = format!(
            "FAIL  The credential stops in the runner: identity\n      cause    no AWS identity was found\n      fix      \
             {COMMAND}\n      check    runner.identity.found\n"
        );
        assert!(shown.starts_with(&answer) && shown.ends_with(&answer), "{shown}");
        assert!(shown.contains("ok    2 checks, which --all lists"), "{shown}");
        assert!(!shown.contains(FOUND.title), "what failed is not told as if it were true: {shown}");
    }

    #[test]
    fn lines_fit_the_width_but_for_what_is_copied() {
        let shown = shown(vec![failed()], 60);
        let wide: Vec<&str> =
            shown.lines().filter(|line| line.len() > 60 && !line.contains(COMMAND)).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }

    #[test]
    fn a_long_fix_is_told_once_and_a_hint_stands_in_for_none() {
        let lines = Fix::Lines { place: "a policy".to_owned(), lines: "x\n".repeat(20) };
        let check = Check::fail(&FOUND, "denied").fix(lines);
        assert!(
            shown(vec![check], 80)
                .ends_with("fix      the lines above, in a policy\n      check    runner.identity.found\n")
        );
        let check = Check::fail(&FOUND, "throttled").seen("hint: wait");
        assert!(shown(vec![check], 80).contains("cause    throttled\n      hint     wait\n"));
    }

    #[test]
    fn what_waits_for_the_same_is_told_once() {
        let skipped = || Check::skipped(&FOUND, "nobody is to be asked");
        let shown = shown(vec![skipped(), skipped(), Check::skipped(&FOUND, "no right")], 80);
        assert_eq!(shown.matches("nobody is to be asked").count(), 1, "{shown}");
        assert!(shown.contains("skip  2 checks: nobody is to be asked\n"), "{shown}");
        assert!(shown.contains("skip  an AWS identity is found: no right\n"), "{shown}");
    }
}
