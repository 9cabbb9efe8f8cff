//! Helpers that cannot be started, and versions that do not start them.

use std::os::unix::fs::PermissionsExt as _;

use ecru_testkit::assert_no_leak;
use serde_json::Value;

use super::machine::{HOST, Machine, checks};

const HELPER: &str = "/usr/local/bin/docker-credential-ecr-login";

/// Before the program that the unit starts: that one must be no script, which could set anything.
const RUNNER: &str = "/usr/local/bin/gitlab-runner";

async fn set_up() -> Machine {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine
}

fn first(diagnosis: &Value) -> &str {
    diagnosis["first_failure"].as_str().unwrap_or("nothing")
}

fn make_executable(machine: &Machine, path: &str) {
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.place_of(path), mode).expect("a mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_may_not_be_executed_gets_the_right_by_the_command_that_is_printed() {
    let machine = set_up().await;
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(machine.place_of(HELPER), mode).expect("a mode");
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(first(&diagnosis), "runner.helper.executable");
    let failed = checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.helper.executable");
    let command = failed.expect("the check")["fixes"][0]["command"].clone();
    let command = command.as_str().expect("a command");
    let status = std::process::Command::new("/bin/sh").args(["-c", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
    assert_eq!(first(&machine.diagnosis(&[])), "nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_no_program_of_this_machine_is_replaced() {
    // The header of a program for s390x, big-endian: class, order and version, then type, machine and version.
    let mut header = b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x16\0\0\0\x01".to_vec();
    header.resize(64, 0);
    let foreign = String::from_utf8(header).expect("bytes below 128");
    for (content, reason) in [
        (foreign.as_str(), "S390x"),
        ("#!/nowhere/sh\nexit 0\n", "/nowhere/sh"),
        ("no program\n", "neither a program nor a script"),
    ] {
        let machine = set_up().await;
        std::fs::remove_file(machine.place_of(HELPER)).expect("the helper");
        machine.write(HELPER, content);
        make_executable(&machine, HELPER);
        let diagnosis = machine.diagnosis(&[]);
        assert_eq!(first(&diagnosis), "runner.helper.architecture", "{reason}");
        assert!(diagnosis.to_string().contains(reason), "{reason}: {diagnosis}");
        let said = machine.doctor(&["--fix", "--yes"]);
        assert_eq!(said.code, Some(0), "{reason}: {}{}", said.stdout, said.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_an_allow_list_does_not_run_what_a_variable_names() {
    let machine = set_up().await;
    std::fs::remove_file(machine.place_of("/root/.docker/config.json")).expect("the file");
    let value =
        format!("environment = ['DOCKER_AUTH_CONFIG={{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}']\n");
    machine.write(
        "/etc/gitlab-runner/config.toml",
        &format!("[[runners]]\nname = \"a\"\nexecutor = \"docker\"\n{value}"),
    );
    machine.write(RUNNER, "#!/bin/sh\necho 'Version:      19.3.2'\n");
    make_executable(&machine, RUNNER);
    assert_eq!(first(&machine.diagnosis(&[])), "runner.version.allows-helpers");
    assert_eq!(first(&machine.diagnosis(&["--runner-version", "19.3.1"])), "nothing", "it came with 19.3.2");
    let said = machine.doctor(&["--fix", "--yes"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_from_before_helpers_is_too_old() {
    let machine = set_up().await;
    machine.write(RUNNER, "#!/bin/sh\necho 'Version:      11.2.0'\n");
    make_executable(&machine, RUNNER);
    assert_eq!(first(&machine.diagnosis(&[])), "runner.version.supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_has_one_form() {
    let machine = Machine::with_unit().await;
    let said = machine.doctor(&["--fix", "--format", "json"]);
    assert_eq!(said.code, Some(80), "{}{}", said.stdout, said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_tells_what_a_broken_helper_tells() {
    let machine = Machine::with_unit().await;
    machine.write("/root/.docker/config.json", r#"{"credHelpers":{"localhost:5000":"ecr-login"}}"#);
    let answer = r#"{"ServerURL":"","Username":"AWS","Secret":"hunter2-hunter2"}"#;
    machine.write(HELPER, &format!("#!/bin/sh\necho '{answer}'\necho '{answer}' >&2\nexit 1\n"));
    make_executable(&machine, HELPER);
    let image = machine.with_addresses("localhost:5000/shop/build:1");
    for format in ["text", "json", "junit"] {
        let said = machine.doctor(&["--format", format, "--image", &image]);
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        assert!(said.stdout.contains("runner.sources.kept"), "{}", said.stdout);
        assert_no_leak(&said.stdout, &["hunter2-hunter2"]);
    }
}

/// Root takes what is the system's into its hands, and never what is a person's.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_a_home_directory_stays_its_owner_s() {
    let machine = set_up().await;
    machine.write(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/sh\nd:x:1:1::/opt:/x\n",
    );
    machine.write(
        "/etc/systemd/system/gitlab-runner.service.d/path.conf",
        "[Service]\nEnvironment=PATH=/home/ubuntu/bin:/opt/shared:/usr/local/bin\n",
    );
    for folder in ["/home/ubuntu/bin", "/home/ubuntu", "/opt/shared"] {
        machine.write(&format!("{folder}/.keep"), "");
        let mode = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(machine.place_of(folder), mode).expect("a mode");
    }
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let check = checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.helper.owner");
    let check = check.expect("the check");
    let place = |path: &str| machine.place_of(path).display().to_string();
    assert!(
        check["reason"].as_str().is_some_and(|reason| reason.contains(&place("/home/ubuntu/bin"))),
        "{check}"
    );
    let shared = place("/opt/shared");
    assert!(check["fixes"][0]["command"].to_string().contains(&shared), "{check}");
    assert!(!check["fixes"][0]["command"].to_string().contains("ubuntu"), "{check}");
    let advice = check["fixes"][1]["text"].as_str().expect("advice");
    assert!(advice.starts_with("take /home/ubuntu/bin out of the service's PATH"), "{advice}");
}
