//! A diagnosis for people: readable without colour, causes before what follows from them.

use std::fmt::Write as _;

use ecru_doctor::report::{Check, Context, Fix, Outcome, Report, Section, Weight};

/// The whole diagnosis; what has no meaning on this machine is only counted, unless `shows_all`.
pub(super) fn text(report: &Report, shows_all: bool) -> String {
    let mut text = String::new();
    for section in &report.sections {
        put_section(&mut text, section, shows_all);
    }
    let _ = writeln!(text, "{}", counts(report));
    if let Some(Check { definition, outcome: Outcome::Fail(reason), .. }) = report.first_error() {
        let _ = writeln!(text, "Look at this first: {}: {reason}", definition.id);
    }
    text
}

fn put_section(text: &mut String, section: &Section, shows_all: bool) {
    let title = match section.context {
        Context::Runner => "RUNNER: the process of gitlab-runner, for `image:` and `services:`",
        Context::JobHost => "JOB HOST: the machine whose Docker engine runs jobs",
        Context::Job => "JOB: this container, for `docker` in the script",
    };
    let _ = writeln!(text, "{title}");
    for by in &section.known_by {
        let _ = writeln!(text, "      known by {by}");
    }
    for check in &section.checks {
        if shows_all || !matches!(check.outcome, Outcome::NotApplicable(_)) {
            put_check(text, check);
        }
    }
    text.push('\n');
}

fn put_check(text: &mut String, check: &Check) {
    let _ = writeln!(text, "{:<5} {}", word(check), headline(check));
    let Outcome::Fail(reason) = &check.outcome else { return };
    put_lines(text, "wrong", reason);
    put_lines(text, "because", check.definition.why);
    put_lines(text, "check", check.definition.id);
    for seen in &check.evidence {
        put_lines(text, "seen", seen);
    }
    for fix in &check.fixes {
        match fix {
            Fix::Command { command, .. } => put_lines(text, "fix", command),
            Fix::Lines { place, lines } => {
                put_lines(text, "fix", &format!("in {place}:\n{lines}"));
            }
            Fix::Advice { text: advice } => put_lines(text, "advice", advice),
        }
    }
}

/// Further lines stand below the first.
fn put_lines(text: &mut String, name: &str, lines: &str) {
    for (number, line) in lines.lines().enumerate() {
        let name = if number == 0 { name } else { "" };
        let _ = writeln!(text, "      {name:<8} {line}");
    }
}

/// What a check is about in one line, and why it is not known where it is not.
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
        "{} checks: {} passed, {} failed, {} risks, {} skipped, {} not applicable (--all shows them)",
        words.len(),
        count("ok"),
        count("FAIL"),
        count("RISK"),
        count("skip"),
        count("n/a")
    )
}
