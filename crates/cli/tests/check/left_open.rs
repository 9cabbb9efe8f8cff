//! What is missing here and may be there in a pipeline, and what no runner asks for.

use serde_json::{Value, json};

use crate::stage::Stage;
use crate::{STORE, image};

/// The kinds of the warnings of a report.
fn warnings(report: &Value) -> Vec<&str> {
    let warnings = report["warnings"].as_array().expect("warnings");
    warnings.iter().filter_map(|warning| warning["kind"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_credentials_that_are_not_known_in_full_is_left_open() {
    let stage = Stage::new().await;
    let config = format!(r#"{{"auths":{{"{}":{{"username":"AWS","password":"$PASS"}}}}}}"#, stage.registry);
    let job = json!({ "image": format!("{}/team/app:1", stage.registry), "script": ["x"] });
    let pipeline = json!({ "variables": { "DOCKER_AUTH_CONFIG": config }, "job": job });
    stage.write("p.yml", &pipeline.to_string());
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    let app = image(&report, "team/app:1");
    assert_eq!((code, &app["status"]), (Some(0), &json!("not_checked")), "{report:#}");
    let reason = "its DOCKER_AUTH_CONFIG depends on `$PASS`, which is not known here";
    assert_eq!(app["not_checked_because"], reason);
    let text = stage.check("ecru", &["p.yml"]).stdout;
    assert!(text.contains("hint: --variable PASS=VALUE"), "{text}");
    let known = format!("PASS={}", stage.password());
    let (code, report) = stage.check_json("ecru", &["p.yml", "-e", &known]);
    assert_eq!((code, &image(&report, "team/app:1")["status"]), (Some(0), &json!("ok")), "{report:#}");
    let (code, _) = stage.check_json("ecru", &["p.yml", "-e", "PASS=wrong"]);
    assert_eq!(code, Some(1), "what is known and refused is a failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_the_pipeline_may_push_is_left_open() {
    let stage = Stage::new().await;
    let job = |tag: &str| format!("{{image: '{}/team/app:{tag}', script: [x]}}", stage.registry);
    stage.write("p.yml", &format!("{STORE}\na: {}\n", job("$CI_COMMIT_SHA")));
    let commit = ["p.yml", "-e", "CI_COMMIT_SHA=0ea3e11f"];
    let (code, report) = stage.check_json("ecru", &commit);
    assert_eq!(code, Some(0), "{report:#}");
    let reason = &image(&report, "team/app:0ea3e11f")["not_checked_because"];
    assert!(reason.to_string().contains("a job of this pipeline may push it"), "{report:#}");
    stage.write("q.yml", &format!("{STORE}\na: {}\n", job("0ea3e11f")));
    assert_eq!(stage.check_json("ecru", &["q.yml"]).0, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_runner_asks_for_is_not_asked_for() {
    let stage = Stage::new().await;
    let app = |tag: &str| format!("{}/team/app:{tag}", stage.registry);
    stage.write(
        "p.yml",
        &format!(
            "{STORE}\na: {{image: '{}', script: [x], services: ['{}', '{}']}}\n\
             b: {{image: {{name: '{}', pull_policy: never}}, script: [x]}}\n",
            app("1"),
            app("1"),
            app("never-started"),
            app("built-here")
        ),
    );
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["images"].as_array().map(Vec::len), Some(1), "{report:#}");
    let kinds = warnings(&report);
    assert!(kinds.contains(&"service_not_started") && kinds.contains(&"never_pulled"), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_for_another_platform_is_told() {
    let stage = Stage::new().await;
    stage.push_for("team/arm", "1", "arm64").await;
    let write = |platform: &str| {
        let image = format!("{{name: '{}/team/arm:1'{platform}}}", stage.registry);
        stage.write("p.yml", &format!("{STORE}\na: {{image: {image}, script: [x]}}\n"));
    };
    write("");
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!((code, warnings(&report).contains(&"platform")), (Some(0), true), "{report:#}");
    let (code, report) = stage.check_json("ecru", &["p.yml", "--platform", "linux/arm64"]);
    assert_eq!((code, warnings(&report).contains(&"platform")), (Some(0), false), "{report:#}");
    let (code, report) = stage.check_json("ecru", &["p.yml", "--platform", "linux/amd64"]);
    let problem = &image(&report, "team/arm:1")["problem"];
    assert_eq!((code, &problem["kind"]), (Some(1), &json!("platform_missing")), "{report:#}");
    assert_eq!(problem["message"], "it is not for linux/amd64, but for linux/arm64");
    write(", docker: {platform: linux/s390x}");
    let (code, report) = stage.check_json("ecru", &["p.yml", "--platform", "linux/arm64"]);
    assert_eq!(code, Some(1), "the job's own platform counts: {report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_known_in_full_is_no_failure() {
    let stage = Stage::new().await;
    let app = format!("{}/team/app:1", stage.registry);
    let include = "include: [{template: Jobs/SAST.gitlab-ci.yml}]";
    stage.write(
        "p.yml",
        &format!("{include}\n{STORE}\na: {{image: '{app}', script: [x]}}\nsast: {{rules: [{{if: $A}}]}}\n"),
    );
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!((code, &report["jobs"]), (Some(0), &json!(2)), "{report:#}");
    let text = stage.check("ecru", &["p.yml"]).stdout;
    let told = "sast: is not checked: line 4, column 7: job `sast` has no `script`\n  hint: give what GitLab merges to --merged";
    assert!(text.contains(told), "{text}");
}
