//! `ecru emit` as a program: standard output is the text, the same every time, and what cannot be said is refused.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::process::Output;

use ecru_emulator::{Emulator, GitLabClaims, Identity, Options};
use ecru_testkit::{Sandbox, snapshot_settings};
use secrecy::ExposeSecret as _;

const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const SECOND: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::111122223333:role/gitlab";
const SECOND_ROLE: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com=arn:aws:iam::444455556666:role/pull";

const TRUST: [&str; 7] =
    ["trust-policy", "--role-arn", ROLE, "--gitlab-url", "https://gitlab.example.com", "--ref", "main"];

fn emit(arguments: &[&str]) -> Output {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_ecru"));
    command.arg("emit").args(arguments).output().expect("the program starts")
}

#[track_caller]
fn shows(name: &str, arguments: &[&str]) {
    let output = emit(arguments);
    assert_eq!(emit(arguments), output, "the same question has the same answer");
    assert!(output.stdout.is_empty() || output.stderr.is_empty());
    let text = format!(
        "$ ecru emit {}\n--- exit code\n{}\n--- standard output\n{}--- standard error\n{}",
        arguments.join(" "),
        output.status.code().expect("it ends by itself"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let settings = snapshot_settings(std::path::Path::new("/no/such/folder"));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn texts() {
    shows("docker_auth_config", &["docker-auth-config", "--registry", FIRST, "public.ecr.aws"]);
    shows("config_toml", &["config-toml", "--registry", FIRST, "--creds-store"]);
    shows("terraform", &["terraform", "--registry", FIRST, SECOND, "--role-arn", SECOND_ROLE]);
    let cattle_ops = ["--module", "cattle-ops", "--hop-limit", "2"];
    shows("terraform_cattle_ops", &[&["terraform", "--registry", FIRST][..], &cattle_ops].concat());
    let roles = ["--role-arn", ROLE, "--role-arn", SECOND_ROLE];
    let image = ["--helper-image", "registry.example/ecru:1"];
    shows("helm", &[&["helm", "--registry", FIRST, SECOND][..], &roles, &image].concat());
    shows("gitlab_ci", &["gitlab-ci", "--registry", FIRST, "--role-arn", ROLE]);
    shows("gitlab_ci_roles", &[&["gitlab-ci", "--registry", FIRST, SECOND][..], &roles].concat());
    let trusted = ["--gitlab-url", "https://gitlab.example.com", "--project", "team/app", "--ref"];
    shows("trust_policy", &[&["trust-policy", "--role-arn", ROLE][..], &trusted, &["main"]].concat());
    let repositories = ["--repository", "team/app", "shared/*"];
    shows("iam_policy", &[&["iam-policy", "push", "--registry", FIRST][..], &repositories].concat());
}

#[test]
fn refusals() {
    for (name, arguments) in [
        ("no_registry", &["iam-policy", "pull"][..]),
        ("no_registry_of_ecr", &["docker-auth-config", "--registry", "registry.example"]),
        ("public_by_itself", &["iam-policy", "pull", "--registry", "public.ecr.aws"]),
        ("repository_of_public", &["iam-policy", "public", "--repository", "a"]),
        ("no_repository", &["iam-policy", "pull", "--registry", FIRST, "--repository", "Team:${x}"]),
        ("no_role", &["gitlab-ci", "--registry", FIRST, "--role-arn", "arn:aws:iam::1:role/\u{1b}"]),
        ("trust_in_any_group", &[&TRUST[..], &["--project", "*/app"]].concat()),
        (
            "no_gitlab",
            &[&TRUST[..4], &["http://gitlab.example", "--project", "team/app", "--ref", "main"]].concat(),
        ),
        ("no_image", &["helm", "--registry", FIRST, "--helper-image", "a\nb: c"]),
    ] {
        assert_eq!(emit(arguments).status.code(), Some(80), "{name}");
        shows(&format!("refused_{name}"), arguments);
    }
}

/// The lines before the script run in a shell, and then the helper has a password by the job's token alone.
#[test]
fn the_job_gets_a_password_by_its_own_token() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let role = Identity {
        name: "gitlab".to_owned(),
        policies: vec![
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}"#
                .to_owned(),
        ],
        ..Identity::default()
    };
    let options = Options { roles: vec![role], ..Options::default() };
    let emulator = runtime.block_on(Emulator::start(options)).unwrap();
    let host = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
    let other = "000000000001.dkr.ecr.us-east-1.amazonaws.com";
    let token = emulator.gitlab_id_token(&GitLabClaims::default()).expect("a token");

    for arguments in [
        &["--registry", host, "--role-arn", "arn:aws:iam::000000000000:role/gitlab"][..],
        &[
            "--registry",
            host,
            other,
            "--role-arn",
            "arn:aws:iam::000000000001:role/other",
            "--role-arn",
            "000000000000.dkr.ecr.us-east-1.amazonaws.com=arn:aws:iam::000000000000:role/gitlab",
        ],
    ] {
        let text = String::from_utf8(emit(&[&["gitlab-ci"], arguments].concat()).stdout).unwrap();
        let pipeline = ecru_gitlab::ci::Pipeline::parse(&text).unwrap();
        let job = pipeline.job("push-image").unwrap();
        let sandbox = Sandbox::new();
        let helper = sandbox.bin().join("docker-credential-ecr-login");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ecru"), helper).unwrap();
        let ask = "command -v docker-credential-ecr-login >/dev/null && test -s \"$DOCKER_CONFIG/config.json\" && \
                   printf %s \"$REGISTRY\" | docker-credential-ecr-login get";
        let script = format!("set -eu\n{}\n{ask}\n", job.before_script.join("\n"));
        let run = |token: &str| {
            let mut shell = sandbox.command("/bin/sh");
            shell.args(["-c", &script]).env("REGISTRY", host);
            shell.envs(job.variables.iter().map(|variable| (&variable.key, &variable.value)));
            let endpoints =
                emulator.environment().into_iter().filter(|(name, _)| name.contains("ENDPOINT_URL"));
            shell.envs(endpoints).env("AWS_EC2_METADATA_DISABLED", "true");
            shell.env("ECRU_IDENTITY_TOKEN", token).output().expect("the shell starts")
        };
        let output = run(token.expose_secret());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["Username"], "AWS");
        assert!(answer["Secret"].as_str().unwrap().starts_with("ecru-emulator"));
        assert!(!run("not-a-token").status.success(), "it is the token that opens the registry");
    }
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let arguments = ["emit", "docker-auth-config", "--registry", "public.ecr.aws"];
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ecru"));
    command.args(arguments).env_clear().envs(Sandbox::new().environment()).stdout(full);
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(97), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot write"), "{output:?}");
}
