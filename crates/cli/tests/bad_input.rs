//! Whole-command snapshots of what `ecru` says when something is wrong: message, hint and exit code.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use ecru_testkit::{Sandbox, snapshot_settings};

/// No engine listens here, so nothing beyond the files can be the matter.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

fn transcript(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_ecru"))
        .env("DOCKER_HOST", NO_ENGINE)
        .args(arguments)
        .output()
        .expect("the program starts");
    format!(
        "$ ecru {}\n--- exit code\n{}\n--- standard output\n{}--- standard error\n{}",
        arguments.join(" "),
        output.status.code().expect("it ends by itself"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn shows(name: &str, sandbox: &Sandbox, arguments: &[&str]) {
    let text = transcript(sandbox, arguments);
    snapshot_settings(sandbox.root()).bind(|| insta::assert_snapshot!(name, text));
}

fn write(sandbox: &Sandbox, name: &str, text: &str) {
    std::fs::write(sandbox.home().join(Path::new(name)), text).expect("a file in the sandbox");
}

#[test]
fn unknown_job() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\ntest: {image: a, script: [x]}\n");
    shows("unknown_job", &sandbox, &["run", "biuld"]);
}

#[test]
fn no_image() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build:\n  script: [x]\n");
    shows("no_image", &sandbox, &["run", "build"]);
}

#[test]
fn malformed_yaml() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build:\n  image: [a\n  script: x\n");
    shows("malformed_yaml", &sandbox, &["run", "build"]);
}

#[test]
fn image_of_a_wrong_type() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build:\n  image: [a, b]\n  script: x\n");
    shows("image_of_a_wrong_type", &sandbox, &["run", "build"]);
}

#[test]
fn malformed_toml() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\n");
    write(&sandbox, "config.toml", "[[runners]]\n  name = \"x\"\n  environment = [\"A={\"b\"}\"]\n");
    shows("malformed_toml", &sandbox, &["run", "build", "--config", "config.toml"]);
}

#[test]
fn unknown_runner() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\n");
    write(&sandbox, "config.toml", "[[runners]]\n  name = \"x\"\n");
    shows("unknown_runner", &sandbox, &["run", "build", "--config", "config.toml", "--runner", "y"]);
}

#[test]
fn broken_ecru_configuration() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\n");
    std::fs::create_dir_all(sandbox.home().join(".config/ecru")).unwrap();
    write(&sandbox, ".config/ecru/config.toml", "[alias]\n\"localhost:5000\" = \"registry.example.org\"\n");
    shows("broken_ecru_configuration", &sandbox, &["run", "build"]);
}

#[test]
fn no_pipeline_file() {
    shows("no_pipeline_file", &Sandbox::new(), &["run", "build"]);
}

#[test]
fn no_engine() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\n");
    shows("no_engine", &sandbox, &["run", "build"]);
}

#[test]
fn variable_without_a_value() {
    let sandbox = Sandbox::new();
    write(&sandbox, ".gitlab-ci.yml", "build: {image: a, script: [x]}\n");
    shows("variable_without_a_value", &sandbox, &["run", "build", "-e", "NOT_SET"]);
}

#[test]
fn a_registry_of_a_real_account_is_not_emulated() {
    let registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com=0";
    shows("real_account", &Sandbox::new(), &["emulate", "--port", "0", "--registry", registry]);
}

#[test]
fn unknown_key_in_a_seed() {
    let sandbox = Sandbox::new();
    write(&sandbox, "seed.toml", "[[repository]]\nname = \"team/app\"\nmutable = true\n");
    shows("unknown_key_in_a_seed", &sandbox, &["emulate", "--port", "0", "--seed", "seed.toml"]);
}

#[test]
fn unknown_identity() {
    shows("unknown_identity", &Sandbox::new(), &["emulate", "--port", "0", "--identity", "profile"]);
}

#[test]
fn unknown_mode_of_instance_metadata() {
    shows("unknown_imds_mode", &Sandbox::new(), &["emulate", "--port", "0", "--imds", "v3"]);
}

#[test]
fn trust_policy_of_a_user_in_a_seed() {
    let sandbox = Sandbox::new();
    write(&sandbox, "seed.toml", "[[user]]\nname = \"ci\"\ntrust_policy = \"{}\"\n");
    shows("trust_policy_of_a_user", &sandbox, &["emulate", "--port", "0", "--seed", "seed.toml"]);
}

#[test]
fn image_of_a_seed_that_is_not_there() {
    let sandbox = Sandbox::new();
    let text = "[[repository]]\nname = \"team/app\"\n[[repository.image]]\nfrom = \"none.tar\"\n";
    write(&sandbox, "seed.toml", text);
    shows("image_of_a_seed", &sandbox, &["emulate", "--port", "0", "--seed", "seed.toml"]);
}

/// The emulator and the OCI client alone; no engine is asked for.
#[test]
fn demo_without_an_engine_passes_every_step() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_ecru"))
        .args(["demo", "--plain", "--no-engine"])
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(last, "demo: 7 of 7 steps passed", "{text}");
    assert!(text.contains("the script step is skipped"), "{text}");
}
