//! Where the inputs come from, what is shown of secrets, and the three contexts.

use ecru_testkit::{Reply, Sandbox, StubHelper, assert_no_leak};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::program::{explain, write};

const HOST: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";
const SECRET: &str = "hunter2-hunter2";

fn auths(host: &str, username: &str) -> String {
    json!({ "auths": { host: { "username": username, "password": SECRET } } }).to_string()
}

fn helpers() -> String {
    json!({ "credHelpers": { HOST: "ecr-login" } }).to_string()
}

#[test]
fn the_variable_is_taken_from_an_argument_a_file_or_standard_input() {
    let sandbox = Sandbox::new();
    let value = auths(HOST, "user");
    write(&sandbox, "value.json", &value);
    let username = |arguments: &[&str]| {
        let run = explain(&sandbox, &[&[IMAGE, "--format", "json"], arguments].concat(), &[]);
        run.json()["credential"]["username"].clone()
    };
    assert_eq!(username(&["--docker-auth-config", &value]), "user");
    assert_eq!(username(&["--docker-auth-config", "@value.json"]), "user");
    assert_eq!(username(&[]), Value::Null);
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_ecru"))
        .args(["explain", IMAGE, "--docker-auth-config", "-", "--format", "json"])
        .write_stdin(value)
        .output()
        .expect("the program starts");
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["credential"]["username"], "user");
}

#[test]
fn the_runner_s_configuration_gives_the_variable_expanded_and_the_job_replaces_it() {
    let sandbox = Sandbox::new();
    let config = format!(
        "[[runners]]\nname = \"one\"\nenvironment = ['WHO={SECRET}', 'DOCKER_AUTH_CONFIG={}']\n[[runners]]\nname = \"two\"\n",
        json!({ "auths": { HOST: { "username": "of-config", "password": "$WHO" } } })
    );
    write(&sandbox, "config.toml", config);
    let run = |arguments: &[&str]| {
        explain(
            &sandbox,
            &[&[IMAGE, "--format", "json", "--reveal", "--config", "config.toml"], arguments].concat(),
            &[],
        )
    };
    let shown = run(&["--runner", "one"]).json();
    assert_eq!(shown["credential"]["username"], "of-config");
    assert_eq!(shown["credential"]["secret"], SECRET);
    assert_eq!(run(&["--runner", "two"]).json()["credential"], Value::Null);
    let replaced = run(&["--runner", "one", "--docker-auth-config", "{}"]).json();
    assert_eq!(replaced["credential"], Value::Null);
    assert!(replaced["notes"].to_string().contains("replaces the one of config.toml"));
    assert_eq!(run(&[]).code, 80, "two runners, none named");
}

#[test]
fn the_runner_does_not_read_the_environment_and_docker_does() {
    let sandbox = Sandbox::new();
    let variable = json!({ "auths": { HOST: { "auth": "dTpw" } } }).to_string();
    let variables = [("DOCKER_AUTH_CONFIG", variable.as_str())];
    let runner = explain(&sandbox, &[IMAGE, "--format", "json"], &variables);
    assert_eq!(runner.code, 3);
    assert!(runner.json()["notes"].to_string().contains("does not read it there"));
    let job = explain(&sandbox, &[IMAGE, "--format", "json", "--context", "job"], &variables);
    assert_eq!((job.code, &job.json()["credential"]["username"]), (0, &json!("u")));
    let old = ["--context", "job", "--docker-version", "28.2.2"];
    assert_eq!(explain(&sandbox, &[&[IMAGE], &old[..]].concat(), &variables).code, 3);
}

#[test]
fn docker_in_a_job_finds_its_file_by_docker_config_unless_a_home_is_given() {
    let sandbox = Sandbox::new();
    write(&sandbox, "elsewhere/config.json", auths(HOST, "elsewhere"));
    write(&sandbox, ".docker/config.json", auths(HOST, "home"));
    let folder = sandbox.home().join("elsewhere").display().to_string();
    let home = sandbox.home().display().to_string();
    let username = |arguments: &[&str]| {
        let run = explain(
            &sandbox,
            &[&[IMAGE, "--format", "json"], arguments].concat(),
            &[("DOCKER_CONFIG", &folder)],
        );
        run.json()["credential"]["username"].clone()
    };
    assert_eq!(username(&["--context", "job"]), "elsewhere");
    assert_eq!(username(&["--context", "job", "--home", &home]), "home");
    assert_eq!(username(&[]), "home", "the runner ignores DOCKER_CONFIG");
}

#[test]
fn no_helper_runs_where_none_may() {
    let sandbox = Sandbox::new();
    let stub =
        StubHelper::new(&sandbox.bin(), "ecr-login").get(HOST, &Reply::credentials(HOST, "AWS", SECRET));
    write(&sandbox, ".docker/config.json", helpers());
    let run = explain(&sandbox, &[IMAGE, "--no-exec", "--format", "json"], &[]);
    assert_eq!(run.code, 0);
    let shown = run.json();
    assert_eq!(shown["credential"]["assumed"], true);
    assert_eq!(shown["helper_calls"][0]["stdout_class"], "not-run");
    assert!(stub.calls().is_empty());
    assert_eq!(explain(&sandbox, &[IMAGE], &[]).code, 0);
    assert_eq!(stub.calls().len(), 1);
}

#[test]
fn secrets_show_only_where_they_are_asked_for() {
    let sandbox = Sandbox::new();
    let _stub =
        StubHelper::new(&sandbox.bin(), "ecr-login").get(HOST, &Reply::credentials(HOST, "AWS", SECRET));
    write(&sandbox, ".docker/config.json", helpers());
    write(
        &sandbox,
        "job.json",
        r#"[{"type":"registry","url":"r.example","username":"u","password":"hunter2-hunter2"}]"#,
    );
    write(&sandbox, "broken.json", r#"[{"type":"registry","url":7,"password":"hunter2-hunter2"}]"#);
    let shows = |arguments: &[&str]| {
        let run = explain(&sandbox, &[&[IMAGE], arguments].concat(), &[]);
        [run.stdout, run.stderr].concat()
    };
    let variable = auths("other.example", "user");
    for context in ["runner", "job", "kubernetes"] {
        for format in ["text", "json"] {
            let given = ["--context", context, "--format", format, "--job-credentials", "job.json"];
            assert_no_leak(shows(&given), &[SECRET]);
            assert_no_leak(shows(&[&given[..], &["--docker-auth-config", &variable]].concat()), &[SECRET]);
            assert!(shows(&[&given[..], &["--reveal"]].concat()).contains(SECRET), "{context} {format}");
        }
    }
    let refused = shows(&["--job-credentials", "broken.json"]);
    assert!(refused.contains("`url` of entry 1 is not a text"), "{refused}");
    assert_no_leak(refused, &[SECRET]);
}

#[test]
fn a_version_changes_the_answer() {
    let sandbox = Sandbox::new();
    let _stub =
        StubHelper::new(&sandbox.bin(), "ecr-login").get(HOST, &Reply::credentials(HOST, "AWS", SECRET));
    let variable = helpers();
    let code = |arguments: &[&str]| {
        explain(&sandbox, &[&[IMAGE, "--docker-auth-config", &variable], arguments].concat(), &[]).code
    };
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&["--runner-version", "18.11"]), 0);
    assert_eq!(code(&["--runner-version", "19.4"]), 3);
    assert_eq!(code(&["--runner-version", "19.4", "--helpers-allowed"]), 0);
    assert_eq!(code(&["--runner-version", "latest"]), 80);
    assert_eq!(code(&["--runner-version", "9.5.0"]), 80);
}

#[test]
fn a_kubelet_matches_globs_and_the_runner_does_not() {
    let sandbox = Sandbox::new();
    let variable = auths("*.dkr.ecr.*.amazonaws.com", "user");
    let given = [IMAGE, "--docker-auth-config", &variable, "--format", "json"];
    let runner = explain(&sandbox, &given, &[]);
    assert_eq!(runner.code, 3);
    assert!(runner.json()["notes"].to_string().contains("keys have no wildcards"));
    let pod = explain(&sandbox, &[&given[..], &["--context", "kubernetes"]].concat(), &[]);
    assert_eq!((pod.code, &pod.json()["pod_secret"][0]["tried"]), (0, &json!(1)));
}

#[test]
fn a_kubelet_knows_no_tokens_and_goes_on_to_the_next_entry() {
    let sandbox = Sandbox::new();
    let team = format!("{HOST}/team");
    let token = json!({ "identitytoken": SECRET });
    let explained = |auths: Value| {
        let variable = json!({ "auths": auths }).to_string();
        explain(
            &sandbox,
            &[IMAGE, "--context", "kubernetes", "--docker-auth-config", &variable, "--format", "json"],
            &[],
        )
    };
    let both = explained(json!({ team.as_str(): token, HOST: { "username": "user", "password": SECRET } }));
    assert_eq!((both.code, &both.json()["credential"]["server_address"]), (0, &json!(HOST)));
    let alone = explained(json!({ team.as_str(): token }));
    assert_eq!(alone.code, 3);
    assert!(alone.json()["notes"].to_string().contains("has a token only"));
}

#[test]
fn an_empty_entry_is_as_good_as_none() {
    let sandbox = Sandbox::new();
    let variable = json!({ "auths": { HOST: {} } }).to_string();
    let run = explain(&sandbox, &[IMAGE, "--docker-auth-config", &variable, "--format", "json"], &[]);
    let shown = run.json();
    assert_eq!((run.code, &shown["credential"]["empty"]), (3, &json!(true)));
    assert_eq!(shown["credential"]["secret"], "");
    assert!(shown["notes"].to_string().contains("has nothing in it"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_bytes_of_the_variable_give_json(bytes: Vec<u8>) {
        let sandbox = Sandbox::new();
        write(&sandbox, "value", &bytes);
        for context in ["runner", "job", "kubernetes"] {
            let arguments =
                [IMAGE, "--docker-auth-config", "@value", "--format", "json", "--no-exec", "--context", context];
            let run = explain(&sandbox, &arguments, &[]);
            prop_assert!([0, 3, 4].contains(&run.code), "{}", run.stderr);
            prop_assert_eq!(&run.json()["image"], IMAGE);
        }
    }
}
