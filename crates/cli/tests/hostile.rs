//! What hostile files cost as the whole program: an end by itself, a clear error, and a peak of memory within bounds.
//!
//! A target of its own with one test: a child begins with the peak of the process that started it.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::io::Read as _;
use std::process::{Command, Stdio};

use ecru_testkit::{Sandbox, hostile};
use wait4::Wait4 as _;

const MOST_MEMORY: u64 = 64 * 1024 * 1024;
const MEBIBYTE: usize = 1024 * 1024;

/// What one run came to.
struct End {
    code: Option<i32>,
    stderr: String,
    peak: u64,
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> End {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecru"))
        .args(arguments)
        .env_clear()
        .envs(sandbox.environment())
        .current_dir(sandbox.home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = Vec::new();
    let reader = child.stderr.take().expect("a pipe");
    reader.take(MEBIBYTE as u64).read_to_end(&mut stderr).expect("the program's words");
    let used = child.wait4().expect("the program ends");
    End {
        code: used.status.code(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        peak: used.rusage.maxrss,
    }
}

/// Runs the program on each file, and returns what is wrong with its end.
fn faults(
    files: impl Iterator<Item = (&'static str, String)>,
    arguments: &[&str],
    is_fine: impl Fn(&str, &End) -> bool,
) -> Vec<String> {
    let sandbox = Sandbox::new();
    let mut faults = Vec::new();
    for (name, text) in files {
        std::fs::write(sandbox.home().join("file"), &text).expect("a file");
        drop(text);
        let end = run(&sandbox, arguments);
        if end.peak > MOST_MEMORY || !is_fine(name, &end) {
            let End { code, stderr, peak } = end;
            faults.push(format!("{} {name}: {code:?}, {} KiB: {stderr}", arguments.join(" "), peak / 1024));
        }
    }
    faults
}

fn is_told(end: &End) -> bool {
    end.code == Some(80) && end.stderr.starts_with("error: ") && end.stderr.len() < 1000
}

#[test]
fn hostile_files_end_in_an_error_or_an_answer_within_bounds() {
    let must_be_refused =
        ["billion laughs", "brackets in brackets", "indentation without end", "many anchors"];
    // What all of them cost the library, `yaml_memory` of `ecru-gitlab` shows.
    let costly = ["many jobs with many services", "large matrices", "many unknown images"];
    let pipelines = hostile::pipelines(2 * MEBIBYTE);
    let mut wrong = faults(
        pipelines.filter(|(name, _)| must_be_refused.contains(name) || costly.contains(name)),
        &["check", "--offline", "--format", "json", "file"],
        |name, end| match must_be_refused.contains(&name) {
            true => is_told(end),
            false => matches!(end.code, Some(0 | 1)) || is_told(end),
        },
    );
    let image = "registry.example/team/app:1";
    wrong.extend(faults(
        hostile::docker_configs(MEBIBYTE),
        &["explain", image, "--docker-auth-config", "@file", "--no-exec"],
        |_, end| matches!(end.code, Some(3 | 4)),
    ));
    wrong.extend(faults(
        hostile::runner_configs(MEBIBYTE / 2),
        &["explain", image, "--config", "file", "--no-exec"],
        |_, end| matches!(end.code, Some(3)) || is_told(end),
    ));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
