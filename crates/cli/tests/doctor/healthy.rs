//! What `ecru setup runner` leaves behind is healthy, and what an operator does to it afterwards is seen.

use super::machine::{CONFIG, Machine, checks, failures};

#[tokio::test(flavor = "multi_thread")]
async fn what_setup_leaves_behind_is_healthy() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert_eq!(diagnosis["healthy"], true);
    assert_eq!(machine.doctor(&[]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_sets_up_a_machine_that_has_nothing() {
    let machine = Machine::with_unit().await;
    assert_eq!(machine.diagnosis(&[])["first_failure"], "runner.settings.named");
    let said = machine.doctor(&["--fix", "--yes"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert_eq!(machine.diagnosis(&[])["healthy"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_changes_nothing_unless_it_is_told_to() {
    let machine = Machine::with_unit().await;
    let said = machine.doctor(&["--fix"]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("Nothing was changed"), "{}", said.stdout);
    assert!(!machine.place_of("/root/.docker/config.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn risks_are_told_and_are_no_failures() {
    let machine = Machine::with_unit().await;
    let open = "pull_policy = [\"always\", \"if-not-present\"]\nprivileged = true\nnetwork_mode = \"host\"\nvolumes = \
                [\"/var/run/docker.sock:/var/run/docker.sock\"]\n";
    machine.write("/etc/gitlab-runner/config.toml", &format!("{CONFIG}{open}"));
    machine.set_up();
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    let failed: Vec<String> = checks(&diagnosis)
        .into_iter()
        .filter(|check| check["outcome"] == "fail")
        .map(|check| check["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let expected = ["pull-policy", "privileged", "engine-socket", "host-network"];
    assert_eq!(failed, expected.map(|name| format!("runner.docker.{name}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_programs_nobody_is_asked() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.emulator.reset_calls();
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert!(machine.emulator.requests().is_empty(), "AWS was asked");
    let credentials =
        checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.registry.credentials");
    assert_eq!(credentials.expect("the check")["outcome"], "skipped");
}
