//! The runner's executor decides who pulls, and from which settings.

use serde_json::{Value, json};

use super::image;
use crate::stage::Stage;

/// A report of one job, whose runner has this configuration.
fn checked(stage: &Stage, pipeline: &str, config: &str) -> (Option<i32>, Value) {
    stage.write("p.yml", pipeline);
    stage.write("config.toml", &format!("[[runners]]\n{config}"));
    stage.check_json("ecru", &["p.yml", "--config", "config.toml"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_pulls_by_rules_of_its_own() {
    let stage = Stage::new().await;
    let registry = &stage.registry;
    // A path is a plain prefix for a kubelet, and for nobody else.
    let key = format!("{registry}/te");
    let login = json!({ "auths": { key.clone(): { "username": "AWS", "password": stage.password() } } });
    let config = |executor: &str| {
        format!(
            "executor = '{executor}'\nenvironment = ['DOCKER_AUTH_CONFIG={login}']\n\
             [runners.kubernetes]\nimage = '{registry}/team/app:1'\n"
        )
    };
    let (code, report) = checked(&stage, "a: {script: [x]}\n", &config("kubernetes"));
    assert_eq!(code, Some(0), "{report:#}");
    let app = image(&report, "team/app:1");
    assert_eq!((&app["status"], &app["credentials"]["server_address"]), (&json!("ok"), &json!(key)));
    assert_eq!(report["warnings"], json!([]));
    let named = format!("a: {{image: '{registry}/team/app:1', script: [x]}}\n");
    let (code, report) = checked(&stage, &named, &config("docker"));
    assert_eq!(code, Some(1));
    assert_eq!(image(&report, "team/app:1")["problem"]["kind"], "no_credentials");

    let withheld = format!("{}use_service_account_image_pull_secrets = true\n", config("kubernetes"));
    let (code, report) = checked(&stage, "a: {script: [x]}\n", &withheld);
    assert_eq!(code, Some(1));
    let problem = &image(&report, "team/app:1")["problem"];
    assert_eq!(problem["kind"], "no_credentials");
    for told in ["`use_service_account_image_pull_secrets` keeps", "the node's own credential provider"] {
        assert!(problem["message"].to_string().contains(told), "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_without_images_asks_nobody() {
    let stage = Stage::new().await;
    let pipeline =
        format!("a: {{image: '{}/team/none:1', script: [x]}}\nb: {{script: [x]}}\n", stage.registry);
    let before: u64 = stage.emulator.calls().iter().map(|(_, _, count)| count).sum();
    let (code, report) = checked(&stage, &pipeline, "executor = 'shell'\n");
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(image(&report, "team/none:1")["status"], "not_checked");
    assert!(report["notes"].to_string().contains("executor `shell` pulls no image"), "{report:#}");
    assert_eq!(report["warnings"], json!([]));
    let after: u64 = stage.emulator.calls().iter().map(|(_, _, count)| count).sum();
    assert_eq!(before, after);
}
