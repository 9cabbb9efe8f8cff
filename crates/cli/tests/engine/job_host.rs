//! `ecru doctor --context job-host` on a real engine, with the metadata where AWS's SDKs are told that it is.

use serde_json::Value;

use crate::stage::Stage;

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn a_container_looks_at_the_metadata_and_leaves_nothing() {
    let stage = Stage::set(&[]);
    let output = stage.ecru(&["doctor", "--context", "job-host", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["sections"][0]["checks"].as_array().unwrap();
    let check = |id: &str| checks.iter().find(|check| check["id"] == id).unwrap();

    assert_eq!(check("job-host.engine.answers")["outcome"], "pass", "{report:#}");
    // The emulator is on the host's loopback, where the host finds it, and a container finds its own.
    assert_eq!(check("job-host.metadata.token-required")["outcome"], "pass", "{report:#}");
    let container = check("job-host.metadata.container");
    assert_eq!(container["outcome"], "pass", "{report:#}");
    let seen = container["evidence"][0].as_str().unwrap();
    assert!(seen.starts_with("from a container: no connection to 127.0.0.1:"), "{seen}");
    stage.strike();
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn nothing_is_asked_without_leave() {
    let stage = Stage::set(&[]);
    let output = stage.ecru(&["doctor", "--context", "job-host", "--format", "json", "--no-exec"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["sections"][0]["checks"].as_array().unwrap();
    let asked = checks.iter().filter(|check| check["id"] != "job-host.user-data.arrived");
    assert!(
        asked.clone().count() > 0 && asked.clone().all(|check| check["outcome"] == "skipped"),
        "{report:#}"
    );
    stage.strike();
}
