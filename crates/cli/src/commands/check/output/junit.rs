//! JUnit XML, as GitLab shows it in merge requests (GitLab, "Unit test reports").

use std::collections::HashMap;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::credentials;
use crate::commands::check::report::{Outcome, Report, User};

const SUITE: &str = "ecru check";

pub(super) fn junit(report: &Report) -> String {
    let mut suite = TestSuite::new(SUITE);
    let names = Names::of(report);
    for image in &report.images {
        let name = names.unique(&image.name, &image.used_by);
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
                TestCase::new(name, status)
            }
            (None, Outcome::Exists(_)) => TestCase::new(name, TestCaseStatus::success()),
            (None, Outcome::LeftOpen { reason, .. }) => TestCase::new(name, skipped(reason)),
            (None, _) => TestCase::new(name, skipped("not checked")),
        };
        case.set_classname(SUITE);
        if let Some(place) = image.place() {
            case.extra.insert("file".into(), place.file.as_str().into());
        }
        suite.add_test_case(case);
    }
    for image in &report.unresolved {
        let message = format!("not known here: {}", image.variables.join(", "));
        let mut case = TestCase::new(names.unique(&image.written, &image.used_by), skipped(&message));
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

/// How often each name occurs. GitLab keeps one of the cases that have the same suite, class and name
/// (`lib/gitlab/ci/reports/test_case.rb`), and one image is there once for each DOCKER_AUTH_CONFIG of its jobs.
struct Names<'a>(HashMap<&'a str, usize>);

impl<'a> Names<'a> {
    fn of(report: &'a Report) -> Self {
        let images = report.images.iter().map(|image| image.name.as_str());
        let unresolved = report.unresolved.iter().map(|image| image.written.as_str());
        let mut names = HashMap::new();
        for name in images.chain(unresolved) {
            *names.entry(name).or_default() += 1;
        }
        Self(names)
    }

    /// The name, with the first job that uses it where it is not the only one of its name.
    fn unique(&self, name: &str, used_by: &[User]) -> String {
        match used_by.first().filter(|_| self.0.get(name).is_some_and(|count| *count > 1)) {
            Some(user) => format!("{name} ({})", user.job),
            None => name.to_owned(),
        }
    }
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
