//! The runner's executor decides who pulls.

use ecru_testkit::{Reply, Sandbox, StubHelper};
use serde_json::{Value, json};

use super::program::{Run, explain, write};

const HOST: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";

/// A runner with this executor, whose variable names a helper for a pattern that only a kubelet matches.
fn with_executor(executor: &str, kubernetes: &str, arguments: &[&str]) -> (Run, Vec<String>) {
    let sandbox = Sandbox::new();
    let stub = StubHelper::new(&sandbox.bin(), "ecr-login")
        .on("get", &Reply::credentials("*.dkr.ecr.*.amazonaws.com", "AWS", "s3cr3t"));
    let variable = json!({ "credHelpers": { "*.dkr.ecr.*.amazonaws.com": "ecr-login" } });
    let config = format!(
        "[[runners]]\nexecutor = '{executor}'\nenvironment = ['DOCKER_AUTH_CONFIG={variable}']\n{kubernetes}"
    );
    write(&sandbox, "config.toml", config);
    let run = explain(&sandbox, &[&[IMAGE, "--config", "config.toml"], arguments].concat(), &[]);
    let calls = stub.calls().into_iter().map(|call| call.verb).collect();
    (run, calls)
}

fn json_of(executor: &str, kubernetes: &str, arguments: &[&str]) -> (i32, Value) {
    let (run, _) = with_executor(executor, kubernetes, &[arguments, &["--format", "json"]].concat());
    (run.code, run.json())
}

#[test]
fn the_executor_chooses_the_rules_unless_somebody_asks_for_others() {
    let (code, pod) = json_of("kubernetes", "", &[]);
    assert_eq!(
        (code, &pod["context"], &pod["credential"]["username"]),
        (0, &json!("kubernetes"), &json!("AWS"))
    );
    let (code, docker) = json_of("docker+machine", "", &[]);
    assert_eq!((code, &docker["context"]), (3, &json!("runner")));
    let (code, asked) = json_of("kubernetes", "", &["--context", "runner"]);
    assert_eq!((code, &asked["context"]), (3, &json!("runner")));
    assert!(asked["notes"].to_string().contains("executor is `kubernetes`, and --context asks for another"));
    let (_, job) = json_of("kubernetes", "", &["--context", "job"]);
    assert!(!job["notes"].to_string().contains("executor"), "{job:#}");
}

#[test]
fn an_executor_without_images_asks_for_no_credentials() {
    let (run, calls) = with_executor("shell", "", &[]);
    assert_eq!(run.code, 3);
    assert!(run.stdout.starts_with("NO PULL: the executor `shell` pulls no image"), "{}", run.stdout);
    assert!(!run.stdout.contains("Pulling docker image"), "{}", run.stdout);
    assert!(calls.is_empty(), "{calls:?}");
    let (code, shown) = json_of("shell", "", &[]);
    assert_eq!((code, &shown["credential"], &shown["error"]), (3, &Value::Null, &Value::Null));
    assert_eq!(shown["rules"], "GitLab Runner 19.3.0, executor `shell`");
}

const WITHHELD: &str = "[runners.kubernetes]\nuse_service_account_image_pull_secrets = true\n";

#[test]
fn a_pod_may_not_get_the_credentials() {
    let (run, calls) = with_executor("kubernetes", WITHHELD, &[]);
    assert_eq!(run.code, 3);
    assert!(run.stdout.starts_with("NO CREDENTIALS"), "{}", run.stdout);
    for told in ["`use_service_account_image_pull_secrets` is on", "the pod does not get:\n  -  *.dkr.ecr"] {
        assert!(run.stdout.contains(told), "without {told}: {}", run.stdout);
    }
    assert_eq!(calls, ["get"], "the helper runs all the same");
    let (code, shown) = json_of("kubernetes", WITHHELD, &[]);
    assert_eq!((code, &shown["credential"]), (3, &Value::Null));
    assert_eq!(shown["entries"][0]["verdict"], "withheld");
    let (_, gets) = json_of("kubernetes", "", &[]);
    assert!(!gets["notes"].to_string().contains("use_service_account"), "{gets:#}");
}

#[test]
fn entries_are_told_as_the_kubelet_takes_them() {
    let sandbox = Sandbox::new();
    let login = json!({ "username": "u", "password": "p" });
    let keys =
        json!({ "auths": { HOST: login, "other.example": login, "*.dkr.ecr.*.amazonaws.com": login } });
    let variable = keys.to_string();
    let arguments = [IMAGE, "--context", "kubernetes", "--docker-auth-config", &variable, "--format", "json"];
    let shown = explain(&sandbox, &arguments, &[]).json();
    let verdict = |key: &str| {
        let entries = shown["entries"].as_array().expect("entries");
        entries.iter().find(|entry| entry["key"] == key).expect("the entry")["verdict"].clone()
    };
    assert_eq!(verdict(HOST), "chosen");
    assert_eq!(verdict("*.dkr.ecr.*.amazonaws.com"), "usable");
    assert_eq!(verdict("other.example"), "other-path");
}
