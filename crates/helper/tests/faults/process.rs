//! Rows 5 and 23 to 26: processes that are killed, or that lack what a process has.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::said::{assert_rule, assert_says, fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, NOT_FOUND, Run, Stage, program};

/// The program with this request on its standard input, not yet started.
fn command(stage: &Stage, request: impl Into<Stdio>) -> Command {
    let mut command = Command::new(program());
    command.arg("get").env_clear().envs(stage.variables()).stdin(request);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn request(stage: &Stage) -> File {
    File::open(stage.write("request", FRANKFURT)).unwrap()
}

fn run_of(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or_else(|| panic!("killed: {output:?}")),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: std::time::Duration::ZERO,
    }
}

/// Checks that every entry is one JSON object with a token.
fn assert_parses(stage: &Stage) {
    for path in stage.cached_files("json") {
        let entry: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(entry["secret"], PASSWORD);
    }
}

#[test]
fn row_05_killed_at_any_moment() {
    fault("300 processes killed 0 to 90 milliseconds after their start");
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for number in 0..300_u64 {
        for entry in stage.cached_files("json") {
            fs::remove_file(entry).unwrap();
        }
        let mut child = command(&stage, request(&stage)).spawn().unwrap();
        // The moment is the fault; the factor spreads the moments over the whole range.
        std::thread::sleep(Duration::from_micros(number * 7919 % 90_000));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_parses(&stage);
    }
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(stage.cached_files("tmp").is_empty(), "a temporary file was left");
    // One that is surely there, and a run that has nothing to write.
    let calls = aws.count();
    let entry = stage.cached_files("json").remove(0);
    fs::write(entry.with_extension("99999-0.tmp"), PASSWORD).unwrap();
    assert_eq!(stage.cached_files("tmp").len(), 1);
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), calls);
    assert!(stage.cached_files("tmp").is_empty(), "a temporary file outlived a run with a fresh token");
    held("the cache parsed 300 times, no temporary file is left after the next run");
}

#[test]
fn row_23_an_answer_that_nobody_takes() {
    fault("standard output is full, closed, or its reader has gone");
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let read_only = File::open("/dev/null").unwrap();
    for stdout in [Stdio::from(full), Stdio::from(writer), Stdio::from(read_only)] {
        let output = command(&stage, request(&stage)).stdout(stdout).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_says(&String::from_utf8_lossy(&output.stderr), &["the answer could not be written"]);
    }
    assert_eq!(aws.count(), 1, "the token did not stay in the cache");
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), 1);

    // Before our first line, Rust opens /dev/null in the place of a descriptor that is closed.
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" get >&-"]).arg(program()).env_clear().envs(stage.variables());
    let output = shell.stdin(request(&stage)).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "standard output was closed: {output:?}");
    held("exit 1 each time, and the token stays in the cache");
}

#[test]
fn row_24_no_request_or_a_huge_one() {
    fault("standard input is closed, empty, of 1 MB, or has a NUL");
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for bytes in [Vec::new(), vec![0], format!("{FRANKFURT}\0").into_bytes(), vec![b'\n'; 3], vec![0xff; 9]] {
        assert_says(stage.run("get", bytes).not_found(), &["the request on stdin"]);
    }
    let path = stage.write("huge", &"a".repeat(1024 * 1024));
    for name in [path.to_str().unwrap(), "/dev/zero"] {
        let mut huge = File::open(name).unwrap();
        // The two files share one position.
        let output = command(&stage, huge.try_clone().unwrap()).output().unwrap();
        assert_says(run_of(output).not_found(), &["longer than 4096 bytes"]);
        let position = huge.stream_position().unwrap();
        // The standard library reads as much as its buffer holds.
        assert!(position <= 8 * 1024, "{position} bytes were read");
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" get <&-"]).arg(program()).env_clear().envs(stage.variables());
    run_of(shell.output().unwrap()).not_found();
    let directory = command(&stage, File::open(stage.home()).unwrap()).output().unwrap();
    run_of(directory).not_found();
    assert_eq!(aws.count(), 0);
    held("exit 1, no more than one buffer of 8 KiB read");
}

#[test]
fn row_25_no_more_files_threads_or_room() {
    fault("the process may open only so many files, or write only so much");
    let aws = aws::proper();
    let (mut served, mut refused) = (0, 0);
    for limit in 3..24 {
        let stage = Stage::with(&aws);
        let output = limited(&stage, &format!("ulimit -n {limit}"));
        let run = run_of(output);
        assert_rule(&run);
        if run.code == 0 {
            served += 1;
        } else {
            refused += 1;
        }
        assert_parses(&stage);
        assert!(stage.cached_files("tmp").is_empty());
    }
    assert!(served > 0 && refused > 0, "no limit made a difference: {served} and {refused}");

    // A file that may not grow: the system sends SIGXFSZ first, as some shells are configured to.
    let stage = Stage::with(&aws);
    let run = run_of(limited(&stage, "trap '' XFSZ; ulimit -f 0"));
    assert_rule(&run);
    assert!(stage.cached_files("tmp").is_empty() && stage.cached_files("json").is_empty());
    held(format!("{served} limits served, {refused} refused, in the fixed words"));
}

/// The program under a limit that the shell sets.
fn limited(stage: &Stage, limit: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit}; exec \"$0\" get")]).arg(program());
    shell.env_clear().envs(stage.variables()).stdin(request(stage)).output().unwrap()
}

#[test]
fn row_26_a_signal_in_the_middle() {
    fault("SIGTERM, SIGHUP, SIGINT and SIGPIPE while AWS is asked");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::PIPE] {
        let (sender, arrived) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(Some(gate));
        let aws = Responder::start(move |request| {
            sender.send(()).unwrap();
            let gate = gate.lock().unwrap().take();
            if let Some(gate) = gate {
                let _ = gate.recv();
            }
            aws::token(request)
        });
        let stage = Stage::with(&aws);
        let mut child: Child = command(&stage, Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(FRANKFURT.as_bytes()).unwrap();
        arrived.recv().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        // A signal that the program does not mind lets it go on.
        drop(release);
        let output = child.wait_with_output().unwrap();
        match (output.status.signal(), output.status.code()) {
            (Some(number), _) => assert_eq!(number, signal.as_raw()),
            (None, Some(0)) => assert_eq!(run_of(output).secret(), PASSWORD),
            (None, _) => assert_eq!(String::from_utf8(output.stdout).unwrap(), NOT_FOUND),
        }
        assert_parses(&stage);
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
        assert!(stage.cached_files("tmp").is_empty());
    }
    held("it ends or goes on; the cache is whole, and the next one is served");
}
