//! JUnit XML, as GitLab shows it in merge requests (GitLab, "Unit test reports").

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::credentials;
use crate::commands::check::report::{Outcome, Report};

const SUITE: &str = "ecru check";

pub(super) fn junit(report: &Report) -> String {
    let mut suite = TestSuite::new(SUITE);
    for image in &report.images {
        let mut case = match (image.problem(), &image.outcome) {
            (Some(problem), _) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let details: Vec<String> = [problem.message.clone()]
                    .into_iter()
                    .chain(problem.hints.iter().map(|hint| format!("hint: {hint}")))
                    .chain([format!("credentials: {}", credentials(&image.credentials))])
                    .chain(image.used_by.iter().map(|user| format!("used by {}", user.job)))
                    .collect();
                status
                    .set_type(problem.kind)
                    .set_message(problem.message)
                    .set_description(details.join("\n"));
                TestCase::new(image.name.as_str(), status)
            }
            (None, Outcome::Exists(_)) => TestCase::new(image.name.as_str(), TestCaseStatus::success()),
            (None, _) => TestCase::new(image.name.as_str(), skipped("not checked")),
        };
        case.set_classname(SUITE);
        if let Some(place) = image.place() {
            case.extra.insert("file".into(), place.file.as_str().into());
        }
        suite.add_test_case(case);
    }
    for image in &report.unresolved {
        let message = format!("not known here: {}", image.variables.join(", "));
        let mut case = TestCase::new(image.written.as_str(), skipped(&message));
        case.set_classname(SUITE);
        suite.add_test_case(case);
    }
    for job in &report.failed_jobs {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(job.kind).set_message(job.message.as_str());
        let mut case = TestCase::new(job.job.clone().unwrap_or_default(), status);
        case.set_classname(SUITE);
        case.extra.insert("file".into(), job.place.file.as_str().into());
        suite.add_test_case(case);
    }
    let mut junit = Junit::new(SUITE);
    junit.add_test_suite(suite);
    // Writing to memory does not fail.
    junit.to_string().unwrap_or_default()
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
