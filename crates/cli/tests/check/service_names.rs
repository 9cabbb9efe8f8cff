//! Names of services that GitLab Runner v19.3.0 itself gave, told by the program.

use ecru_testkit::Sandbox;
use serde_json::{Value, json};

const PIPELINE: &str = "pipeline.json";

fn cases() -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("../../../gitlab/tests/vectors/gitlab-auth.json"))
        .expect("the vectors are JSON");
    vectors["service_names"].as_array().expect("a list of cases").clone()
}

/// What `ecru check` tells of a job with these services. JSON is YAML.
fn checked(services: &Value) -> Value {
    let sandbox = Sandbox::new();
    let pipeline =
        json!({ "job": { "image": "localhost:5000/job:1", "script": ["x"], "services": services } });
    std::fs::write(sandbox.home().join(PIPELINE), pipeline.to_string()).expect("a pipeline");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_ecru"));
    let output = command.args(["check", "--offline", "--format", "json", PIPELINE]).output();
    serde_json::from_slice(&output.expect("the program starts").stdout).expect("JSON")
}

/// The images that are services, with the names of their first use.
fn services(report: &Value) -> Vec<(&Value, &Value)> {
    let images = report["images"].as_array().expect("images").iter();
    let services = images.filter(|image| image["used_by"][0]["kind"] == "service");
    services.map(|image| (&image["image"], &image["used_by"][0]["names"])).collect()
}

#[test]
fn every_case_of_a_service_s_names() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let report = checked(&json!([case["image"]]));
        match case["implicit_aliases"].as_array().map(Vec::len) {
            // The runner goes on without a name, and fails when it creates the container.
            Some(0) => {
                let message = report["failed_jobs"][0]["message"].as_str().unwrap_or_default();
                assert!(
                    message.starts_with("invalid service image name `"),
                    "for {}: {report:#}",
                    case["image"]
                );
            }
            _ => assert_eq!(
                services(&report),
                [(&case["pulled_image"], &case["implicit_aliases"])],
                "for {}",
                case["image"]
            ),
        }
    }
}

#[test]
fn a_service_on_ecr_is_told_to_have_no_usable_name() {
    for case in cases() {
        let report = checked(&json!([case["image"]]));
        let warnings = report["warnings"].as_array().expect("warnings");
        let is_on_ecr = case["image"].as_str().is_some_and(|image| image.contains(".dkr.ecr."));
        assert_eq!(warnings.len(), usize::from(is_on_ecr), "for {}: {report:#}", case["image"]);
        for warning in warnings {
            assert_eq!(warning["kind"], "service_alias");
            let message = warning["message"].as_str().unwrap_or_default();
            let names = case["implicit_aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
            assert!(
                names.clone().count() > 0 && names.clone().all(|name| message.contains(name)),
                "{message}"
            );
        }
    }
}

#[test]
fn names_that_are_written_come_after_those_of_the_image_and_each_belongs_to_one_service() {
    let alias = |image: &str, alias: &str| json!({ "name": image, "alias": alias });
    let report = checked(&json!([alias("db:1", "main, db"), alias("cache:1", "main")]));
    assert_eq!(
        services(&report),
        [(&json!("db:1"), &json!(["db", "main"])), (&json!("cache:1"), &json!(["cache"]))]
    );
    assert_eq!(report["warnings"][0]["kind"], "service_name_taken");
    let twice = checked(&json!(["db:1", "db:2"]));
    assert_eq!(services(&twice), [(&json!("db:1"), &json!(["db"]))]);
    assert_eq!(twice["warnings"][0]["kind"], "service_not_started");
}
