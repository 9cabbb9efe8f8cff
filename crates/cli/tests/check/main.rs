//! `ecru check` as a program, with the helper as the runner runs it, against emulated ECR.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

mod causes;
mod executors;
mod forms;
mod left_open;
mod mistakes;
mod proxy;
mod service_names;
mod sources;
mod stage;
mod terminal;

use serde_json::Value;

use crate::stage::Stage;

const STORE: &str = r#"variables: {DOCKER_AUTH_CONFIG: '{"credsStore": "ecr-login"}'}"#;
const DIGEST_LENGTH: usize = "sha256:".len() + 64;

/// The first image of a report whose name ends so.
fn image<'a>(report: &'a Value, end: &str) -> &'a Value {
    let images = report["images"].as_array().expect("images");
    let found = images.iter().find(|image| image["image"].as_str().is_some_and(|name| name.ends_with(end)));
    found.unwrap_or_else(|| panic!("no {end} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_exist_are_told_with_what_they_are() {
    let stage = Stage::new().await;
    let registry = &stage.registry;
    stage.write(
        ".gitlab-ci.yml",
        &format!("{STORE}\ninclude: ci/jobs.yml\na: {{image: '{registry}/team/app:1', script: [x]}}\n"),
    );
    stage.write("ci/jobs.yml", &format!("b: {{image: '{registry}/team/app:1', script: [x]}}\n"));
    let (code, report) = stage.check_json("ecru", &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["images"].as_array().map(Vec::len), Some(1));
    let app = image(&report, "team/app:1");
    assert_eq!(app["status"], "ok");
    assert_eq!(app["platforms"], serde_json::json!(["linux/amd64"]));
    assert_eq!(app["digest"].as_str().map(str::len), Some(DIGEST_LENGTH));
    assert!(app["size"].as_u64().is_some_and(|size| size > 0));
    assert_eq!(app["registry"]["region"], "us-east-1");
    assert_eq!(app["credentials"]["origin"], "credsStore `ecr-login`");
    let identity = "the access key in the environment, chosen by the default chain of the AWS SDK";
    assert_eq!(app["credentials"]["identity"], identity);
    let used_by = serde_json::json!([
        { "job": "b", "kind": "image", "names": null, "file": "ci/jobs.yml", "line": 1 },
        { "job": "a", "kind": "image", "names": null, "file": ".gitlab-ci.yml", "line": 3 },
    ]);
    assert_eq!(app["used_by"], used_by);
    let questions: Vec<_> = stage
        .emulator
        .calls()
        .iter()
        .filter(|(service, _, _)| *service == "ecr")
        .map(|(_, _, n)| n)
        .collect();
    assert!(questions.iter().sum::<u64>() <= 2, "a helper was asked more than once: {questions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_registry_has_the_identity_that_its_rule_chooses() {
    let stage = Stage::new().await;
    let registry = &stage.registry;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{registry}/team/app:1', script: [x]}}\n"));
    stage.add_to_config(
        "[[registry]]\nmatch = '000000000000.dkr.ecr.*.amazonaws.com'\nsource = 'environment'\n",
    );
    let chosen = "chosen by the rule `000000000000.dkr.ecr.*.amazonaws.com`";
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(0), "{report:#}");
    let identity = format!("the access key in the environment, {chosen}");
    assert_eq!(image(&report, "team/app:1")["credentials"]["identity"], identity);
    // `ecru whoami` has asked AWS, and tells the same in the same words.
    let whoami = stage.whoami();
    assert_eq!(
        identity,
        format!(
            "{}, chosen by {}",
            whoami["source"].as_str().expect("a source"),
            whoami["chosen_by"].as_str().expect("a rule")
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_apart_from_what_is_not_allowed() {
    let stage = Stage::new().await;
    let registry = &stage.registry;
    stage.write(
        "p.yml",
        &format!(
            "{STORE}\n\
             a: {{image: '{registry}/team/app:2', script: [x]}}\n\
             b: {{image: '{registry}/team/none:1', script: [x]}}\n\
             c: {{image: '{registry}/team/app:1', script: [x], variables: {{DOCKER_AUTH_CONFIG: '{{}}'}}}}\n\
             d: {{image: '$CI_REGISTRY_IMAGE/x', script: [x]}}\n\
             e: {{image: 1}}\n"
        ),
    );
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(1));
    assert_eq!(image(&report, "team/app:2")["problem"]["kind"], "image_missing");
    assert_eq!(image(&report, "team/none:1")["problem"]["kind"], "repository_missing");
    let anonymous = image(&report, "team/app:1");
    assert_eq!(anonymous["problem"]["kind"], "no_credentials");
    assert_eq!(
        anonymous["problem"]["hints"][0],
        format!(
            "in ~/.docker/config.json of the runner's user: {{\"credHelpers\": {{\"{registry}\": \"ecr-login\"}}}}"
        )
    );
    assert_eq!(report["unresolved"][0]["variables"], serde_json::json!(["CI_REGISTRY_IMAGE"]));
    assert_eq!(report["failed_jobs"][0]["job"], "e");
    assert_eq!(report["failed_jobs"][0]["line"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_missing_iam_action_is_named() {
    let stage = Stage::new().await;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{}/team/app:1', script: [x]}}\n", stage.registry));
    for (user, action) in [("no-manifests", "ecr:BatchGetImage"), ("no-layers", "ecr:GetDownloadUrlForLayer")]
    {
        let (code, report) = stage.check_json(user, &["p.yml"]);
        assert_eq!(code, Some(1));
        let problem = &image(&report, "team/app:1")["problem"];
        assert_eq!(problem["kind"], "denied");
        assert_eq!(problem["missing_action"], action);
        assert_eq!(problem["principal"], format!("arn:aws:iam::000000000000:user/{user}"));
        let text = stage.check(user, &["p.yml"]).stdout;
        assert!(text.contains(&format!("FAILED: denied ({action})")), "{text}");
        assert!(text.contains(&format!("hint: allow `{action}` on `arn:aws:ecr:us-east-1:")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_asks_nobody() {
    let stage = Stage::new().await;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{}/team/app:1', script: [x]}}\n", stage.registry));
    let before: u64 = stage.emulator.calls().iter().map(|(_, _, count)| count).sum();
    let (code, report) = stage.check_json("ecru", &["p.yml", "--offline"]);
    assert_eq!(code, Some(0));
    assert_eq!(image(&report, "team/app:1")["status"], "not_checked");
    let after: u64 = stage.emulator.calls().iter().map(|(_, _, count)| count).sum();
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_file_and_the_option_count_as_the_runner_counts_them() {
    let stage = Stage::new().await;
    let registry = &stage.registry;
    stage.write("p.yml", &format!("a: {{image: '{registry}/team/app:1', script: [x]}}\n"));
    let helpers = format!("{{\"credHelpers\": {{\"{registry}\": \"ecr-login\"}}}}");
    stage.write(".docker/config.json", &helpers);
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(0));
    let source = image(&report, "team/app:1")["credentials"]["source"].as_str().unwrap_or_default();
    assert!(source.ends_with(".docker/config.json"), "{source}");
    let broken = "{\"credHelpers\": {\"x.example\": \"../evil\"}}";
    let (code, report) = stage.check_json("ecru", &["p.yml", "--docker-auth-config", broken]);
    assert_eq!(code, Some(1));
    assert_eq!(image(&report, "team/app:1")["problem"]["kind"], "aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_without_a_name_of_their_own_are_warned_of() {
    let stage = Stage::new().await;
    let app = format!("{}/team/app:1", stage.registry);
    stage.write(
        "p.yml",
        &format!("{STORE}\na: {{image: '{app}', script: [x], services: ['{app}', '{app}']}}\n"),
    );
    let (code, report) = stage.check_json("ecru", &["p.yml"]);
    assert_eq!(code, Some(0));
    let kinds: Vec<&str> = report["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .filter_map(|warning| warning["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["service_alias", "service_not_started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_several_files_is_read() {
    let stage = Stage::new().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/monorepo/.gitlab-ci.yml");
    let registry = format!("REGISTRY={}", stage.registry);
    let (code, report) = stage.check_json("ecru", &[example, "--offline", "-e", &registry]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["jobs"], 8);
    assert_eq!(report["warnings"], serde_json::json!([]));
    assert_eq!(image(&report, "team/job:1")["used_by"].as_array().map(Vec::len), Some(8));
    assert_eq!(image(&report, "team/catalog:1")["used_by"][0]["kind"], "service");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let stage = Stage::new().await;
    stage.write(".gitlab-ci.yml", "include: ci/broken.yml\n");
    stage.write("ci/broken.yml", "a: b: c\n");
    let said = stage.check("ecru", &[]);
    assert_eq!(said.code, Some(80));
    assert!(
        said.stdout.starts_with("error: ci/broken.yml: line 1, column 5: not valid YAML"),
        "{}",
        said.stdout
    );
    let said = stage.check("ecru", &["nowhere.yml"]);
    assert_eq!(said.code, Some(80), "{}", said.stdout);
}
