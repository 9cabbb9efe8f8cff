//! The forms for GitLab, read as GitLab reads them.

use std::collections::HashSet;

use roxmltree::{Document, Node};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stage::Stage;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/monorepo/.gitlab-ci.yml");
const EXAMPLE_IMAGES: [&str; 2] = ["team/job", "team/catalog"];

/// A test case of a JUnit report, as far as GitLab takes it (GitLab, `lib/gitlab/ci/parsers/test/junit.rb`).
#[derive(Debug, PartialEq, Eq)]
struct TestCase {
    name: String,
    class: String,
    file: Option<String>,
    status: &'static str,
    output: String,
}

/// The cases of a report: `testsuites`, in it `testsuite`, in it `testcase`. Its counts must be true.
fn junit(xml: &str) -> Vec<TestCase> {
    let document = Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let mut cases = Vec::new();
    for suite in elements(root) {
        assert_eq!(suite.tag_name().name(), "testsuite");
        let of_suite: Vec<TestCase> = elements(suite).map(test_case).collect();
        assert_counts(suite, &of_suite);
        cases.extend(of_suite);
    }
    assert_counts(root, &cases);
    cases
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

fn test_case(node: Node<'_, '_>) -> TestCase {
    assert_eq!(node.tag_name().name(), "testcase");
    let attribute = |name: &str| node.attribute(name).map(str::to_owned);
    // GitLab takes the first of these that is there.
    let status = ["failure", "error", "skipped"];
    let found =
        status.into_iter().find_map(|name| Some((name, elements(node).find(|it| it.has_tag_name(name))?)));
    let (status, output) = match found {
        Some((status, node)) => {
            let message = node.attribute("message").unwrap_or_default();
            (status, format!("{message}\n{}", node.text().unwrap_or_default()))
        }
        None => ("success", String::new()),
    };
    TestCase {
        name: attribute("name").expect("a name"),
        class: attribute("classname").expect("a class name"),
        file: attribute("file"),
        status,
        output,
    }
}

fn assert_counts(node: Node<'_, '_>, cases: &[TestCase]) {
    let count = |status: &str| cases.iter().filter(|case| case.status == status).count().to_string();
    assert_eq!(node.attribute("tests"), Some(cases.len().to_string().as_str()));
    assert_eq!(node.attribute("failures"), Some(count("failure").as_str()));
    assert_eq!(node.attribute("errors"), Some(count("error").as_str()));
}

/// An entry of a Code Quality report: what GitLab's documentation lists, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: Severity,
    location: Location,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Info,
    Minor,
    Critical,
    Blocker,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    begin: usize,
}

fn code_quality(json: &str) -> Vec<Finding> {
    let findings: Vec<Finding> = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    for finding in &findings {
        assert!(finding.check_name.starts_with("ecru/") && !finding.description.is_empty(), "{finding:?}");
        assert!(finding.location.lines.begin >= 1, "{finding:?}");
        assert!(
            finding.location.path.starts_with(|first: char| first != '.' && first != '/')
                || finding.location.path == ".gitlab-ci.yml",
            "a path below the project: {finding:?}"
        );
    }
    let fingerprints: HashSet<&str> = findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    assert_eq!(
        fingerprints.len(),
        findings.len(),
        "GitLab keeps one finding of each fingerprint: {findings:#?}"
    );
    findings
}

/// Names with all that XML and terminals take in another way.
fn odd_pipeline(registry: &str) -> String {
    json!({
        "variables": { "DOCKER_AUTH_CONFIG": r#"{"credsStore": "ecr-login"}"# },
        "there <&> \"quoted\" ]]> \u{1b}[31m": { "image": format!("{registry}/team/app:1"), "script": ["x"] },
        "gone": { "image": format!("{registry}/team/app:2"), "script": ["x"],
                  "services": [format!("{registry}/team/app:1"), format!("{registry}/team/app:1")] },
        "like gone": { "image": format!("{registry}/team/app:2"), "script": ["x"],
                       "services": [format!("{registry}/team/app:1"), format!("{registry}/team/app:1")] },
        "unknown": { "image": "$CI_REGISTRY_IMAGE/<x>", "script": ["x"] },
        "unreadable <&>": { "image": 1, "script": ["x"] },
        "default": { "interruptible": true },
        "none": { "script": ["x"] },
        "none either": { "script": ["x"] },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn gitlab_can_read_what_it_is_given() {
    let stage = Stage::new().await;
    stage.write(".gitlab-ci.yml", &odd_pipeline(&stage.registry));
    let (code, report) = stage.check_json("ecru", &["./.gitlab-ci.yml"]);
    assert_eq!(code, Some(1), "{report:#}");

    let cases = junit(&stage.check("ecru", &["--format", "junit"]).stdout);
    let listed = |list: &str| report[list].as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut expected: Vec<(String, &str)> = Vec::new();
    for image in listed("images") {
        let status = match image["status"].as_str() {
            Some("ok") => "success",
            Some("failed") => "failure",
            other => panic!("{other:?}"),
        };
        expected.push((text(&image["image"]), status));
    }
    expected.extend(listed("unresolved").iter().map(|image| (text(&image["image"]), "skipped")));
    expected.extend(listed("failed_jobs").iter().map(|job| (text(&job["job"]), "error")));
    let told: Vec<(String, &str)> = cases.iter().map(|case| (case.name.clone(), case.status)).collect();
    assert_eq!(told, expected);
    assert!(cases.iter().all(|case| case.class == "ecru check"));
    let gone = cases.iter().find(|case| case.status == "failure").expect("an image is gone");
    assert_eq!(gone.file.as_deref(), Some(".gitlab-ci.yml"));
    assert!(gone.output.contains("the repository has no such image"), "{gone:?}");
    assert!(gone.output.contains("used by gone\nused by like gone"), "{gone:?}");

    let findings = code_quality(&stage.check("ecru", &["--format", "codequality"]).stdout);
    let problems = listed("images").iter().filter(|image| image["status"] == "failed").count();
    let others = ["unresolved", "failed_jobs", "warnings"].map(|list| listed(list).len());
    assert_eq!(findings.len(), problems + others.iter().sum::<usize>(), "{findings:#?}");
    let described = |part: &str| findings.iter().any(|finding| finding.description.contains(part));
    assert!(described("none: names no image") && described("none either: names no image"), "{findings:#?}");
    let critical = findings.iter().filter(|finding| matches!(finding.severity, Severity::Critical));
    assert_eq!(critical.count(), problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_checked_against_emulated_registries() {
    let stage = Stage::new().await;
    for repository in EXAMPLE_IMAGES {
        stage.push(repository, "1").await;
    }
    let registry = format!("REGISTRY={}", stage.registry);
    let said = stage.check("ecru", &[EXAMPLE, "-e", &registry]);
    assert_eq!(said.code, Some(0), "{}", said.stdout);
    assert!(said.stdout.contains("8 jobs, 2 images: 2 ok, 0 failed"), "{}", said.stdout);
    assert!(said.stdout.contains("(service catalog)"), "{}", said.stdout);
    let cases = junit(&stage.check("ecru", &[EXAMPLE, "-e", &registry, "--format", "junit"]).stdout);
    let told: Vec<(&str, &str)> = cases.iter().map(|case| (case.name.as_str(), case.status)).collect();
    let names = EXAMPLE_IMAGES.map(|repository| format!("{}/{repository}:1", stage.registry));
    assert_eq!(told, names.each_ref().map(|name| (name.as_str(), "success")));

    let said = stage.check("ecru", &[EXAMPLE, "-e", &registry, "-e", "JOB_VERSION=2", "--format", "junit"]);
    assert_eq!(said.code, Some(1));
    let failed = junit(&said.stdout).into_iter().filter(|case| case.status == "failure");
    assert_eq!(failed.map(|case| case.name).collect::<Vec<_>>(), [format!("{}/team/job:2", stage.registry)]);
}
