//! What a helper or an environment does that no configuration says.

use std::os::unix::fs::PermissionsExt as _;

use ecru_testkit::{Reply, Sandbox, StubHelper};
use serde_json::json;

use super::program::{explain, write};

const HOST: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";

fn helpers(name: &str) -> String {
    json!({ "credHelpers": { HOST: name } }).to_string()
}

#[test]
fn without_home_the_account_s_own_folder_is_read() {
    let sandbox = Sandbox::new();
    let shown = explain(&sandbox, &[IMAGE, "--no-exec", "--format", "json"], &[("HOME", "")]).json();
    let source = shown["sources"][1]["source"].as_str().unwrap_or_default().to_owned();
    let home = source.strip_suffix("/.docker/config.json").expect("a file of a home directory");
    let accounts = std::fs::read_to_string("/etc/passwd").expect("accounts");
    assert!(accounts.lines().any(|line| line.split(':').nth(5) == Some(home)), "{home}");
    assert!(shown["notes"].to_string().contains(&format!("HOME is not set: {home} is")), "{shown:#}");
}

#[test]
fn what_ecru_stops_is_no_word_of_the_runner() {
    let sandbox = Sandbox::new();
    let helper = sandbox.bin().join("docker-credential-loud");
    std::fs::write(&helper, "#!/bin/sh\nyes\n").expect("a helper");
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let value = format!("--docker-auth-config={}", helpers("loud"));
    let shown = explain(&sandbox, &[IMAGE, &value, "--format", "json"], &[]).json();
    assert_eq!((&shown["warnings"], &shown["swallowed"]), (&json!([]), &json!([])), "{shown:#}");
    assert!(shown["unknown"].to_string().contains("GitLab Runner waits without end"), "{shown:#}");
    assert!(shown["helper_calls"][0]["problem"].is_string(), "{shown:#}");
}

#[test]
fn a_helper_that_fails_with_an_answer_shows_no_secret() {
    let sandbox = Sandbox::new();
    let answer = r#"{"ServerURL":"x","Username":"u","Secret":"hunter2-hunter2"}"#.to_owned();
    let _helper = StubHelper::new(&sandbox.bin(), "odd")
        .on("get", &Reply { stdout: answer, stderr: String::new(), code: 1 });
    for form in ["json", "text"] {
        let value = format!("--docker-auth-config={}", helpers("odd"));
        let run = explain(&sandbox, &[IMAGE, &value, "--format", form], &[]);
        assert!(run.stdout.contains("<redacted>") && run.stdout.contains("exit status 1"), "{}", run.stdout);
        assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    }
    write(&sandbox, ".docker/config.json", helpers("odd"));
    let run = explain(&sandbox, &[IMAGE], &[]);
    assert!(run.stdout.contains("<redacted>") && !run.stdout.contains("hunter2"), "{}", run.stdout);
}

#[test]
fn a_helper_that_prints_its_answer_as_it_goes_shows_no_secret() {
    let sandbox = Sandbox::new();
    let stdout = r#"{"ServerURL":"x","Username":"u","Secret":"hunter2-hunter2"}"#.to_owned();
    let stderr = format!("+ out='{stdout}'\n+ secret=hunter2-hunter2\n");
    let _helper = StubHelper::new(&sandbox.bin(), "traced").on("get", &Reply { stdout, stderr, code: 0 });
    for form in ["json", "text"] {
        let value = format!("--docker-auth-config={}", helpers("traced"));
        let run = explain(&sandbox, &[IMAGE, &value, "--format", form], &[]);
        assert!(run.stdout.contains("+ secret=<redacted>"), "{}", run.stdout);
        assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    }
}
