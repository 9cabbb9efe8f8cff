//! `ecru setup job-host` as a program: on this host and in the runner's `config.toml`, applied once, taken back to the
//! byte, and no secret in any of it.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecru_testkit::{Entry, Sandbox, assert_no_leak, snapshot_settings, tree};

const CONFIG: &str = "/etc/gitlab-runner/config.toml";
const SECRETS: &[&str] = &["glrt-runner-token", "AWS-secret-key-1", "comment-token"];

const MACHINE: &str = "[[runners]]\n  name = \"machines\"\n  token = \"glrt-runner-token\" # comment-token\n  executor = \"docker+machine\"\n  [runners.docker]\n    image = \"busybox\"\n  [runners.machine]\n    MachineDriver = \"amazonec2\"\n    MachineOptions = [\n      \"amazonec2-region=eu-west-1\",\n      \"amazonec2-secret-key=AWS-secret-key-1\", # comment-token\n    ]\n";
const AUTOSCALER: &str = "[[runners]]\n  name = \"fleet\"\n  token = \"glrt-runner-token\"\n  executor = \"docker-autoscaler\"\n  [runners.autoscaler]\n    plugin = \"aws\"\n    max_instances = 10\n";

struct Machine {
    sandbox: Sandbox,
}

impl Machine {
    fn with(files: &[(&str, &str)]) -> Self {
        let machine = Self { sandbox: Sandbox::new() };
        for (path, text) in [&[("/etc/hostname", "host\n")], files].concat() {
            let path = machine.path(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.sandbox.root().join("root").join(path.trim_start_matches('/'))
    }

    fn setup(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        let output =
            command.args(["setup", "job-host", "--root"]).arg(self.path("/")).args(arguments).output();
        let output = output.expect("the program starts");
        let text =
            [&b"--- standard output\n"[..], &output.stdout, b"--- standard error\n", &output.stderr].concat();
        assert_no_leak(&text, SECRETS);
        (output.status.code().expect("it ends by itself"), String::from_utf8(text).expect("text"))
    }

    fn shows(&self, name: &str, arguments: &[&str]) {
        let (code, text) = self.setup(arguments);
        let text = format!("$ ecru setup job-host {}\n--- exit code\n{code}\n{text}", arguments.join(" "));
        snapshot_settings(self.sandbox.root()).bind(|| insta::assert_snapshot!(name, text));
    }

    /// Everything but the records.
    fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        tree(&self.path("/"), &self.path("/var"))
    }

    fn is_applied_once_and_taken_back(&self, arguments: &[&str]) {
        let before = self.everything();
        let (code, text) = self.setup(&[arguments, &["--yes"]].concat());
        assert_eq!(code, 0, "{text}");
        let applied = self.everything();
        assert_ne!(applied, before);
        let (code, text) = self.setup(arguments);
        assert!(code == 0 && text.contains("Nothing to do"), "{text}");
        assert_eq!(self.everything(), applied);
        assert_eq!(self.setup(&["--undo"]).0, 0);
        assert_eq!(self.everything(), before);
    }
}

#[test]
fn this_host() {
    Machine::with(&[]).shows("this_host", &["--metadata-address", "192.0.2.254", "--dry-run"]);
    Machine::with(&[]).is_applied_once_and_taken_back(&["--metadata-address", "2001:db8::254"]);
}

#[test]
fn the_addresses_are_those_of_ec2_unless_others_are_given() {
    let machine = Machine::with(&[]);
    assert_eq!(machine.setup(&["--yes"]).0, 0);
    let script =
        std::fs::read_to_string(machine.path("/usr/local/sbin/ecru-job-firewall")).expect("a script");
    assert!(script.contains("'169.254.169.254'") && script.contains("'fd00:ec2::254'"), "{script}");
    let mode = |path: &str| {
        let metadata = Path::new(&machine.path(path)).metadata().expect("a file");
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
    };
    assert_eq!(mode("/usr/local/sbin/ecru-job-firewall"), 0o755);
    assert_eq!(mode("/etc/systemd/system/ecru-job-firewall.service"), 0o644);
}

#[test]
fn hosts_that_the_runner_makes() {
    let arguments = ["--in", "config-toml", "--config", CONFIG];
    let with_profile = [&arguments[..], &["--instance-profile", "ci-jobs"]].concat();
    Machine::with(&[(CONFIG, MACHINE)]).is_applied_once_and_taken_back(&with_profile);
    Machine::with(&[(CONFIG, AUTOSCALER)]).is_applied_once_and_taken_back(&arguments);
    Machine::with(&[(CONFIG, AUTOSCALER)]).shows("autoscaler", &arguments);

    let machine = Machine::with(&[(CONFIG, MACHINE)]);
    assert_eq!(machine.setup(&[&with_profile[..], &["--yes"]].concat()).0, 0);
    let config = std::fs::read_to_string(machine.path(CONFIG)).expect("a file");
    let added = "      'amazonec2-userdata=/etc/gitlab-runner/ecru-user-data.sh',\n      'amazonec2-iam-instance-profile=ci-jobs',\n      'amazonec2-metadata-token=required',\n      'amazonec2-metadata-token-response-hop-limit=1',\n";
    let comment = "# comment-token\n    ]";
    let expected = MACHINE.replace(comment, &format!("# comment-token\n{added}    ]"));
    assert_eq!(config, expected);
    let user_data =
        std::fs::read_to_string(machine.path("/etc/gitlab-runner/ecru-user-data.sh")).expect("a file");
    assert!(
        user_data.starts_with("#!/bin/sh\n") && !user_data.contains("docker.io"),
        "docker+machine installs it"
    );
}

#[test]
fn refusals() {
    let docker = MACHINE.replace("docker+machine", "docker");
    let other = AUTOSCALER.replace("plugin =", "instance_ready_command = \"mine\"\n    plugin =");
    for (name, config) in [("makes_no_hosts", &docker), ("other_command", &other)] {
        let machine = Machine::with(&[(CONFIG, config)]);
        machine.shows(name, &["--in", "config-toml", "--config", CONFIG, "--yes"]);
        assert_eq!(std::fs::read_to_string(machine.path(CONFIG)).expect("a file"), *config);
    }
}
