//! `ecru setup job` as a program: the plan for containers on this host and on others, undo to the byte, no secret in any of
//! it, and what it puts there works.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ecru_testkit::{Entry, Sandbox, assert_no_leak, snapshot_settings, tree};

const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::111122223333:role/gitlab";
const CONFIG: &str = "/etc/gitlab-runner/config.toml";
const SECRETS: &[&str] = &["glrt-runner-token", "other-env-secret", "secret-folder", "old-token-in-comment"];

struct Machine {
    sandbox: Sandbox,
}

fn config(executor: &str) -> String {
    format!(
        "concurrent = 4\n\n[[runners]]\n  name = \"one\"\n  token = \"glrt-runner-token\"\n  # token = \"old-token-in-comment\"\n  executor = \"{executor}\"\n  environment = [\"A=other-env-secret\"]\n  [runners.docker]\n    image = \"alpine:3\"\n    volumes = [\"/secret-folder:/cache\"]\n"
    )
}

impl Machine {
    fn with(config: &str) -> Self {
        let machine = Self { sandbox: Sandbox::new() };
        for folder in ["etc/gitlab-runner", "usr/local/bin"] {
            std::fs::create_dir_all(machine.root().join(folder)).expect("a folder");
        }
        std::fs::write(machine.path(CONFIG), config).expect("a file");
        machine
    }

    fn root(&self) -> PathBuf {
        self.sandbox.root().join("root")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn setup(&self, arguments: &[&str]) -> (i32, String) {
        let root = self.root();
        let mut all = vec!["setup", "job", "--root", root.to_str().expect("text"), "--config", CONFIG];
        all.extend(arguments);
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        let output = command.args(&all).output().expect("the program starts");
        let text =
            [&b"--- standard output\n"[..], &output.stdout, b"--- standard error\n", &output.stderr].concat();
        assert_no_leak(&text, SECRETS);
        let text = String::from_utf8(text).expect("text");
        (output.status.code().expect("it ends by itself"), text)
    }

    fn shows(&self, name: &str, arguments: &[&str]) {
        let (code, text) = self.setup(arguments);
        let text = format!("$ ecru setup job {}\n--- exit code\n{code}\n{text}", arguments.join(" "));
        let mut settings = snapshot_settings(self.sandbox.root());
        settings.add_filter(r"program of \d+ bytes", "program of [N] bytes");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }

    /// Everything but the records.
    fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        tree(&self.root(), &self.path("/var"))
    }
}

#[test]
fn containers_on_this_host() {
    let machine = Machine::with(&config("docker"));
    let before = machine.everything();
    machine.shows("here", &["--registry", FIRST, "public.ecr.aws", "--dry-run"]);
    machine.shows("with_role_and_engine", &["--registry", FIRST, "--role-arn", ROLE, "--engine-socket"]);
    assert_eq!(machine.everything(), before, "nothing is changed");
}

#[test]
fn containers_on_other_hosts() {
    let machine = Machine::with(&config("docker-autoscaler"));
    machine.shows("elsewhere", &["--registry", FIRST]);
    assert_eq!(machine.setup(&["--registry", FIRST, "--yes"]).0, 0);
    assert!(!machine.path("/etc/ecru").exists(), "its files are of no use here");
}

#[test]
fn applied_then_nothing_to_do_then_undone_to_the_byte() {
    let machine = Machine::with(&config("docker"));
    let before = machine.everything();
    let arguments = ["--registry", FIRST, "--role-arn", ROLE, "--engine-socket"];
    let (code, text) = machine.setup(&[&arguments[..], &["--yes"]].concat());
    assert_eq!(code, 0, "{text}");

    let applied = machine.everything();
    let (code, text) = machine.setup(&arguments);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Nothing to do"), "{text}");
    assert_eq!(machine.everything(), applied);

    let (code, text) = machine.setup(&["--undo"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(machine.everything(), before);
}

/// As a job sees it: the runner's settings lead to files that are there and do what they are for.
#[test]
fn what_containers_get_is_there_and_works() {
    let machine = Machine::with(&config("docker"));
    assert_eq!(machine.setup(&["--registry", FIRST, "--role-arn", ROLE, "--yes"]).0, 0);
    let text = std::fs::read_to_string(machine.path(CONFIG)).expect("the config.toml");
    let config = ecru_gitlab::config_toml::ConfigToml::parse(&text).expect("a config.toml");
    let runner = config.runner(None).expect("a runner");
    let value = |name: &str| {
        let found = runner.environment.iter().find(|variable| variable.key == name);
        found.map(|variable| variable.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("ECRU_ROLE_ARN"), ROLE);
    // Where each file of the host is in a container.
    let source_of = |target: &str| {
        let volume = runner.docker.volumes.iter().find(|volume| volume.ends_with(&format!(":{target}:ro")));
        let source = volume.and_then(|volume| volume.split(':').next()).expect("a read-only volume");
        machine.path(source)
    };
    let config_json = source_of(&format!("{}/config.json", value("DOCKER_CONFIG")));
    assert_eq!(config_json.metadata().expect("a file").permissions().mode() & 0o777, 0o644);
    let config_json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(config_json).expect("a file")).expect("JSON");
    let suffix = config_json["credHelpers"][FIRST].as_str().expect("a helper");
    let helper = source_of(&format!("/usr/local/bin/docker-credential-{suffix}"));
    machine.sandbox.command(&helper).arg("version").assert().success();
}

#[test]
fn refusals() {
    let docker = config("docker");
    Machine::with(&config("kubernetes")).shows("kubernetes", &["--registry", FIRST]);
    let occupied =
        docker.replace("/secret-folder:/cache", "/opt/x:/usr/local/bin/docker-credential-ecr-login:ro");
    Machine::with(&occupied).shows("occupied", &["--registry", FIRST, "--yes"]);
    let script = Machine::with(&docker);
    let program = script.sandbox.root().join("script");
    std::fs::write(&program, "#!/bin/sh\n").expect("a file");
    let (code, text) = script.setup(&["--registry", FIRST, "--helper", program.to_str().expect("text")]);
    assert_eq!(code, 94, "{text}");
    let one_role = format!("{FIRST}={ROLE}");
    assert_eq!(script.setup(&["--registry", FIRST, "--role-arn", &one_role]).0, 80);
}

#[test]
fn the_lines_of_a_pipeline_are_those_that_are_emitted() {
    let machine = Machine::with("");
    let arguments = ["--registry", FIRST, "--role-arn", ROLE];
    let (code, text) = machine.setup(&[&arguments[..], &["--gitlab-ci"]].concat());
    assert_eq!(code, 0, "{text}");
    let mut command = machine.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
    let output = command.args(["emit", "gitlab-ci"]).args(arguments).output().expect("the program starts");
    let emitted = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text, format!("--- standard output\n{emitted}--- standard error\n"));
}
