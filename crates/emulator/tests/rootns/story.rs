//! What happens inside the namespaces.

use std::path::PathBuf;
use std::time::Duration;

use ecru_testkit::{Sandbox, assert_no_leak};

use crate::aws::{Aws, HOME_REGISTRY, OTHER_REGISTRY};
use crate::engine::Engine;

const HELPER: &str = "docker-credential-ecr-login";
const STEP_DEADLINE: Duration = Duration::from_secs(60);

/// A machine with an engine, docker, skopeo and the peer's helper, and somebody who is known to AWS.
struct Machine {
    sandbox: Sandbox,
    aws: Aws,
    engine: Engine,
}

/// The ways in which clients are told of the helper: a name, Docker's file, and that of containers/image, the library
/// of skopeo, which reads `credHelpers` in Docker's file but not `credsStore` (containers-registries.conf(5),
/// `credential-helpers`).
const CONFIGURATIONS: [(&str, &str, &str); 3] = [
    ("credHelpers", r#"{"credHelpers": {"HOME": "ecr-login", "OTHER": "ecr-login"}}"#, ""),
    ("credsStore", r#"{"credsStore": "ecr-login"}"#, r#"credential-helpers = ["ecr-login"]"#),
    ("nothing", "{}", ""),
];

pub(crate) fn play() {
    let machine = Machine::new();
    let images = [format!("{HOME_REGISTRY}/team/job"), format!("{OTHER_REGISTRY}/team/catalog")];
    for image in &images {
        for (configuration, ..) in &CONFIGURATIONS[..2] {
            machine.docker_pushes_and_pulls(configuration, image);
            machine.skopeo_copies_and_inspects(configuration, image);
        }
        machine.strangers_are_refused(image);
    }
    // The helper keeps what it got: a token for each of the two registries.
    assert_eq!(machine.aws.token_calls(), 2);
    drop(machine.engine);
    machine.aws.stop();
}

impl Machine {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let aws = Aws::start();
        std::os::unix::fs::symlink(peer(), sandbox.bin().join(HELPER)).unwrap();
        for (name, config, registries) in CONFIGURATIONS {
            let folder = sandbox.home().join(name);
            std::fs::create_dir(&folder).unwrap();
            let config = config.replace("HOME", HOME_REGISTRY).replace("OTHER", OTHER_REGISTRY);
            std::fs::write(folder.join("config.json"), config).unwrap();
            std::fs::write(folder.join("registries.conf"), registries).unwrap();
        }
        let engine = Engine::start(&sandbox);
        Self { sandbox, aws, engine }
    }

    /// Runs a client; returns whether it succeeded, and what it said on both streams.
    fn run(&self, configuration: &str, program: &str, arguments: &[&str]) -> (bool, String, String) {
        println!("{program} {} ({configuration})", arguments.join(" "));
        let config = self.sandbox.home().join(configuration);
        let mut command = self.sandbox.command(program);
        if program == "skopeo" {
            command.arg("--registries-conf").arg(config.join("registries.conf")).arg("--insecure-policy");
        }
        command.args(arguments).envs(self.aws.identity()).timeout(STEP_DEADLINE);
        command.env("DOCKER_HOST", &self.engine.host).env("DOCKER_CONFIG", &config);
        command.env("REGISTRY_AUTH_FILE", config.join("config.json"));
        // The engine's own builder: the other one is a program that need not be installed.
        command.env("DOCKER_BUILDKIT", "0");
        let output = command.output().unwrap();
        let secret = self.aws.secret_key();
        for stream in [&output.stdout, &output.stderr] {
            assert_no_leak(stream, &[&secret]);
        }
        let text = |stream: Vec<u8>| String::from_utf8(stream).unwrap().trim().to_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    fn did(&self, configuration: &str, program: &str, arguments: &[&str]) -> String {
        let (success, said, complaint) = self.run(configuration, program, arguments);
        println!("{said}{complaint}");
        assert!(success, "{program}: {complaint}");
        said
    }

    fn docker_pushes_and_pulls(&self, configuration: &str, image: &str) {
        let docker = |arguments: &[&str]| self.did(configuration, "docker", arguments);
        let image = format!("{image}:{}", configuration.to_lowercase());
        let folder = self.sandbox.home().join(format!("of {configuration}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY file /\n").unwrap();
        std::fs::write(folder.join("file"), &image).unwrap();
        docker(&["build", "--quiet", "--tag", &image, &folder.to_string_lossy()]);
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", &image]);
        docker(&["push", &image]);
        docker(&["image", "rm", "--force", &image]);
        docker(&["pull", &image]);
        assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &image]), id);
    }

    /// Takes the image that docker pushed, and brings it back under another tag.
    fn skopeo_copies_and_inspects(&self, configuration: &str, image: &str) {
        let skopeo = |arguments: &[&str]| self.did(configuration, "skopeo", arguments);
        let source = format!("docker://{image}:{}", configuration.to_lowercase());
        let target = format!("docker://{image}:skopeo");
        let folder = format!("dir:{}", self.sandbox.root().join("copy").display());
        skopeo(&["copy", &source, &folder]);
        skopeo(&["copy", &folder, &target]);
        let digest = |name: &str| skopeo(&["inspect", "--format", "{{.Digest}}", name]);
        assert_eq!(digest(&source), digest(&target));
        let tags = skopeo(&["list-tags", &format!("docker://{image}")]);
        assert!(tags.contains("\"skopeo\""), "{tags}");
    }

    /// Without the helper the registry refuses, so that it was the helper that opened it.
    fn strangers_are_refused(&self, image: &str) {
        let tag = format!("{image}:skopeo");
        let (success, _, complaint) = self.run("nothing", "docker", &["pull", &tag]);
        assert!(!success && complaint.contains("no basic auth credentials"), "{complaint}");
        let (success, _, complaint) = self.run("nothing", "skopeo", &["inspect", &format!("docker://{tag}")]);
        assert!(
            !success && complaint.contains("unauthorized") || complaint.contains("authentication"),
            "{complaint}"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the peer for tests is named by the environment")]
fn peer() -> PathBuf {
    std::env::var_os("ECRU_PEER").expect("ECRU_PEER names the peer's program").into()
}
