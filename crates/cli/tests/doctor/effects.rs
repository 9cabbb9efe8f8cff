//! What is printed as a fix changes what it is printed for.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::machine::{HOST, Machine, checks, failures};

const DOCKER_CONFIG: &str = "/root/.docker/config.json";

fn failed(diagnosis: &Value, id: &str) -> Value {
    let is_it = |check: &Value| check["id"] == id && check["outcome"] == "fail";
    checks(diagnosis).into_iter().find(is_it).unwrap_or_else(|| panic!("{id} does not fail: {diagnosis:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_others_that_fails_is_to_go_or_to_be_mended() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.write(
        DOCKER_CONFIG,
        &format!(r#"{{"auths":{{"h":{{"auth":"dTpw"}}}},"credsStore":"pass","credHelpers":{{"{HOST}":"ecr-login"}}}}"#),
    );
    let pass = "/usr/local/bin/docker-credential-pass";
    machine.write(pass, "#!/bin/sh\necho 'pass not initialized'\nexit 1\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.place_of(pass), mode).expect("a mode");
    let diagnosis = machine.diagnosis(&[]);
    let file = machine.place_of(DOCKER_CONFIG).display().to_string();
    for id in ["runner.sources.kept", "runner.registry.credentials"] {
        let fixes = failed(&diagnosis, id)["fixes"].clone();
        let wanted = format!(
            "remove `credsStore: pass` from {file}, or make `docker-credential-pass list` work as user root"
        );
        assert_eq!(fixes[0]["text"], wanted, "{id}");
    }

    machine.write(
        DOCKER_CONFIG,
        &format!(r#"{{"credHelpers":{{"registry.example":"pass","{HOST}":"ecr-login"}}}}"#),
    );
    let fixes = failed(&machine.diagnosis(&[]), "runner.sources.kept")["fixes"].clone();
    let wanted = format!(
        "remove `registry.example` from `credHelpers` of {file}, or make `docker-credential-pass get` work as user root"
    );
    assert_eq!(fixes[0]["text"], wanted);

    machine.write(DOCKER_CONFIG, &format!(r#"{{"credHelpers":{{"{HOST}":"ecr-login"}}}}"#));
    assert_eq!(failures(&machine.diagnosis(&[])), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_taken_away_by_the_command() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.write(DOCKER_CONFIG, &format!("\u{feff}{{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}"));
    let check = failed(&machine.diagnosis(&["--no-exec"]), "runner.docker-config.well-formed");
    assert!(check["reason"].as_str().is_some_and(|reason| reason.contains("byte order mark")), "{check}");
    let command = check["fixes"][0]["command"].as_str().expect("a command");
    let status = Command::new("/bin/sh").args(["-c", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
    assert_eq!(failures(&machine.diagnosis(&[])), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_disturbs_docker_is_to_be_removed() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    let config = |entry: &str| {
        format!(
            "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\nenvironment = [{entry}]\n[runners.docker]\n\
             image = \"{HOST}/shop/build:1\"\n"
        )
    };
    let entry = format!("'DOCKER_AUTH_CONFIG={{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}'");
    machine.write("/etc/gitlab-runner/config.toml", &config(&entry));
    let check = failed(&machine.diagnosis(&["--no-exec"]), "runner.auth-config.docker-cli");
    let advice = check["fixes"][0]["text"].as_str().expect("advice");
    assert!(advice.contains("remove DOCKER_AUTH_CONFIG from `environment`"), "{advice}");
    assert!(advice.ends_with("/etc/gitlab-runner/config.toml, line 4"), "{advice}");
    assert!(advice.contains(&format!("ecru setup runner --registry {HOST}")), "{advice}");

    machine.write("/etc/gitlab-runner/config.toml", &config(""));
    let is_told = checks(&machine.diagnosis(&[])).iter().any(|check| check["outcome"] == "fail");
    assert!(!is_told);
}
