//! `ecru emulate --identity … -- aws`: the AWS CLI of version 1, of the Python at ECRU_TEST_PYTHON, is whom it is told to
//! be.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Output};

use ecru_testkit::Sandbox;

const SESSION: &str = "arn:aws:sts::000000000000:assumed-role";

/// What `aws sts get-caller-identity` says with these arguments of `ecru emulate`.
#[expect(clippy::disallowed_methods, reason = "the Python for tests is named by the environment")]
fn caller_with(arguments: &[&str]) -> Output {
    let sandbox = Sandbox::new();
    let python = std::env::var_os("ECRU_TEST_PYTHON").expect("ECRU_TEST_PYTHON names a Python");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecru"));
    command.env_clear().envs(sandbox.environment()).current_dir(sandbox.home());
    // Whatever is not meant for the emulator ends at a proxy that is none.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    command.args(["emulate", "--port", "0"]).args(arguments).arg("--").arg(python);
    command.args(["-m", "awscli", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]);
    command.output().expect("the program starts")
}

#[test]
#[ignore = "needs the AWS CLI of version 1 (cargo xtask test installs it)"]
fn the_aws_cli_is_whom_it_is_told_to_be() {
    for (arguments, arn) in [
        (&["--identity", "keys"][..], "arn:aws:iam::000000000000:user/ecru".to_owned()),
        (&["--identity", "instance"], format!("{SESSION}/ecru-emulator-instance/")),
        (&["--imds", "v1"], format!("{SESSION}/ecru-emulator-instance/")),
        (&["--identity", "ecs"], format!("{SESSION}/ecru-emulator-container/")),
        (&["--identity", "eks"], format!("{SESSION}/ecru-emulator-container/")),
        (&["--identity", "web-identity"], format!("{SESSION}/ecru-emulator-job/gitlab-job-400")),
    ] {
        let output = caller_with(arguments);
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(&arn), "{arguments:?}: {output:?}");
    }
    for arguments in [["--identity", "none"], ["--imds", "no-role"]] {
        let output = caller_with(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Unable to locate credentials"), "{arguments:?}: {output:?}");
    }
}
