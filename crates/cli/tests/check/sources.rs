//! Where credentials come from, told as the runner would find them, not as this machine could.

use ecru_testkit::Sandbox;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::{STORE, image};

const HELPER: &str = "docker-credential-ecr-login";

fn without_helper(stage: &Stage) {
    std::fs::remove_file(stage.sandbox.bin().join(HELPER)).expect("the helper was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_no_runner_finds_is_a_failure() {
    let stage = Stage::new().await;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{}/team/app:1', script: [x]}}\n", stage.registry));
    without_helper(&stage);
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(1), "{report:#}");
    let problem = &image(&report, "team/app:1")["problem"];
    assert_eq!(problem["kind"], "no_credentials");
    let message = problem["message"].as_str().unwrap_or_default();
    assert!(message.contains(HELPER) && message.contains("executable file not found in $PATH"), "{message}");
    assert!(problem["hints"].to_string().contains("of the calling process's PATH"), "{problem:#}");

    let (code, report) = stage.check_json("ecru", &["p.yml", "--stand-in"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(report["notes"].to_string().contains("a runner goes without it"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_of_the_job_count_last() {
    let stage = Stage::new().await;
    let app = format!("{}/team/app:1", stage.registry);
    stage.write("p.yml", &format!("a: {{image: '{app}', script: [x]}}\n"));
    let entry = json!([{ "type": "registry", "url": stage.registry, "username": "AWS", "password": stage.password() }]);
    stage.write("job.json", &entry.to_string());
    let (code, report) = stage.check_json("ecru", &["p.yml", "--job-credentials", "job.json"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(image(&report, "team/app:1")["credentials"]["source"], "job payload (GitLab Registry)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_token_of_a_job_may_pull_is_left_open() {
    let stage = Stage::new().await;
    let (app, registry) = (format!("{}/team/app:1", stage.registry), &stage.registry);
    stage.write("p.yml", &format!("a: {{image: '{app}', script: [x]}}\n"));
    for variable in [
        format!("CI_REGISTRY={registry}"),
        format!("CI_REGISTRY_IMAGE={registry}/group/app"),
        format!("CI_DEPENDENCY_PROXY_SERVER={registry}"),
    ] {
        let (code, report) = stage.check_json("ecru", &["p.yml", "-e", &variable]);
        assert_eq!(code, Some(0), "{report:#}");
        let app = image(&report, "team/app:1");
        assert_eq!((&app["status"], &app["problem"]), (&json!("not_checked"), &Value::Null));
        assert!(app["not_checked_because"].to_string().contains("GitLab's token of the job"), "{app:#}");
        let text = stage.check("ecru", &["p.yml", "-e", &variable]).stdout;
        assert!(text.contains("hint: --job-credentials FILE"), "{text}");
    }
    // Another registry, and a job's credentials that are known and lack it.
    let (code, _) = stage.check_json("ecru", &["p.yml", "-e", "CI_REGISTRY=registry.example.org"]);
    assert_eq!(code, Some(1));
    stage.write("job.json", "[]");
    let known = ["p.yml", "--job-credentials", "job.json", "-e", &format!("CI_REGISTRY={registry}")];
    assert_eq!(stage.check_json("ecru", &known).0, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_runners_may_refuse_the_helpers_of_jobs() {
    let stage = Stage::new().await;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{}/team/app:1', script: [x]}}\n", stage.registry));
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(report["notes"].to_string().contains("only where a setting allows it"), "{report:#}");
    let (code, report) = stage.check_json("ecru", &["p.yml", "--runner-version", "19.4"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(image(&report, "team/app:1")["problem"]["kind"], "no_credentials");
    let allowed = ["p.yml", "--runner-version", "19.4", "--helpers-allowed"];
    assert_eq!(stage.check_json("ecru", &allowed).0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_token_is_sent_as_an_engine_sends_it() {
    let stage = Stage::new().await;
    let auths = json!({ "auths": { &stage.registry: { "registrytoken": "t0ken" } } }).to_string();
    let job = json!({ "image": format!("{}/team/app:1", stage.registry), "script": ["x"] });
    let pipeline = json!({ "variables": { "DOCKER_AUTH_CONFIG": auths }, "job": job });
    stage.write("p.yml", &pipeline.to_string());
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(1));
    // ECR knows no such tokens; without credentials it would say that it wants some.
    assert_eq!(image(&report, "team/app:1")["problem"]["kind"], "login_refused", "{report:#}");
}

/// A run without an emulator: standard output and error, and the exit code.
fn offline(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_ecru"));
    let command = command.args(["check", "--offline"]).args(arguments);
    let output = command.timeout(std::time::Duration::from_secs(20)).output().expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_pipeline_that_cannot_be_read_is_refused_at_once() {
    let sandbox = Sandbox::new();
    let path = |name: &str| sandbox.home().join(name);
    let made = std::process::Command::new("mkfifo").arg(path("pipe.yml")).status().expect("mkfifo");
    assert!(made.success());
    std::fs::write(path("p.yml"), "include: pipe.yml\n").expect("a pipeline");
    std::fs::write(path("latin.yml"), b"\xe9").expect("a file");
    for (name, said) in [
        ("p.yml", "it is a named pipe"),
        ("pipe.yml", "it is a named pipe"),
        ("latin.yml", "it is not UTF-8"),
    ] {
        let (code, text) = offline(&sandbox, &[name]);
        assert_eq!(code, Some(80), "{text}");
        assert!(text.contains(said) && !text.contains("name the pipeline"), "{text}");
    }
    let (code, text) = offline(&sandbox, &["nowhere.yml"]);
    assert_eq!(code, Some(80));
    assert!(text.contains("hint: name the pipeline's file: `ecru check FILE`"), "{text}");
}

#[test]
fn names_do_not_turn_the_terminal_around() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.home().join("p.yml"), "\u{202e}job: {image: 'r.example/a:1', script: [x]}\n")
        .expect("a pipeline");
    let (code, text) = offline(&sandbox, &["p.yml"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\\u{202e}job") && text.contains("1 job, 1 image: "), "{text}");
}
