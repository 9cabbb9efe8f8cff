//! What somebody who is on call reads: causes, and commands that can be typed as they are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::machine::{HOST, Machine, check};

/// A runner that pulls from an alias of [`HOST`].
const WITH_ALIAS: &str = "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\n[runners.docker]\nimage = \
     \"localhost:5000/shop/build:1\"\n";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_stands_for_a_machine_is_only_looked_at() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    let before = files(&machine.root());
    machine.emulator.reset_calls();
    assert_eq!(machine.diagnosis(&[])["healthy"], true);
    assert!(!machine.emulator.requests().is_empty(), "a password was given");
    assert_eq!(files(&machine.root()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_set_up_as_the_registry_that_it_stands_for() {
    let machine = Machine::with_unit().await;
    machine.write("/etc/gitlab-runner/config.toml", WITH_ALIAS);
    let fix = |machine: &Machine| {
        let diagnosis = machine.diagnosis(&["--no-exec"]);
        let check = check(&diagnosis, "runner.settings.named");
        check["fixes"][0]["command"].as_str().expect("a command").to_owned()
    };
    let unknown = fix(&machine);
    assert!(unknown.starts_with("ecru setup runner --registry REGISTRY "), "{unknown}");
    let words: Vec<&str> = unknown.split(' ').skip(1).collect();
    assert_eq!(machine.ecru(&words, &[]).code, Some(80), "nobody's registry is set up");

    machine.write("/root/.config/ecru/config.toml", &format!("[alias]\n\"localhost:5000\" = \"{HOST}\"\n"));
    let known = fix(&machine);
    assert!(known.starts_with(&format!("ecru setup runner --registry {HOST} ")), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_credentials_follows_from_what_keeps_them_away() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.write(
        "/etc/systemd/system/gitlab-runner.service.d/z.conf",
        "[Service]\nEnvironment=AWS_EC2_METADATA_DISABLED=true\n",
    );
    let image = machine.with_addresses("localhost:5000/shop/build:1");
    machine.write("/root/.config/ecru/config.toml", &format!("[alias]\n\"localhost:5000\" = \"{HOST}\"\n"));
    machine.write(
        "/root/.docker/config.json",
        &format!("{{\"credHelpers\":{{\"{HOST}\":\"ecr-login\",\"localhost:5000\":\"ecr-login\"}}}}"),
    );
    let diagnosis = machine.diagnosis(&["--image", &image]);
    let image = check(&diagnosis, "runner.registry.image");
    assert_eq!(image["outcome"], "skipped", "{image}");
    assert!(image["reason"].as_str().expect("a reason").ends_with("see above"), "{image}");
    assert_eq!(image["fixes"], Value::Array(Vec::new()));
    let identity = check(&diagnosis, "runner.identity.found");
    let first = identity["fixes"][0]["text"].as_str().expect("advice");
    assert!(first.starts_with("unset AWS_EC2_METADATA_DISABLED"), "{identity}");
}
