//! Runners that send nothing, because somebody else pulls, and runners that pull from different registries.

use super::machine::{HOST, Machine, checks, failures};

const CONFIG: &str = "/etc/gitlab-runner/config.toml";

/// A service that nobody gives an identity.
async fn machine(config: &str) -> Machine {
    let machine = Machine::with_unit().await;
    let nobody = "[Service]\nEnvironment=AWS_EC2_METADATA_DISABLED=true\n";
    machine.write("/etc/systemd/system/gitlab-runner.service.d/zz.conf", nobody);
    machine.write(CONFIG, config);
    machine
}

fn kubernetes() -> String {
    format!(
        "[[runners]]\nname = \"pods\"\nexecutor = \"kubernetes\"\n[runners.kubernetes]\nimage = \
         \"{HOST}/shop/build:1\"\nimage_pull_secrets = [\"ecr\"]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_that_pulls_as_its_node_needs_nothing_of_the_runner() {
    let machine = machine(&kubernetes()).await;
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    let image = format!("{HOST}/shop/build:1");
    assert_eq!(failures(&machine.diagnosis(&["--image", &image])), Vec::<String>::new());
    for id in ["runner.settings.named", "runner.registry.credentials"] {
        let check = checks(&diagnosis).into_iter().find(|check| check["id"] == id).expect("the check");
        assert_eq!(check["outcome"], "not-applicable", "{check}");
        assert!(check["reason"].as_str().is_some_and(|reason| reason.contains("kubelet")), "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_that_pull_nothing_need_nothing() {
    for executor in ["shell", "instance"] {
        let machine = machine(&format!(
            "[[runners]]\nname = \"a\"\nexecutor = \"{executor}\"\n[runners.docker]\nimage = \"{HOST}/a:1\"\n"
        ))
        .await;
        assert_eq!(failures(&machine.diagnosis(&[])), Vec::<String>::new(), "{executor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registries_of_pods_stand_in_the_command() {
    let machine =
        machine(&format!("[[runners]]\nname = \"a\"\nexecutor = \"docker\"\n{}", kubernetes())).await;
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let check = checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.settings.named");
    let command = check.expect("the check")["fixes"][0]["command"].clone();
    let wanted = format!("ecru setup runner --registry {HOST} ");
    assert!(command.as_str().is_some_and(|command| command.starts_with(&wanted)), "{command}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_is_not_asked_for_the_registries_of_another() {
    let machine = Machine::with_unit().await;
    machine.install_helper("/usr/local/bin");
    let runner = |name: &str, value: &str| {
        format!(
            "[[runners]]\nname = \"{name}\"\nexecutor = \"docker\"\nenvironment = \
             ['DOCKER_AUTH_CONFIG={value}']\n"
        )
    };
    let a = runner("a", &format!("{{\"credHelpers\":{{\"{HOST}\":\"ecr-login\"}}}}"));
    let b = runner("b", r#"{"auths":{"registry.gitlab.com":{"auth":"dTpw"}}}"#);
    machine.write(CONFIG, &[a.as_str(), &b].concat());
    assert_eq!(failures(&machine.diagnosis(&[])), Vec::<String>::new());

    let b = format!("{b}[runners.docker]\nimage = \"{HOST}/shop/build:1\"\n");
    machine.write(CONFIG, &[a, b].concat());
    let failed = failures(&machine.diagnosis(&[]));
    assert!(failed[0].contains("no source names it") && failed[0].contains("(b)"), "{failed:?}");
}
