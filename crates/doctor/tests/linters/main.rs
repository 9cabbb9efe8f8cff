//! What is emitted for shells and for cloud-init, judged by shellcheck and by cloud-init itself.

#![expect(clippy::unwrap_used, reason = "functions that help a test fail as it does")]

#[path = "../emit/terraform.rs"]
mod terraform;

use std::path::Path;
use std::process::Command;

use ecru_doctor::edit::ecru_config::Wanted;
use ecru_doctor::emit::cloud_init::cloud_init;
use ecru_doctor::emit::user_data::user_data;
use ecru_doctor::emit::{DEFAULT_AUDIENCE, GitLabCi, Module, Terraform};
use ecru_doctor::setup_job_host::{Docker, Download, JobHost};
use ecru_ecr::registry::Registry;
use ecru_gitlab::ci::Pipeline;

/// Every kind of host.
fn hosts() -> Vec<JobHost> {
    let helper =
        || Download::new("https://downloads.example/ecru?version=1&os=linux", &"0a".repeat(32)).unwrap();
    let addresses = vec!["192.0.2.254".parse().unwrap()];
    vec![
        JobHost::default(),
        JobHost::default().with_docker(Docker::ByOthers).with_addresses(addresses),
        JobHost::default().with_user("ec2-user").unwrap().with_helper(helper()),
    ]
}

/// Registries of one role, of several, and of a role and none.
fn registries() -> Vec<Vec<Wanted>> {
    let wanted = |host: &str, role: Option<&str>| Wanted {
        registry: Registry::parse(host).unwrap(),
        role_arn: role.map(str::to_owned),
    };
    let (first, second) =
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com", "444455556666.dkr.ecr.us-east-1.amazonaws.com");
    let role = Some("arn:aws:iam::111122223333:role/ci/gitlab");
    let other_role = Some("arn:aws:iam::444455556666:role/p@+=,.-_1");
    vec![
        vec![wanted(first, role), wanted(second, role)],
        vec![wanted(first, role), wanted(second, other_role)],
        vec![wanted(first, role), wanted("public.ecr.aws", None)],
    ]
}

fn passes(command: &mut Command, text: &str) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&said));
}

fn shellcheck(folder: &Path, text: &str) {
    let file = folder.join("script");
    std::fs::write(&file, text).unwrap();
    passes(
        Command::new("shellcheck").args(["--shell", "sh", "--enable", "all"]).args(OPINIONS).arg(file),
        text,
    );
}

/// Checks that ask for a style, and that are off unless they are asked for: braces around every variable, quotes around
/// what cannot be split, `[ ]` rather than a list of `case`, and functions that `set -e` does not end.
const OPINIONS: [&str; 2] = ["--exclude", "SC2250,SC2248,SC2310,SC2312,SC2249"];

#[test]
#[ignore = "needs shellcheck"]
fn scripts_are_without_fault() {
    let folder = tempfile::tempdir().unwrap();
    for host in hosts() {
        shellcheck(folder.path(), &user_data(&host));
        let scripts = host.files().into_iter().filter(|file| file.content.starts_with("#!/bin/sh\n"));
        scripts.for_each(|file| shellcheck(folder.path(), &file.content));
    }
}

#[test]
#[ignore = "needs shellcheck"]
fn scripts_in_terraform_are_without_fault() {
    let folder = tempfile::tempdir().unwrap();
    for wanted in &registries() {
        for creds_store in [false, true] {
            let of = |module| {
                let text = Terraform { wanted, creds_store, module, hop_limit: 1 }.text();
                terraform::evaluated(&text)
            };
            let plain = of(Module::Plain);
            let user_data = &plain["resource aws_launch_template.gitlab_runner"]["user_data"];
            shellcheck(folder.path(), user_data.as_str().unwrap());
            let module = of(Module::CattleOps);
            let script = &module["module gitlab_runner"]["runner_install"]["pre_install_script"];
            shellcheck(folder.path(), script.as_str().unwrap());
        }
    }
}

/// A runner gives `before_script` and `script` to one shell, behind the variables of GitLab.
#[test]
#[ignore = "needs shellcheck"]
fn scripts_of_jobs_are_without_fault() {
    const VARIABLES: &str = "CI_PROJECT_PATH_SLUG=team-app\nCI_COMMIT_SHORT_SHA=0a0a0a0a";
    let folder = tempfile::tempdir().unwrap();
    for wanted in &registries() {
        if wanted.iter().any(|one| one.role_arn.is_none()) {
            continue;
        }
        let text = GitLabCi { wanted, audience: DEFAULT_AUDIENCE }.text().unwrap();
        let job = Pipeline::parse(&text).unwrap().job("push-image").unwrap();
        assert_eq!((job.before_script.len(), job.script.len()), (1, 2));
        let lines = [&[VARIABLES.to_owned()][..], &job.before_script, &job.script].concat();
        shellcheck(folder.path(), &lines.join("\n"));
    }
}

#[test]
#[ignore = "needs cloud-init's schema command at ECRU_CLOUD_INIT"]
#[expect(clippy::disallowed_methods, reason = "the program is named by the environment")]
fn cloud_init_knows_every_key() {
    let program = std::env::var_os("ECRU_CLOUD_INIT").expect("ECRU_CLOUD_INIT names the program");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud-config.yaml");
    let schema = || {
        let mut command = Command::new(&program);
        // It has no reason to ask anybody, and could not.
        command.args(["schema", "--config-file"]).arg(&file).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")]);
        command
    };
    for host in hosts() {
        let text = cloud_init(&host);
        std::fs::write(&file, &text).unwrap();
        passes(&mut schema(), &text);
        std::fs::write(&file, text.replace("permissions:", "permisions:")).unwrap();
        assert!(!schema().output().unwrap().status.success(), "a wrong key is found");
    }
}
