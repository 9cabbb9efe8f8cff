//! Cases that were run through GitLab Runner v19.3.0 itself, played through the program.

use ecru_testkit::{Reply, Sandbox, StubHelper};
use serde_json::{Value, json};

use super::program::{Run, explain, write};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../gitlab/tests/vectors/gitlab-auth.json"))
        .expect("the vectors are JSON")
}

fn cases(group: &str) -> Vec<Value> {
    let cases = vectors()[group].as_array().expect("a list of cases").clone();
    assert!(!cases.is_empty(), "no case of {group}");
    cases
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}

/// A sandbox with the files and the helpers of a case; the vectors call its home `$HOME`.
struct Stage(Sandbox);

impl Stage {
    fn of(input: &Value) -> Self {
        let sandbox = Sandbox::new();
        for (name, content) in members(&input["home_files"]) {
            write(&sandbox, name, text(content));
        }
        for (name, helper) in members(&input["helpers"]) {
            make_helper(&sandbox, name, helper);
        }
        write(&sandbox, "job.json", input["job_credentials"].to_string());
        Self(sandbox)
    }

    fn explain(&self, input: &Value, more: &[&str]) -> Run {
        let mut arguments = vec!["--format", "json", "--reveal", "--job-credentials", "job.json"];
        let variable =
            input["docker_auth_config"].as_str().map(|value| format!("--docker-auth-config={value}"));
        arguments.extend(variable.as_deref());
        arguments.extend(more);
        let home = self.0.home().display().to_string();
        let variables: Vec<(String, String)> = members(&input["process_env"])
            .map(|(name, value)| (name.to_owned(), text(value).replace("$HOME", &home)))
            .collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        explain(&self.0, &arguments, &variables)
    }

    /// A source by the name that the vectors have for it.
    fn source(&self, source: &Value) -> String {
        text(source).replace(&self.0.home().display().to_string(), "$HOME")
    }

    fn credential(&self, shown: &Value) -> Value {
        json!({
            "path": shown["path"],
            "source": self.source(&shown["source"]),
            "server_address": shown["server_address"],
            "username": shown["username"],
            "password": shown["secret"],
            "identity_token": shown["identity_token"],
        })
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn make_helper(sandbox: &Sandbox, name: &str, helper: &Value) {
    let reply = |answer: &Value| Reply {
        stdout: text(&answer["stdout"]).to_owned(),
        code: answer["exit"].as_u64().and_then(|code| u8::try_from(code).ok()).expect("an exit code"),
        ..Reply::default()
    };
    let mut stub = StubHelper::new(&sandbox.bin(), name);
    for (key, answer) in members(&helper["get"]) {
        stub = match key {
            "*" => stub.on("get", &reply(answer)),
            key => stub.get(key, &reply(answer)),
        };
    }
    if helper["list"].is_object() {
        let _ = stub.on("list", &reply(&helper["list"]));
    }
}

#[test]
fn every_case_of_one_image() {
    for case in cases("resolve") {
        let (id, input, expected) = (text(&case["id"]), &case["input"], &case["expected"]);
        let stage = Stage::of(input);
        let run = stage.explain(input, &[text(&input["image"])]);
        let shown = run.json();

        let code = match (&expected["error"], &expected["result"]) {
            (Value::String(_), _) => 4,
            (_, Value::Null) => 3,
            _ => 0,
        };
        assert_eq!(run.code, code, "{id}: exit code\n{}", run.stdout);
        assert_eq!(shown["error"], expected["error"], "{id}: error");
        let credential = match &shown["credential"] {
            Value::Null => Value::Null,
            credential => stage.credential(credential),
        };
        assert_eq!(credential, expected["result"], "{id}: credential");
        check_warnings(id, &shown["warnings"], &expected["warning_contains"]);
        if let Some(calls) = expected.get("helper_calls") {
            assert_eq!(
                calls_in_the_words_of_the_vectors(&shown["helper_calls"]),
                *calls,
                "{id}: helper calls"
            );
        }
    }
}

fn check_warnings(id: &str, shown: &Value, expected: &Value) {
    let warnings = shown.as_array().expect("a list");
    let parts = expected.as_array().expect("a list");
    assert_eq!(warnings.len(), usize::from(!parts.is_empty()), "{id}: {shown}");
    for part in parts {
        assert!(text(&warnings[0]).contains(text(part)), "{id}: {part} in {shown}");
    }
}

fn calls_in_the_words_of_the_vectors(shown: &Value) -> Value {
    let calls = shown.as_array().expect("a list").iter().map(|call| {
        let program = text(&call["program"]);
        let helper = program.strip_prefix("docker-credential-").expect("a helper's name");
        json!({ "helper": helper, "verb": call["verb"], "stdin": call["stdin"] })
    });
    calls.collect()
}

/// The kubernetes executor is the one that asks for everything.
#[test]
fn every_case_of_all_credentials() {
    for case in cases("resolve_all") {
        let (id, input) = (text(&case["id"]), &case["input"]);
        let stage = Stage::of(input);
        let shown = stage.explain(input, &["--context", "kubernetes", "alpine"]).json();
        let secret = shown["pod_secret"].as_array().expect("a list");
        let credentials: Value = secret.iter().map(|line| stage.credential(line)).collect();
        assert_eq!(credentials, case["expected"], "{id}");
    }
}

#[test]
fn every_case_of_an_image_s_path() {
    let sandbox = Sandbox::new();
    for case in cases("image_path") {
        let run = explain(&sandbox, &[text(&case["image"]), "--format", "json"], &[]);
        assert_eq!(run.json()["path"], case["path"], "for {}", case["image"]);
    }
}

#[test]
fn every_case_of_a_key_s_path() {
    let sandbox = Sandbox::new();
    for case in cases("registry_path") {
        let document = json!({ "auths": { text(&case["key"]): {} } }).to_string();
        let arguments = ["alpine", "--format", "json", "--docker-auth-config", &document];
        let shown = explain(&sandbox, &arguments, &[]).json();
        assert_eq!(shown["entries"][0]["path"], case["path"], "for {}", case["key"]);
    }
}

#[test]
fn every_case_of_the_home_files() {
    for case in cases("home_lookup") {
        let (id, expected) = (text(&case["id"]), &case["expected"]);
        let input = json!({ "home_files": case["files"], "job_credentials": [] });
        let stage = Stage::of(&input);
        let shown = stage.explain(&input, &["--context", "kubernetes", "alpine"]).json();
        let sources = shown["sources"].as_array().expect("a list");
        let read = sources.iter().find(|source| source["state"] == "read");
        assert_eq!(
            read.map(|read| stage.source(&read["source"])).unwrap_or_default(),
            text(&expected["file"]),
            "{id}"
        );
        let auths: Value = shown["pod_secret"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|line| {
                json!({
                    "server_address": line["server_address"],
                    "username": line["username"],
                    "password": line["secret"],
                })
            })
            .collect();
        assert_eq!(auths, expected["auths"], "{id}");
    }
}
