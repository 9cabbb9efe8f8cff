//! What `ecru check` tells of pipelines that are not as they should be; none of it needs a registry.

use ecru_testkit::Sandbox;
use serde_json::Value;

fn told(pipeline: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.home().join("p.yml"), pipeline).expect("a pipeline");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_ecru"));
    let output = command.args(["check", "--offline", "p.yml"]).args(arguments).output();
    let output = output.expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn warnings(pipeline: &str) -> Vec<(String, String)> {
    let (code, told) = told(pipeline, &["--format", "json"]);
    assert_eq!(code, Some(0), "{told}");
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let warnings = report["warnings"].as_array().expect("warnings");
    let text = |warning: &Value, member: &str| warning[member].as_str().unwrap_or_default().to_owned();
    warnings.iter().map(|warning| (text(warning, "kind"), text(warning, "message"))).collect()
}

#[test]
fn what_gitlab_would_refuse_is_a_warning() {
    for (pipeline, kind, message) in [
        ("x: [1]\na: {image: i, script: x}\n", "pipeline", "`x` is neither a keyword nor a job"),
        ("{}\n", "pipeline", "the pipeline has no job"),
        ("a: {image: i, stage: b, script: x}\n", "pipeline", "stage `b` of job `a` does not exist"),
        (
            "a: {image: 'r.example/i${A:-x}', script: x}\n",
            "no_variable",
            "loses `${A:-x}`: GitLab has no default",
        ),
        ("a: {image: i, script: x, secrets: {}}\n", "not_followed", "`secrets` of job `a` is not followed"),
    ] {
        let warnings = warnings(pipeline);
        assert_eq!(warnings.len(), 1, "{pipeline}: {warnings:?}");
        assert!(warnings[0].0 == kind && warnings[0].1.contains(message), "{pipeline}: {warnings:?}");
    }
}

#[test]
fn numbers_agree_with_what_they_count() {
    let (_, text) = told("a: {image: '$A/$B', script: x}\nb: {image: i}\nc: {image: '$A', script: x}\n", &[]);
    assert!(text.contains("`$A`, `$B` are not known here"), "{text}");
    assert!(text.contains("used by c: `$A` is not known here"), "{text}");
    assert!(
        text.ends_with("3 jobs, 0 images: 0 ok, 0 failed, 2 not checked; 1 job cannot be read\n"),
        "{text}"
    );
    let (_, text) = told("a: {image: i, script: x}\n", &[]);
    assert!(text.contains("1 job, 1 image: 0 ok"), "{text}");
}

#[test]
fn a_name_cannot_turn_the_direction_of_a_line() {
    let pipeline = "\"a\u{202e}b\": {image: \"r.example/a\u{202e}b\", script: x}\n";
    for format in ["text", "json", "junit", "codequality"] {
        let (_, told) = told(pipeline, &["--format", format]);
        assert!(!told.contains('\u{202e}'), "{format}: {told}");
        if format == "json" {
            let report: Value = serde_json::from_str(&told).expect("JSON");
            assert_eq!(report["images"][0]["image"], "r.example/a\u{202e}b");
        }
    }
}
