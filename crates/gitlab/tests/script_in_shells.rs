//! The generated scripts in real shells.
#![expect(clippy::expect_used, clippy::panic, reason = "a test stops where its own premises fail")]

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use ecru_gitlab::script::{after_script, job_script, shell_command};
use proptest::prelude::*;

/// A shell that every Unix has, and those that job images usually have.
const SHELLS: [&[&str]; 3] = [&["sh"], &["bash"], &["busybox", "sh"]];

struct Run {
    stdout: String,
    code: Option<i32>,
}

/// Feeds `script` to a shell, or returns none if this machine has no such shell.
fn run(shell: &[impl AsRef<str>], script: &str) -> Option<Run> {
    let mut words = shell.iter().map(AsRef::as_ref);
    let child = Command::new(words.next().expect("a shell has a name"))
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => panic!("the shell does not start: {error}"),
    };
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A shell that has read enough closes its end.
    let _ = stdin.write_all(script.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the shell ends");
    Some(Run { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), code: output.status.code() })
}

/// What the commands do in each shell; `sh` must be among them.
fn in_every_shell(commands: &[&str]) -> Vec<Run> {
    let script = job_script("/", None, commands.iter().copied());
    let runs: Vec<Run> = SHELLS.iter().filter_map(|shell| run(shell, &script)).collect();
    assert!(!runs.is_empty(), "this machine has no shell");
    runs
}

fn expect(commands: &[&str], stdout: &str, code: i32) {
    for run in in_every_shell(commands) {
        assert_eq!((run.stdout.as_str(), run.code), (stdout, Some(code)), "for {commands:?}");
    }
}

#[test]
fn commands_are_shown_and_share_one_shell() {
    expect(&["X='a b'", "echo \"$X\"", "pwd"], "$ X='a b'\n$ echo \"$X\"\na b\n$ pwd\n/\n", 0);
}

#[test]
fn the_first_failure_ends_the_script_with_its_exit_code() {
    expect(&["echo a", "(exit 7)", "echo b"], "$ echo a\na\n$ (exit 7)\n", 7);
    expect(&["exit 3", "echo b"], "$ exit 3\n", 3);
    expect(&["nonexistent-command-x"], "$ nonexistent-command-x\n", 127);
}

#[test]
fn conditions_do_not_count_as_failures_unless_they_come_last() {
    expect(&["false && true", "echo b"], "$ false && true\n$ echo b\nb\n", 0);
    expect(&["false || true"], "$ false || true\n", 0);
    expect(&["false && true"], "$ false && true\n", 1);
}

#[test]
fn a_failure_inside_a_pipe_counts_where_the_shell_can_tell() {
    let script = job_script("/", None, ["false | true", "echo b"]);
    let run = run(&["bash"], &script).expect("this machine has bash");
    assert_eq!((run.stdout.as_str(), run.code), ("$ false | true\n", Some(1)));
}

#[test]
fn commands_cannot_read_the_script() {
    expect(&["cat", "read line || echo end"], "$ cat\n$ read line || echo end\nend\n", 0);
}

#[test]
fn of_several_lines_the_first_is_shown() {
    expect(
        &["cat <<'END'\n  it's \"$HOME\"\nEND\necho after"],
        "$ cat <<'END' # collapsed multi-line command\n  it's \"$HOME\"\nafter\n",
        0,
    );
}

#[test]
fn an_empty_command_is_an_empty_line() {
    expect(&["  ", "echo a"], "\n$ echo a\na\n", 0);
}

#[test]
fn a_syntax_error_stops_the_script_where_it_stands() {
    for run in in_every_shell(&["echo a", "echo 'b"]) {
        assert_ne!(run.code, Some(0));
        assert!(run.stdout.starts_with("$ echo a\n"), "{}", run.stdout);
    }
}

#[test]
fn the_script_of_the_runner_comes_first() {
    let script = job_script("/", Some("X=1"), ["echo $X"]);
    let run = run(&["sh"], &script).expect("every machine has sh");
    assert_eq!(run.stdout, "$ X=1\n$ echo $X\n1\n");
}

#[test]
fn without_the_folder_of_the_project_nothing_runs() {
    let script = after_script("/nonexistent/folder", ["echo a"]);
    for run in SHELLS.iter().filter_map(|shell| run(shell, &script)) {
        assert_eq!(run.stdout, "");
        assert_ne!(run.code, Some(0));
    }
}

#[test]
fn the_start_command_finds_a_shell() {
    let run = run(&shell_command(), &job_script("/", None, ["echo a"])).expect("every machine has sh");
    assert_eq!((run.stdout.as_str(), run.code), ("$ echo a\na\n", Some(0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_shown_as_it_is(text in "[^\n\0]{0,40}") {
        let shown = format!("$ {}\n", format!("# {text}").trim());
        let script = job_script("/", None, [format!("# {text}").as_str()]);
        for run in SHELLS.iter().filter_map(|shell| run(shell, &script)) {
            prop_assert_eq!(&run.stdout, &shown);
            prop_assert_eq!(run.code, Some(0));
        }
    }

    #[test]
    fn any_folder_is_entered(name in "[^/\0]{1,40}") {
        prop_assume!(name != "." && name != "..");
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join(&name);
        std::fs::create_dir(&folder).expect("a folder of that name");
        std::fs::write(folder.join("marker"), "here").expect("a file");
        let script = job_script(folder.to_str().expect("text"), None, ["cat marker"]);
        for run in SHELLS.iter().filter_map(|shell| run(shell, &script)) {
            prop_assert_eq!(&run.stdout, "$ cat marker\nhere");
        }
    }
}
