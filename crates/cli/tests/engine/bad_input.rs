//! What `ecru run` says when an image, a credential or a service is the matter; the engine looks as before.

use ecru_testkit::{Reply, StubHelper, assert_no_leak, snapshot_settings};

use crate::stage::Stage;

/// Runs the job `prove` of `pipeline` and holds exit code and standard error against the snapshot `name`.
fn shows(name: &str, stage: Stage, pipeline: &str, arguments: &[&str]) {
    stage.write(".gitlab-ci.yml", pipeline);
    let output = stage.ecru(&[&["run", "prove", "--plain"], arguments].concat());
    let text = format!(
        "--- exit code\n{}\n--- standard output\n{}--- standard error\n{}",
        output.status.code().expect("it ends by itself"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut settings = snapshot_settings(stage.sandbox.root());
    // What another test has pulled meanwhile is not pulled again.
    settings.add_filter(r"pulled (\S+)( \([^)]*\))? in", "pulled $1 ([SIZE]) in");
    // Engines of different ages put different words before those of the registry.
    settings.add_filter(
        r"denied by `(\S+)`: .*(no basic auth credentials|User: )",
        "denied by `$1`: [ENGINE] $2",
    );
    settings.add_filter(r"was not found: .*", "was not found: [ENGINE]");
    settings.bind(|| insta::assert_snapshot!(name, text));
    stage.strike();
}

const WITH_HELPER: &str = "variables: {DOCKER_AUTH_CONFIG: '{\"credsStore\":\"ecr-login\"}'}\n";

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn missing_tag() {
    let pipeline = format!("{WITH_HELPER}prove: {{image: 'REGISTRY/team/job:nope', script: [x]}}\n");
    shows("missing_tag", Stage::set(&[]), &pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn missing_repository() {
    let pipeline = format!("{WITH_HELPER}prove: {{image: 'REGISTRY/team/nope:1', script: [x]}}\n");
    shows("missing_repository", Stage::set(&[]), &pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn no_credentials() {
    let pipeline = "prove: {image: 'REGISTRY/team/job:1', script: [x]}\n";
    shows("no_credentials", Stage::set(&[]), pipeline, &[]);
}

/// The helper answers as Docker expects, and what it says on standard error is not lost.
#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn no_identity() {
    let stage = Stage::set(&[]).with_variable("AWS_EC2_METADATA_DISABLED", "true");
    let pipeline = format!("{WITH_HELPER}prove: {{image: 'REGISTRY/team/job:1', script: [x]}}\n");
    shows("no_identity", stage, &pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn missing_helper() {
    let pipeline = "variables: {DOCKER_AUTH_CONFIG: '{\"credsStore\":\"nope\"}'}\n\
                    prove: {image: 'REGISTRY/team/job:1', script: [x]}\n";
    shows("missing_helper", Stage::set(&[]), pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn failing_helper() {
    let stage = Stage::set(&[]);
    let _helper =
        StubHelper::new(&stage.sandbox.bin(), "sour").on("list", &Reply::failure("the milk is sour"));
    let pipeline = "variables: {DOCKER_AUTH_CONFIG: '{\"credsStore\":\"sour\"}'}\n\
                    prove: {image: 'REGISTRY/team/job:1', script: [x]}\n";
    shows("failing_helper", stage, pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn malformed_docker_auth_config() {
    let pipeline = "variables: {DOCKER_AUTH_CONFIG: '{\"auths\":'}\n\
                    prove: {image: 'REGISTRY/team/job:1', script: [x]}\n";
    shows("malformed_docker_auth_config", Stage::set(&[]), pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn denied_pull() {
    let other = "000000000001.dkr.ecr.us-east-1.amazonaws.com=0";
    let stage = Stage::set(&["--deny-cross-account", "--registry", other]);
    let registry = stage.local_registry("000000000001.dkr.ecr.us-east-1.amazonaws.com");
    let pipeline = format!("{WITH_HELPER}prove: {{image: '{registry}/team/job:1', script: [x]}}\n");
    shows("denied_pull", stage, &pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn service_that_never_listens() {
    let stage = Stage::set(&[]);
    stage.write("config.toml", "[[runners]]\n  [runners.docker]\n    wait_for_services_timeout = 2\n");
    let pipeline = format!(
        "{WITH_HELPER}prove:\n  image: REGISTRY/team/job:1\n  services:\n    - name: REGISTRY/team/catalog:1\n      \
         alias: catalog\n      entrypoint: [/bin/sh, -c, 'echo still asleep; sleep 1000']\n  script: [x]\n"
    );
    shows("service_that_never_listens", stage, &pipeline, &["--config", "config.toml"]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn service_that_exits() {
    let pipeline = format!(
        "{WITH_HELPER}prove:\n  image: REGISTRY/team/job:1\n  services:\n    - name: REGISTRY/team/catalog:1\n      \
         alias: catalog\n      entrypoint: [/bin/sh, -c, 'echo no config; exit 7']\n  script: [x]\n"
    );
    shows("service_that_exits", Stage::set(&[]), &pipeline, &[]);
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn a_job_that_takes_too_long() {
    let stage = Stage::set(&[]);
    let pipeline = format!("{WITH_HELPER}prove: {{image: 'REGISTRY/team/job:1', script: [sleep 1000]}}\n");
    stage.write(".gitlab-ci.yml", &pipeline);
    let output = stage.ecru(&["run", "prove", "--timeout", "3"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(87), "{stderr}");
    assert!(stderr.contains("error: the job did not end within 3 s"), "{stderr}");
    stage.strike();
}

/// A password that the registry refuses is in the job's variables, in the request and in what the engine is told;
/// people see none of it.
#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn passwords_are_shown_nowhere() {
    let secret = "marker-of-a-password-that-is-wrong";
    let stage = Stage::set(&[]).with_variable("PROJECT_SECRET", secret);
    let pipeline = "prove:\n  image: REGISTRY/team/job:1\n  script: [x]\n  variables:\n    DOCKER_AUTH_CONFIG: \
                    '{\"auths\":{\"REGISTRY\":{\"username\":\"AWS\",\"password\":\"$PROJECT_SECRET\"}}}'\n";
    stage.write(".gitlab-ci.yml", pipeline);
    let output = stage.ecru(&["run", "prove", "-e", "PROJECT_SECRET"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(84), "{stderr}");
    assert!(stderr.contains("with the credentials for localhost:"), "{stderr}");
    assert_no_leak(&output.stdout, &[secret]);
    assert_no_leak(&output.stderr, &[secret]);
    stage.strike();
}
