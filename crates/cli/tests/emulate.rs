//! `ecru emulate` as a person starts it.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};

use ecru_testkit::{Sandbox, snapshot_settings};
use rustix::process::{Pid, Signal, kill_process};

/// `ecru emulate` on free ports, with `arguments` after that.
fn emulate(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecru"));
    command.env_clear().envs(sandbox.environment()).current_dir(sandbox.home());
    command.args(["emulate", "--port", "0"]).args(arguments);
    // Whatever is not meant for the emulator ends at a proxy that is none.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    command
}

fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).expect("the child is there");
}

/// What `address` answers to a request of these lines.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(b"content-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn real_identities_are_not_shadowed() {
    let sandbox = Sandbox::new();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_PROFILE", "work"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
    ] {
        let mut command = emulate(&sandbox, &[]);
        command.env(name, value);
        let output = output(command);
        assert_eq!(output.status.code(), Some(89), "{output:?}");
        let stderr = text(&output.stderr);
        assert!(
            stderr.starts_with(&format!("error: variables of a real AWS identity are set: {name}\n")),
            "{stderr}"
        );
        assert!(stderr.contains(&format!("hint: env -u {name} ecru emulate")), "{stderr}");
        assert!(!stderr.contains(value), "{stderr}");
    }
}

#[test]
fn force_and_the_emulators_own_keys_are_let_through() {
    let sandbox = Sandbox::new();
    for (arguments, key) in [
        (&["--format", "json", "--force"][..], "AKIAIOSFODNN7EXAMPLE"),
        (&["--format", "json"], "AKIAECRUEMULATOR0000"),
    ] {
        let mut command = emulate(&sandbox, arguments);
        command.env("AWS_ACCESS_KEY_ID", key);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("\"addresses\""), "{line}");
        signal(&child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn faults_are_read_from_the_command_line() {
    let sandbox = Sandbox::new();
    let output = output(emulate(&sandbox, &["--fault", "ecr:*=explode"]));
    assert_eq!(output.status.code(), Some(80));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("\"explode\" is not an effect") && stderr.contains("hint: effects are"),
        "{stderr}"
    );
}

#[test]
fn the_control_address_tells_and_stops() {
    let sandbox = Sandbox::new();
    let mut command =
        emulate(&sandbox, &["--format", "json", "--control", "--fault", "registry:Ping=status:503"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address = |name: &str| json["addresses"][name].as_str().unwrap().to_owned();
    assert!(ask(&address("main"), "GET /v2/").starts_with("HTTP/1.1 503"));
    let told = ask(&address("control"), "GET /calls");
    assert!(told.ends_with(r#"{"registry:Ping":1}"#), "{told}");
    assert!(ask(&address("control"), "POST /stop").starts_with("HTTP/1.1 202"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_command_runs_on_emulated_aws_and_its_exit_code_is_passed_on() {
    let sandbox = Sandbox::new();
    let script = "env; exit 7";
    let mut command = emulate(&sandbox, &["--", "/bin/sh", "-c", script]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_PROFILE", "work");
    command.env("AWS_REGION", "eu-west-1").env("NO_PROXY", "example.com");
    let output = output(command);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let environment = text(&output.stdout);
    let value = |name: &str| {
        environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    for name in ["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_STS", "AWS_EC2_METADATA_SERVICE_ENDPOINT"] {
        assert!(value(name).starts_with("http://127.0.0.1:"), "{environment}");
    }
    assert_eq!((value("AWS_ACCESS_KEY_ID"), value("AWS_PROFILE")), ("", ""));
    assert_eq!((value("AWS_REGION"), value("NO_PROXY")), ("eu-west-1", "example.com,127.0.0.1,localhost"));
    assert!(!value("ECRU_CONFIG").is_empty() && value("PATH").starts_with('/'));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn the_helper_works_for_the_command_without_any_setting() {
    let sandbox = Sandbox::new();
    let script = "echo 000000000000.dkr.ecr.us-east-1.amazonaws.com | docker-credential-ecr-login get";
    let output = output(emulate(&sandbox, &["--", "/bin/sh", "-c", script]));
    assert!(text(&output.stdout).contains("ecru-emulator."), "{output:?}");
    assert!(output.status.success());
}

#[test]
fn the_tokens_of_an_emulator_go_with_it() {
    let sandbox = Sandbox::new();
    let script = "echo 000000000000.dkr.ecr.us-east-1.amazonaws.com | docker-credential-ecr-login get >/dev/null; \
                  find \"$AWS_ECR_CACHE_DIR\" \"$HOME\" -type f";
    let output = output(emulate(&sandbox, &["--", "/bin/sh", "-c", script]));
    let kept = text(&output.stdout);
    assert!(kept.lines().count() > 0 && !kept.contains("/.cache/"), "{output:?}");
    for file in kept.lines() {
        assert!(!std::path::Path::new(file).exists(), "{kept}");
    }
}

/// The `AWS_…` variables of a command with this identity, without what differs from run to run.
fn variables_with(identity: &str, sandbox: &Sandbox) -> String {
    let arguments = ["--identity", identity, "--", "/bin/sh", "-c", "env | grep ^AWS_ | sort"];
    let output = output(emulate(sandbox, &arguments));
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

#[test]
fn an_identity_is_given_to_the_command_by_variables() {
    for identity in ["instance", "keys", "ecs", "eks", "web-identity", "none"] {
        let sandbox = Sandbox::new();
        let variables = variables_with(identity, &sandbox);
        let mut settings = snapshot_settings(sandbox.root());
        settings.add_filter(r"/tmp/[^/\n]+/", "/tmp/[TEMPORARY]/");
        settings.add_filter(r"ecru-emulator-task-[^\n]+", "ecru-emulator-task-[TOKEN]");
        settings.add_filter(r"/ecs/credentials/[^\n]+", "/ecs/credentials/[ID]");
        settings.bind(|| insta::assert_snapshot!(identity, variables));
    }
}

#[test]
fn the_helper_finds_each_identity() {
    let sandbox = Sandbox::new();
    let script = "echo 000000000000.dkr.ecr.us-east-1.amazonaws.com | docker-credential-ecr-login get";
    for identity in ["keys", "ecs", "eks", "web-identity"] {
        let output = output(emulate(&sandbox, &["--identity", identity, "--", "/bin/sh", "-c", script]));
        assert!(text(&output.stdout).contains("ecru-emulator."), "{identity}: {output:?}");
    }
    for arguments in [["--identity", "none"], ["--imds", "no-role"], ["--imds", "absent"]] {
        let arguments = [&arguments[..], &["--", "/bin/sh", "-c", script]].concat();
        let output = output(emulate(&sandbox, &arguments));
        assert!(!output.status.success() && !text(&output.stdout).contains("ecru-emulator."), "{output:?}");
    }
}

#[test]
fn an_identity_is_printed_with_the_endpoints() {
    let sandbox = Sandbox::new();
    let mut command = emulate(&sandbox, &["--identity", "keys"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<_> = lines.take_while(|line| !line.starts_with("# The identity is")).collect();
    for line in ["export AWS_ACCESS_KEY_ID='AKIAECRUEMULATOR0000'", "export AWS_EC2_METADATA_DISABLED='true'"]
    {
        assert!(printed.iter().any(|printed| printed == line), "{printed:?}");
    }
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_command_that_is_none_is_told_as_shells_tell_it() {
    let sandbox = Sandbox::new();
    let missing = output(emulate(&sandbox, &["--", "/nonexistent/command"]));
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stderr).starts_with("error: cannot run /nonexistent/command\n"), "{missing:?}");
    assert_eq!(output(emulate(&sandbox, &["--", "/etc/passwd"])).status.code(), Some(126));
    assert_eq!(output(emulate(&sandbox, &["--", "/bin/sh", "-c", "kill -9 $$"])).status.code(), Some(137));
}

#[test]
fn signals_reach_the_command() {
    let sandbox = Sandbox::new();
    for (name, number) in [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP)] {
        let script =
            format!("trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.1; done");
        let mut command = emulate(&sandbox, &["--", "/bin/sh", "-c", &script]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        signal(&child, number);
        assert_eq!(lines.next().unwrap().unwrap(), format!("got {name}"));
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(3), None));
    }
}
