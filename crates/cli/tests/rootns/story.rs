//! What happens inside the namespaces.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use ecru_testkit::{Sandbox, assert_no_leak};

use crate::aws::{Aws, HOME_REGISTRY, OTHER_REGISTRY};
use crate::engine::Engine;

const HELPER: &str = "docker-credential-ecr-login";
const STEP_DEADLINE: Duration = Duration::from_secs(60);
const ANSWER: &str = "three loaves of bread";

/// A machine with an engine, docker, skopeo and our helper, and somebody who is known to AWS.
struct Machine {
    sandbox: Sandbox,
    aws: Aws,
    engine: Engine,
    /// What no program may print: the key, and the registries' passwords.
    secrets: Vec<String>,
}

pub(crate) fn play() {
    let machine = Machine::new();
    let images = [machine.job_image(), machine.service_image()];

    for image in &images {
        machine.docker(&["push", image]);
        machine.forget(image);
        machine.is_denied_to_a_stranger(image);
        machine.docker(&["pull", image]);
        assert_eq!(machine.digest_by_docker(image), machine.digest_by_skopeo(image));
        machine.forget(image);
    }
    machine.job_runs(&images);

    // One token serves all registries of a region, whoever asks: the engine's client, skopeo, the runner.
    assert_eq!(machine.aws.token_calls(), 2);
    machine.end();
}

impl Machine {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let aws = Aws::start();
        let helper = Path::new(env!("CARGO_BIN_EXE_ecru")).with_file_name(HELPER);
        assert!(helper.exists(), "{} is missing: `cargo build -p ecru-helper` makes it", helper.display());
        std::os::unix::fs::symlink(helper, sandbox.bin().join(HELPER)).unwrap();

        let home = sandbox.home();
        let write = |path: &str, text: String| {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let helpers = format!(
            r#"{{"credHelpers": {{"{HOME_REGISTRY}": "ecr-login", "{OTHER_REGISTRY}": "ecr-login"}}}}"#
        );
        write("job/config.json", helpers);
        write("stranger/config.json", "{}".to_owned());
        // `list` names them, so that a `credsStore` is asked for them.
        write(
            ".config/ecru/config.toml",
            format!("registries = [\"{HOME_REGISTRY}\", \"{OTHER_REGISTRY}\"]\n"),
        );

        let engine = Engine::start(&sandbox);
        let secrets = vec![aws.secret_key()];
        let mut machine = Self { sandbox, aws, engine, secrets };
        let passwords = [HOME_REGISTRY, OTHER_REGISTRY].map(|registry| machine.password(registry));
        machine.secrets.extend(passwords);
        machine
    }

    /// The password that the helper gives for a registry.
    fn password(&self, registry: &str) -> String {
        let mut helper = self.command(HELPER);
        let result = helper.arg("get").write_stdin(registry).assert().success();
        let answer: serde_json::Value = serde_json::from_slice(&result.get_output().stdout).unwrap();
        answer["Secret"].as_str().unwrap().to_owned()
    }

    /// A command with an identity in AWS, and with the helper for both registries.
    fn command(&self, program: &str) -> Command {
        let config = self.sandbox.home().join("job");
        let mut command = self.sandbox.command(program);
        command.env("DOCKER_HOST", &self.engine.host);
        command.env("DOCKER_CONFIG", &config);
        command.env("REGISTRY_AUTH_FILE", config.join("config.json"));
        command.envs(self.aws.identity()).timeout(STEP_DEADLINE);
        command
    }

    /// Runs it, shows what it says, and returns what it printed.
    fn output_of(&self, mut command: Command) -> String {
        let result = command.assert().success();
        let output = result.get_output();
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
        assert_no_leak(&output.stdout, &secrets);
        assert_no_leak(&output.stderr, &secrets);
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    fn docker(&self, arguments: &[&str]) -> String {
        println!("docker {}", arguments.join(" "));
        let mut command = self.command("docker");
        command.args(arguments);
        self.output_of(command).trim().to_owned()
    }

    /// A shell, and what else busybox can do.
    fn job_image(&self) -> String {
        self.image(&format!("{HOME_REGISTRY}/team/job:1"), &[r#"CMD ["/bin/sh"]"#])
    }

    /// A service that says one sentence over HTTP.
    fn service_image(&self) -> String {
        let command = r#"CMD ["/bin/httpd", "-f", "-p", "8080", "-h", "/www"]"#;
        self.image(&format!("{OTHER_REGISTRY}/team/catalog:1"), &[command, "EXPOSE 8080"])
    }

    fn image(&self, name: &str, settings: &[&str]) -> String {
        let rootfs = self.sandbox.root().join(name.replace(['/', ':'], "-"));
        let make = format!(
            "mkdir -p {0}/bin {0}/tmp {0}/www && cp \"$(command -v busybox)\" {0}/bin/busybox && \
             for name in sh httpd wget cat echo mkdir; do ln -s busybox {0}/bin/$name; done && \
             echo '{ANSWER}' >{0}/www/index.html && tar -C {0} -cf {0}.tar .",
            rootfs.display()
        );
        self.sandbox.command("sh").args(["-ec", &make]).timeout(STEP_DEADLINE).assert().success();
        let archive = format!("{}.tar", rootfs.display());
        let settings = settings.iter().chain(&["ENV PATH=/usr/local/bin:/bin"]);
        let changes: Vec<_> = settings.flat_map(|setting| ["--change", setting]).collect();
        self.docker(&[&["import"], changes.as_slice(), &[&archive, name]].concat());
        name.to_owned()
    }

    fn forget(&self, image: &str) {
        self.docker(&["image", "rm", "--force", image]);
    }

    /// Without the helper the registry refuses, so that a pull with it proves the credentials.
    fn is_denied_to_a_stranger(&self, image: &str) {
        let mut command = self.command("docker");
        command.env("DOCKER_CONFIG", self.sandbox.home().join("stranger")).args(["pull", image]);
        let result = command.assert().failure();
        let said = String::from_utf8_lossy(&result.get_output().stderr).into_owned();
        assert!(said.contains("no basic auth credentials"), "{said}");
    }

    fn digest_by_docker(&self, image: &str) -> String {
        let digests = self.docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", image]);
        digests.split_once('@').unwrap().1.to_owned()
    }

    /// The digest according to skopeo, which also downloads and checks every blob.
    fn digest_by_skopeo(&self, image: &str) -> String {
        let source = format!("docker://{image}");
        let copy = format!("dir:{}", self.sandbox.root().join("copy").display());
        let skopeo = |arguments: &[&str]| {
            println!("skopeo {}", arguments.join(" "));
            let mut command = self.command("skopeo");
            command.args(arguments);
            self.output_of(command).trim().to_owned()
        };
        skopeo(&["--insecure-policy", "copy", &source, &copy]);
        skopeo(&["inspect", "--format", "{{.Digest}}", &source])
    }

    /// The runner's part: it resolves the credentials, the engine pulls, the job talks to its service.
    fn job_runs(&self, [job, service]: &[String; 2]) {
        let folder = self.sandbox.home().join("project");
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

        let mut command = self.command(env!("CARGO_BIN_EXE_ecru"));
        command.current_dir(&folder).args(["run", "greet", "--config", "config.toml", "--plain"]);
        let said = self.output_of(command);
        assert!(said.lines().any(|line| line == ANSWER), "{said}");
        assert_eq!(self.docker(&["ps", "--all", "--quiet"]), "");
        assert_eq!(self.docker(&["network", "ls", "--quiet", "--filter", "type=custom"]), "");
    }

    fn end(self) {
        drop(self.engine);
        self.aws.stop();
    }
}
