//! JUnit XML, as GitLab shows it in merge requests (GitLab, "Unit test reports").

use ecru_doctor::report::{Check, Fix, Outcome, Report, Weight};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

const SUITE: &str = "ecru doctor";

pub(super) fn junit(report: &Report) -> String {
    let mut suite = TestSuite::new(SUITE);
    for check in report.sections.iter().flat_map(|section| &section.checks) {
        let name = match &check.subject {
            Some(subject) => format!("{} [{subject}]", check.definition.id),
            None => check.definition.id.to_owned(),
        };
        let mut case = TestCase::new(name, status(check));
        case.set_classname(SUITE);
        suite.add_test_case(case);
    }
    let mut junit = Junit::new(SUITE);
    junit.add_test_suite(suite);
    // Writing to memory does not fail.
    junit.to_string().unwrap_or_default()
}

/// A risk is no failure: it is told, and skipped.
fn status(check: &Check) -> TestCaseStatus {
    let skipped = |message: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(message);
        status
    };
    match &check.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail(reason) if check.definition.weight == Weight::Error => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(check.definition.id).set_message(reason.as_str()).set_description(details(check));
            status
        }
        Outcome::Fail(reason) => skipped(format!("risk: {reason}")),
        Outcome::Skipped(reason) | Outcome::NotApplicable(reason) => skipped(reason.clone()),
    }
}

fn details(check: &Check) -> String {
    let fixes = check.fixes.iter().map(|fix| match fix {
        Fix::Command { command, .. } => format!("fix: {command}"),
        Fix::Lines { place, lines } => format!("fix: in {place}:\n{lines}"),
        Fix::Advice { text } => format!("advice: {text}"),
    });
    [format!("it passes where {}", check.definition.title), check.definition.why.to_owned()]
        .into_iter()
        .chain(check.evidence.iter().map(|seen| format!("seen: {seen}")))
        .chain(fixes)
        .collect::<Vec<_>>()
        .join("\n")
}
