//! What ecru's helper has recorded of an earlier failure.

use ecru_testkit::Sandbox;
use serde_json::json;

use super::program::{explain, write};

const HOST: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";

/// A home in which ecru's helper is configured and has had no identity.
fn after_a_failure() -> Sandbox {
    let sandbox = Sandbox::new();
    let helper = sandbox.bin().join("docker-credential-ecr-login");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ecru"), &helper).expect("the helper");
    write(&sandbox, ".docker/config.json", json!({ "credHelpers": { HOST: "ecr-login" } }).to_string());
    let mut command = sandbox.command(&helper);
    command.arg("get").write_stdin(HOST).assert().failure();
    sandbox
}

#[test]
fn a_failure_is_told_where_no_helper_may_run() {
    let sandbox = after_a_failure();
    let shown = explain(&sandbox, &[IMAGE, "--no-exec", "--format", "json"], &[]).json();
    let told = shown["notes"].to_string();
    assert!(told.contains(&format!("when ecru's helper was last asked for {HOST}, at ")), "{told}");
    assert!(told.contains("no AWS identity was found"), "{told}");
    assert!(
        shown["hints"].to_string().contains("give the process that runs this helper an identity"),
        "{shown:#}"
    );
    let another = "000000000002.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";
    let shown = explain(&sandbox, &[another, "--no-exec", "--format", "json"], &[]).json();
    assert!(!shown["notes"].to_string().contains("last asked"), "{shown:#}");
}

#[test]
fn a_failure_that_this_run_shows_is_not_told_twice() {
    let sandbox = after_a_failure();
    let shown = explain(&sandbox, &[IMAGE, "--format", "json"], &[]).json();
    assert!(
        shown["helper_calls"][0]["stderr"].to_string().contains("no AWS identity was found"),
        "{shown:#}"
    );
    assert!(!shown["notes"].to_string().contains("last asked"), "{shown:#}");
}

#[test]
fn what_to_do_is_told_once() {
    let sandbox = after_a_failure();
    let shown = explain(&sandbox, &[IMAGE, "--format", "json"], &[]).json();
    let hints: Vec<String> =
        shown["hints"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    let distinct: std::collections::HashSet<&String> = hints.iter().collect();
    assert!(!hints.is_empty() && distinct.len() == hints.len(), "{hints:#?}");
}
