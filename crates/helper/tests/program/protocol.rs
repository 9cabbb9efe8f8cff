//! The protocol around the answers: arguments, stdin, stdout, and the verbs that change nothing.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::stage::aws::{self, PASSWORD};
use crate::stage::{FRANKFURT, NOT_FOUND, Stage, program};

#[test]
fn arguments_choose_the_verb() {
    let stage = Stage::new();
    let usage = "Usage: docker-credential-ecr-login <store|get|erase|list|version>\n";
    let version = concat!("docker-credential-ecr-login ", env!("CARGO_PKG_VERSION"), "\n");
    for (arguments, code, stdout) in [
        (&["version"][..], 0, version),
        (&["-v"], 0, version),
        (&["--version"], 0, version),
        (&["help"], 0, usage),
        (&["--help"], 0, usage),
        (&[], 1, usage),
        (&["GET"], 1, usage),
        (&["get", "get"], 1, usage),
        (&["remove"], 1, usage),
    ] {
        let output = stage.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), stdout, "{arguments:?}");
    }
}

#[test]
fn requests_that_are_not_one_line_reach_nobody() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for request in [
        Vec::new(),
        b"\n".to_vec(),
        format!("{FRANKFURT}\n{FRANKFURT}").into_bytes(),
        FRANKFURT.replace(".com", "\n.com").into_bytes(),
        format!("{FRANKFURT}\r").into_bytes(),
        format!("{FRANKFURT}\0").into_bytes(),
        format!("{FRANKFURT}\n\n").into_bytes(),
        vec![0xff],
        vec![b'a'; 1024 * 1024],
    ] {
        let run = stage.run("get", request.clone());
        assert!(run.not_found().contains("the request on stdin"), "{run:?}");
    }
    assert_eq!(aws.count(), 0);
}

#[test]
fn hostile_hosts_reach_nobody() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for server in [
        format!("{FRANKFURT}.evil.com"),
        format!("{FRANKFURT}@evil.com"),
        format!("evil.com@{FRANKFURT}"),
        format!("user:password@{FRANKFURT}"),
        format!("{FRANKFURT}:8443"),
        format!("{FRANKFURT}/../../evil"),
        format!("{FRANKFURT}?x=.evil.com"),
        format!("{FRANKFURT}#evil.com"),
        format!("{FRANKFURT}/%2e%2e/"),
        format!("{FRANKFURT}."),
        format!("http://{FRANKFURT}"),
        format!("evil.com/{FRANKFURT}"),
        FRANKFURT.replace("eu-central-1", "evil-region"),
        "public.ecr.aws.evil.com".to_owned(),
    ] {
        stage.get(&server).not_found();
    }
    assert_eq!(aws.count(), 0);
}

#[test]
fn an_answer_that_nobody_takes_is_a_failure_and_the_token_stays() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(exit_code_with(&stage, full), Some(1));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(exit_code_with(&stage, writer), Some(1), "a closed pipe must not kill the program");

    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), 1);
}

/// How the program ends that is asked for a registry with this stdout.
fn exit_code_with(stage: &Stage, stdout: impl Into<Stdio>) -> Option<i32> {
    let request = stage.write("request", FRANKFURT);
    let mut command = Command::new(program());
    command.arg("get").env_clear().envs(stage.variables());
    command.stdin(File::open(request).unwrap()).stdout(stdout).stderr(Stdio::null());
    command.status().unwrap().code()
}

#[test]
fn store_and_erase_of_registries_succeed_and_change_nothing() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    let run = stage.run("erase", FRANKFURT);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.contains("nothing to keep or to forget"), "{run:?}");

    let credential =
        format!(r#"{{"ServerURL":"https://{FRANKFURT}/","Username":"AWS","Secret":"given-NEVER-SHOWN"}}"#);
    let run = stage.run("store", credential);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.contains(FRANKFURT), "{run:?}");
    assert_eq!(aws.count(), 0);
    assert!(std::fs::read_dir(stage.home()).unwrap().next().is_none());
}

#[test]
fn store_and_erase_of_other_hosts_are_refused_with_a_reason() {
    let stage = Stage::new();
    let run = stage.run("erase", "https://index.docker.io/v1/");
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stdout,
        "docker-credential-ecr-login keeps no credentials: `index.docker.io` is not a registry of Amazon ECR\n"
    );
    let run = stage.run("store", r#"{"ServerURL":"ghcr.io","Username":"a","Secret":"given-NEVER-SHOWN"}"#);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("`ghcr.io` is not"), "{run:?}");
    let run = stage.run("store", r#"{"Secret":"given-NEVER-SHOWN" oops"#);
    assert_eq!((run.code, run.stdout.as_str()), (1, NOT_FOUND));
}
