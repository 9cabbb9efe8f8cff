//! What a person sees where common set-ups fail. `docs/TROUBLESHOOTING.md` shows the same.

use std::path::Path;

use ecru_testkit::{Reply, Sandbox, StubHelper, snapshot_settings};

use super::program::{explain, write};

const IMAGE: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1";
const HOST: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

fn shows(name: &str, sandbox: &Sandbox, arguments: &[&str]) {
    let run = explain(sandbox, &[&[IMAGE], arguments].concat(), &[]);
    let command = [&["$ ecru explain", IMAGE], arguments].concat();
    let command: Vec<String> = command.into_iter().map(quoted).collect();
    let page = format!("{}\n{}{}exit code {}\n", command.join(" "), run.stdout, run.stderr, run.code);
    let mut settings = snapshot_settings(sandbox.root());
    // How a path is searched is not the news.
    settings.add_filter(r"is not on PATH \([^)]*\)", "is not on PATH ([PATH])");
    settings.bind(|| insta::assert_snapshot!(name, page));
}

/// An argument as a person types it.
fn quoted(argument: &str) -> String {
    match argument.contains(['{', '"', '\'']) {
        true => format!("'{}'", argument.replace('\'', r"'\''")),
        false => argument.to_owned(),
    }
}

/// `docs/TROUBLESHOOTING.md` shows some of the pages, each behind a comment with its name.
#[test]
fn the_documentation_shows_these_pages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document =
        std::fs::read_to_string(folder.join("../../docs/TROUBLESHOOTING.md")).expect("the document");
    let shown: Vec<(&str, &str)> = document
        .split("<!-- page: ")
        .skip(1)
        .map(|part| part.split_once(" -->\n```console\n").expect("a page behind its name"))
        .collect();
    assert!(shown.len() > 5, "pages are missing");
    for (name, rest) in shown {
        let page = rest.split_once("\n```\n").expect("the end of a page").0;
        let file = folder.join(format!("tests/explain/snapshots/explain__pages__{name}.snap"));
        let snapshot = std::fs::read_to_string(file).expect("a snapshot of that name");
        let (_, content) = snapshot.split_once("\n---\n").expect("a snapshot's head and content");
        assert_eq!(page.trim(), content.trim(), "docs/TROUBLESHOOTING.md differs from the snapshot `{name}`");
    }
}

fn home_config(sandbox: &Sandbox) {
    write(sandbox, ".docker/config.json", format!(r#"{{"credHelpers":{{"{HOST}":"ecr-login"}}}}"#));
}

#[test]
fn helper_in_the_wrong_place() {
    let sandbox = Sandbox::new();
    home_config(&sandbox);
    shows("helper_in_the_wrong_place", &sandbox, &[]);
}

#[test]
fn list_is_incomplete() {
    let sandbox = Sandbox::new();
    let reply = Reply { stdout: "{}".to_owned(), ..Reply::default() };
    let _stub = StubHelper::new(&sandbox.bin(), "ecr-login").on("list", &reply);
    shows("list_is_incomplete", &sandbox, &["--docker-auth-config", r#"{"credsStore":"ecr-login"}"#]);
}

#[test]
fn list_fails() {
    let sandbox = Sandbox::new();
    let reply = Reply {
        stderr: "time=now level=error msg=\"no region\"\n".to_owned(),
        ..Reply::failure("no region")
    };
    let _stub = StubHelper::new(&sandbox.bin(), "ecr-login").on("list", &reply);
    let variable = r#"{"auths":{"registry.example":{"auth":"dTpw"}},"credsStore":"ecr-login"}"#;
    shows("list_fails", &sandbox, &["--docker-auth-config", variable]);
}

#[test]
fn the_cause_is_swallowed() {
    let sandbox = Sandbox::new();
    home_config(&sandbox);
    let _stub = StubHelper::new(&sandbox.bin(), "ecr-login");
    shows("the_cause_is_swallowed", &sandbox, &[]);
}

#[test]
fn the_helper_says_the_cause() {
    let sandbox = Sandbox::new();
    home_config(&sandbox);
    let helper = sandbox.bin().join("docker-credential-ecr-login");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ecru"), helper).expect("the helper");
    shows("the_helper_says_the_cause", &sandbox, &[]);
}

#[test]
fn a_failing_helper_takes_everything_with_it() {
    let sandbox = Sandbox::new();
    let config = format!(
        r#"{{"auths":{{"registry.example":{{"auth":"dTpw"}}}},"credHelpers":{{"{HOST}":"ecr-login","other.example":"ecr-login"}}}}"#
    );
    write(&sandbox, ".docker/config.json", config);
    let _stub = StubHelper::new(&sandbox.bin(), "ecr-login")
        .on("get", &Reply::failure("AccessDenied: not authorized"));
    shows("a_failing_helper_takes_everything_with_it", &sandbox, &[]);
}

#[test]
fn quotes_around_the_value() {
    let variable = format!(r#"'{{"credHelpers":{{"{HOST}":"ecr-login"}}}}'"#);
    shows("quotes_around_the_value", &Sandbox::new(), &["--docker-auth-config", &variable]);
}

#[test]
fn helpers_as_a_text() {
    shows("helpers_as_a_text", &Sandbox::new(), &["--docker-auth-config", r#"{"credHelpers":"ecr-login"}"#]);
}

#[test]
fn nothing_is_configured() {
    shows("nothing_is_configured", &Sandbox::new(), &[]);
}

#[test]
fn a_path_as_a_helper() {
    shows(
        "a_path_as_a_helper",
        &Sandbox::new(),
        &["--docker-auth-config", r#"{"credsStore":"/usr/bin/ecr-login"}"#],
    );
}

#[test]
fn all_is_well() {
    let sandbox = Sandbox::new();
    home_config(&sandbox);
    write(
        &sandbox,
        "job.json",
        r#"[{"type":"registry","url":"registry.gitlab.example","username":"gitlab-ci-token","password":"t"}]"#,
    );
    let _stub = StubHelper::new(&sandbox.bin(), "ecr-login")
        .get(HOST, &Reply::credentials(HOST, "AWS", "ecru-emulator-1"));
    let variable = format!(r#"{{"auths":{{"{HOST}":{{"auth":"dTpw"}}}}}}"#);
    shows("all_is_well", &sandbox, &["--job-credentials", "job.json"]);
    shows("all_is_well_by_the_variable", &sandbox, &["--docker-auth-config", &variable]);
}

#[test]
fn docker_in_a_job_with_the_runner_s_variable() {
    let variable = format!(r#"{{"credHelpers":{{"{HOST}":"ecr-login"}}}}"#);
    let arguments = ["--context", "job", "--docker-auth-config", &variable];
    shows("docker_in_a_job_with_the_runner_s_variable", &Sandbox::new(), &arguments);
}

#[test]
fn a_pod() {
    let variable =
        r#"{"auths":{"*.dkr.ecr.*.amazonaws.com":{"auth":"dTpw"},"registry.example":{"auth":"dTpw"}}}"#;
    shows("a_pod", &Sandbox::new(), &["--context", "kubernetes", "--docker-auth-config", variable]);
}

#[test]
fn a_version_with_an_allow_list() {
    let variable = format!(r#"{{"credHelpers":{{"{HOST}":"ecr-login"}}}}"#);
    let arguments = ["--runner-version", "19.4", "--docker-auth-config", &variable];
    shows("a_version_with_an_allow_list", &Sandbox::new(), &arguments);
}
