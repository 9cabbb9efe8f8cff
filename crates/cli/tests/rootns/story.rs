//! Images go to two accounts and come back, and a job runs on them.

use crate::aws::OTHER_REGISTRY;
use crate::workstation::{ANSWER, Workstation};

pub(crate) fn play() {
    let machine = Workstation::new();
    let images = [machine.job_image(), machine.service_image(OTHER_REGISTRY)];

    for image in &images {
        machine.docker(&["push", image]);
        machine.forget(image);
        is_denied_to_a_stranger(&machine, image);
        machine.docker(&["pull", image]);
        assert_eq!(digest_by_docker(&machine, image), digest_by_skopeo(&machine, image));
        machine.forget(image);
    }
    job_runs(&machine, &images);

    // One token serves all registries of a region, whoever asks: the engine's client, skopeo, the runner.
    assert_eq!(machine.aws.token_calls(), 2);
    machine.end();
}

/// Without the helper the registry refuses, so that a pull with it proves the credentials.
fn is_denied_to_a_stranger(machine: &Workstation, image: &str) {
    let stranger = machine.sandbox.home().join("stranger");
    let mut command = machine.command("docker");
    command.env("DOCKER_CONFIG", stranger).args(["pull", image]);
    let result = command.assert().failure();
    let said = String::from_utf8_lossy(&result.get_output().stderr).into_owned();
    assert!(said.contains("no basic auth credentials"), "{said}");
}

fn digest_by_docker(machine: &Workstation, image: &str) -> String {
    let digests = machine.docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", image]);
    digests.split_once('@').unwrap().1.to_owned()
}

/// The digest according to skopeo, which also downloads and checks every blob.
fn digest_by_skopeo(machine: &Workstation, image: &str) -> String {
    let source = format!("docker://{image}");
    let copy = format!("dir:{}", machine.sandbox.root().join("copy").display());
    let skopeo = |arguments: &[&str]| {
        println!("skopeo {}", arguments.join(" "));
        let mut command = machine.command("skopeo");
        command.args(arguments);
        machine.output_of(command).trim().to_owned()
    };
    skopeo(&["--insecure-policy", "copy", &source, &copy]);
    skopeo(&["inspect", "--format", "{{.Digest}}", &source])
}

/// The runner's part: it resolves the credentials, the engine pulls, the job talks to its service.
fn job_runs(machine: &Workstation, [job, service]: &[String; 2]) {
    let folder = machine.sandbox.home().join("project");
    std::fs::create_dir(&folder).unwrap();
    let pipeline = format!(
        "greet:\n  image: {job}\n  services:\n    - name: {service}\n      alias: catalog\n  \
         script:\n    - wget -q -O - http://catalog:8080/\n"
    );
    std::fs::write(folder.join(".gitlab-ci.yml"), pipeline).unwrap();
    let runner = r#"
        [[runners]]
        name = "here"
        executor = "docker"
        environment = ['DOCKER_AUTH_CONFIG={"credsStore":"ecr-login"}']
        [runners.docker]
        image = "none"
    "#;
    std::fs::write(folder.join("config.toml"), runner).unwrap();

    let mut command = machine.command(env!("CARGO_BIN_EXE_ecru"));
    command.current_dir(&folder).args(["run", "greet", "--config", "config.toml", "--plain"]);
    let said = machine.output_of(command);
    assert!(said.lines().any(|line| line == ANSWER), "{said}");
    assert_eq!(machine.docker(&["ps", "--all", "--quiet"]), "");
    assert_eq!(machine.docker(&["network", "ls", "--quiet", "--filter", "type=custom"]), "");
}
