//! Passwords of ECR that somebody has written down where the runner reads them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_testkit::assert_no_leak;
use serde_json::Value;

use super::machine::{HOST, Machine, checks, failures};

const LOGIN: &str = "runner.registry.login";
const DOCKER_CONFIG: &str = "/root/.docker/config.json";
const MARKER: &str = "hunter2-hunter2";

/// 2025-09-06 and 2096-10-02.
const PAST: u64 = 1_757_147_299;
const FUTURE: u64 = 4_000_000_000;

/// `auths` with a password for the registry that says when it expires.
fn auths(expiration: u64) -> String {
    let password = STANDARD.encode(format!(r#"{{"payload":"{MARKER}","expiration":{expiration}}}"#));
    let auth = STANDARD.encode(format!("AWS:{password}"));
    format!(r#""auths":{{"{HOST}":{{"auth":"{auth}"}}}}"#)
}

fn write_variable(machine: &Machine, value: &str) {
    let config = format!(
        "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\nenvironment = ['DOCKER_AUTH_CONFIG={value}']\n\
         [runners.docker]\nimage = \"{HOST}/shop/build:1\"\n"
    );
    machine.write("/etc/gitlab-runner/config.toml", &config);
}

fn diagnosis(machine: &Machine, arguments: &[&str]) -> Value {
    let diagnosis = machine.diagnosis(arguments);
    assert_no_leak(diagnosis.to_string(), &[MARKER]);
    diagnosis
}

fn check(diagnosis: &Value) -> Value {
    checks(diagnosis).into_iter().find(|check| check["id"] == LOGIN).expect("the check")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_expired_is_told_offline_and_by_its_place() {
    let machine = Machine::with_unit().await;
    machine.write(DOCKER_CONFIG, &format!("{{{}}}", auths(PAST)));
    let diagnosis = diagnosis(&machine, &["--no-exec"]);
    assert_eq!(diagnosis["first_failure"], LOGIN);
    let check = check(&diagnosis);
    assert_eq!(check["subject"], HOST);
    assert!(check["reason"].as_str().is_some_and(|reason| reason.contains("2025-09-06")), "{check}");
    assert!(check["evidence"].to_string().contains(DOCKER_CONFIG), "{check}");
    assert_eq!(check["fixes"][0]["by_setup"], true);
}

/// Nobody renews it, and nobody could: but what holds up the pull is the password.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_expired_comes_before_the_identity_that_is_missing() {
    let machine = Machine::with_unit().await;
    machine.write(
        "/etc/systemd/system/gitlab-runner.service.d/zz.conf",
        "[Service]\nEnvironment=AWS_EC2_METADATA_DISABLED=true\n",
    );
    machine.write(DOCKER_CONFIG, &format!("{{{}}}", auths(PAST)));
    let failed = failures(&diagnosis(&machine, &[]));
    assert!(failed[0].contains(LOGIN) && failed[1].contains("runner.identity.found"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_still_works_is_a_risk_only() {
    let machine = Machine::with_unit().await;
    machine.write(DOCKER_CONFIG, &format!("{{{}}}", auths(FUTURE)));
    let diagnosis = diagnosis(&machine, &[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert_eq!(check(&diagnosis)["outcome"], "pass");
}

/// Somebody renews it from elsewhere: the runner itself asks AWS nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_still_works_needs_no_identity() {
    let machine = Machine::with_unit().await;
    machine.write(
        "/etc/systemd/system/gitlab-runner.service.d/zz.conf",
        "[Service]\nEnvironment=AWS_EC2_METADATA_DISABLED=true\n",
    );
    machine.write(DOCKER_CONFIG, &format!("{{{}}}", auths(FUTURE)));
    assert_eq!(failures(&diagnosis(&machine, &[])), Vec::<String>::new());

    // A helper beside it is asked, and has nobody to ask for.
    let helpers = r#""credHelpers":{"000000000001.dkr.ecr.eu-west-1.amazonaws.com":"ecr-login"}"#;
    machine.write(DOCKER_CONFIG, &format!("{{{},{helpers}}}", auths(FUTURE)));
    let failed = failures(&diagnosis(&machine, &[]));
    assert!(failed.iter().any(|failure| failure.contains("runner.identity.found")), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_a_helper_takes_the_place_of_is_never_sent() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    let helpers = format!(r#""credHelpers":{{"{HOST}":"ecr-login"}}"#);
    machine.write(DOCKER_CONFIG, &format!("{{{},{helpers}}}", auths(PAST)));
    let diagnosis = diagnosis(&machine, &[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert_eq!(check(&diagnosis)["outcome"], "not-applicable");
}

/// The variable comes before the file of the home directory, and hides the helper there.
#[tokio::test(flavor = "multi_thread")]
async fn one_in_the_variable_wins_over_a_helper_that_works() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    write_variable(&machine, &format!("{{{}}}", auths(PAST)));
    let before = diagnosis(&machine, &[]);
    assert_eq!(before["first_failure"], LOGIN);
    let fix = check(&before)["fixes"][0].clone();
    assert_eq!(fix["kind"], "advice");
    assert_eq!(fix["text"], format!("remove `{HOST}` from `auths` of $DOCKER_AUTH_CONFIG"));

    write_variable(&machine, r#"{"auths":{}}"#);
    let after = diagnosis(&machine, &[]);
    assert_eq!(failures(&after), Vec::<String>::new());
}
