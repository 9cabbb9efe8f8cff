//! The examples and the demo, as the README shows them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::stage::Stage;

fn example(stage: &Stage) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/first-job/.gitlab-ci.yml");
    let text = std::fs::read_to_string(file).unwrap();
    stage.write(".gitlab-ci.yml", &text.replace("localhost:5000", "REGISTRY"));
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn greet_prints_its_script_s_output_and_succeeds() {
    let stage = Stage::set(&[]);
    example(&stage);
    let output = stage.ecru(&["run", "greet", "--plain"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    for line in ["hello from greet", "the catalog has three loaves of bread", "the job was success"] {
        assert!(stdout.lines().any(|printed| printed == line), "{line}: {stdout}");
    }
    assert!(stderr.contains("Authenticating with credentials from $DOCKER_AUTH_CONFIG"), "{stderr}");
    assert!(stderr.contains("ecru stands in for it"), "{stderr}");
    stage.strike();
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn a_script_s_own_exit_code_is_passed_on() {
    let stage = Stage::set(&[]);
    example(&stage);
    let output = stage.ecru(&["run", "fail"]);
    assert_eq!(output.status.code(), Some(3));
    stage.strike();
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn ctrl_c_ends_the_job_and_leaves_nothing() {
    let stage = Stage::set(&[]);
    stage.write(
        ".gitlab-ci.yml",
        "wait:\n  image: REGISTRY/team/job:1\n  variables: {DOCKER_AUTH_CONFIG: '{\"credsStore\":\"ecr-login\"}'}\n  \
         script: [echo started, sleep 1000]\n",
    );
    let mut job =
        stage.command(&["run", "wait"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(job.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap() == "started"), "the script starts");
    assert!(Command::new("kill").args(["-INT", &job.id().to_string()]).status().unwrap().success());
    assert_eq!(job.wait().unwrap().code(), Some(130));
    stage.strike();
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn the_demo_passes_every_step_and_leaves_nothing() {
    let stage = Stage::set(&[]);
    let output = stage.ecru(&["demo", "--plain"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert_eq!(stdout.lines().last(), Some("demo: 10 of 10 steps passed"), "{stdout}");
    assert!(stdout.contains("with docker push and the mounted helper"), "{stdout}");
    stage.strike();
}

/// The demo's own temporary folder and the engine's things are gone after Ctrl-C at any moment.
#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn an_interrupted_demo_leaves_nothing() {
    let stage = Stage::set(&[]);
    let mut demo =
        stage.command(&["demo", "--plain"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(demo.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("pulled team/catalog:1")), "the demo gets there");
    assert!(Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    let last = lines.map(Result::unwrap).last().unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert!(last.starts_with("demo: ") && last.ends_with("of 10 steps passed"), "{last}");
    assert_eq!(left_in(&stage.sandbox.root().join("tmp")), Vec::<String>::new());
    stage.strike();
}

fn left_in(folder: &Path) -> Vec<String> {
    let of_demo = |name: &String| name.starts_with("ecru-demo-") || name.starts_with("ecru-job-");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(of_demo).collect()
}
