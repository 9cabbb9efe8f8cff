//! `ecru token`, `ecru whoami` and `ecru cache` on emulated AWS: exit code, standard output and standard error of each.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Output;

use ecru_emulator::{Emulator, Options};
use ecru_testkit::{Sandbox, assert_no_leak, snapshot_settings};
use serde_json::Value;

const VIRGINIA: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const IRELAND: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

/// What every password of the emulator starts with.
const MARKER: &str = "ecru-emulator";

/// Emulated AWS, and a home in which `ecru` is run on it.
struct Stage {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    emulator: Emulator,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = Options { listen: "127.0.0.1:0".parse().unwrap(), ..Options::default() };
        let emulator = runtime.block_on(Emulator::start(options)).unwrap();
        let sandbox = Sandbox::new();
        let folder = sandbox.home().join(".config/ecru");
        std::fs::create_dir_all(&folder).unwrap();
        let config = format!("[alias]\n\"registry.example:5000\" = \"{IRELAND}\"\n");
        std::fs::write(folder.join("config.toml"), config).unwrap();
        Self { sandbox, runtime, emulator }
    }

    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        command.env_remove("AWS_EC2_METADATA_DISABLED").envs(self.emulator.environment());
        command.envs(variables.iter().copied()).args(arguments).output().expect("the program starts")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(&[], arguments)
    }

    /// The standard output of a run that succeeds and says nothing else.
    #[track_caller]
    fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn shows(&self, name: &str, variables: &[(&str, &str)], arguments: &[&str]) {
        let output = self.run_with(variables, arguments);
        let text = format!(
            "$ ecru {}\n--- exit code\n{}\n--- standard output\n{}--- standard error\n{}",
            arguments.join(" "),
            output.status.code().expect("it ends by itself"),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut settings = snapshot_settings(self.sandbox.root());
        settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[WHEN]");
        settings.add_filter(r"\b[0-9a-f]{12}  ", "[DIGEST]  ");
        settings.add_filter(r"request [0-9a-f-]{36}", "request [ID]");
        settings.add_filter(r"(ECR_PASSWORD=|.password.:.)ecru-emulator[^\s\x22]+", "${1}[PASSWORD]");
        settings.add_filter(r"QVdTOmVjcnUtZW11bGF0b3[^\s\x22]+", "[AUTH]");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its listeners end with the runtime.
        let _guard = self.runtime.enter();
    }
}

#[test]
fn a_token_in_each_form() {
    let stage = Stage::new();
    let password = stage.stdout(&["token", IRELAND]);
    assert!(password.starts_with(MARKER) && password.ends_with('\n'), "{password}");
    assert_eq!(password, stage.stdout(&["token", IRELAND, "--format", "password"]));

    for format in ["docker-config", "docker-auth-config", "env", "json"] {
        stage.shows(format, &[], &["token", "registry.example:5000", "--format", format]);
    }
    let json: Value = serde_json::from_str(&stage.stdout(&["token", IRELAND, "--format", "json"])).unwrap();
    assert_eq!(json["password"], password.trim_end());
    let dotenv = stage.stdout(&["token", IRELAND, "--format", "env"]);
    assert!(dotenv.contains(&format!("\nECR_PASSWORD={password}")), "{dotenv}");
}

#[test]
fn who_it_is() {
    let stage = Stage::new();
    stage.shows("whoami_instance", &[], &["whoami"]);
    stage.shows("whoami_without_a_token", &[], &["whoami", VIRGINIA]);
    stage.stdout(&["token", VIRGINIA]);
    stage.shows("whoami_with_a_token", &[], &["whoami", VIRGINIA, "--format", "json"]);
    let role = [("ECRU_ROLE_ARN", "arn:aws:iam::000000000001:role/pull")];
    stage.shows("whoami_role", &role, &["whoami", "registry.example:5000"]);
}

#[test]
fn who_it_is_not() {
    let stage = Stage::new();
    let nobody = [("AWS_EC2_METADATA_DISABLED", "true")];
    stage.shows("whoami_nobody", &nobody, &["whoami", VIRGINIA]);
    stage.shows("token_nobody", &nobody, &["token", VIRGINIA]);
    stage.shows("token_of_another_host", &[], &["token", "registry.gitlab.com"]);
    stage.shows(
        "whoami_of_a_look_alike",
        &[],
        &["whoami", "000000000000.dkr.ecr.us-east-1.amazonaws.com.evil.com"],
    );
    stage.shows("token_contradiction", &[("ECRU_EXTERNAL_ID", "ab")], &["token", VIRGINIA]);
}

#[test]
fn the_cache_is_listed_and_emptied() {
    let stage = Stage::new();
    stage.shows("cache_empty", &[], &["cache", "list"]);
    stage.stdout(&["token", VIRGINIA]);
    stage.stdout(&["token", IRELAND]);
    stage.shows("cache_list", &[], &["cache", "list"]);
    assert_no_leak(stage.stdout(&["cache", "list", "--format", "json"]), &[MARKER]);

    // Another account's registry in the region is opened by the same token.
    let neighbour = "000000000007.dkr.ecr.eu-west-1.amazonaws.com";
    stage.shows("cache_clear_a_region", &[], &["cache", "clear", neighbour]);
    let left: Value = serde_json::from_str(&stage.stdout(&["cache", "list", "--format", "json"])).unwrap();
    let hosts: Vec<&Value> =
        left["entries"].as_array().unwrap().iter().map(|entry| &entry["registry"]).collect();
    assert_eq!(hosts, [VIRGINIA]);
    // What can be read by nobody is removed as well, and nothing else.
    let folder = stage.sandbox.home().join(".cache/ecru");
    std::fs::write(folder.join("v1-damaged.json"), "{").unwrap();
    std::fs::write(folder.join("notes.json"), "not ecru's").unwrap();
    stage.shows("cache_clear", &[], &["cache", "clear"]);
    assert!(!folder.join("v1-damaged.json").exists() && folder.join("notes.json").exists());
    stage.shows("cache_without_a_place", &[("HOME", ""), ("XDG_CACHE_HOME", "")], &["cache", "list"]);
}

#[test]
fn a_trace_holds_no_password() {
    let stage = Stage::new();
    let trace = [("ECRU_LOG", "trace")];
    for arguments in [&["token", IRELAND][..], &["whoami", IRELAND], &["cache", "list"]] {
        let output = stage.run_with(&trace, arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(arguments[0] == "cache" || stderr.contains("ecru_ecr"), "{stderr}");
        assert_no_leak(stderr, &[MARKER]);
    }
}
