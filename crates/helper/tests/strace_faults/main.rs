//! Rows 10 and 25 of the table of faults, by strace(1): each system call that the helper makes for a token fails
//! once, at each of its occurrences and in five ways.
//!
//! The rule: exit code 0 with a credential, or exit code 1 with the fixed line (or none, where the line itself could
//! not be written); no panic, no wait without end, and a cache that parses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, MARKER, NOT_FOUND, Stage, program};

/// How many runs are traced at a time.
const AT_ONCE: usize = 4;

/// The fewest injections that make a proof.
const FEWEST_RUNS: usize = 400;

/// After how many seconds a run is one without end, for `timeout`(1).
const PATIENCE: &str = "60";

/// System calls that do one thing, by the names that architectures have for them, and how they can fail.
const FAULTS: [(&str, &str, [&str; 5]); 8] = [
    ("openat", "openat", ["EMFILE", "EACCES", "EIO", "ENOMEM", "EINTR"]),
    ("fstat", "?fstat,?newfstatat,?statx", ["EIO", "EACCES", "ENOMEM", "EOVERFLOW", "EBADF"]),
    ("read", "read", ["EIO", "EINTR", "EAGAIN", "ENOMEM", "EISDIR"]),
    ("write", "write", ["ENOSPC", "EIO", "EINTR", "EPIPE", "EDQUOT"]),
    ("fsync", "fsync", ["EIO", "ENOSPC", "EROFS", "EINVAL", "EDQUOT"]),
    ("rename", "?rename,?renameat,?renameat2", ["EXDEV", "EROFS", "ENOSPC", "EIO", "EACCES"]),
    ("flock", "flock", ["ENOLCK", "EINTR", "EAGAIN", "EOPNOTSUPP", "ENOSYS"]),
    ("connect", "connect", ["ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "EINTR", "EACCES"]),
];

/// What the program finds, and so what it does.
#[derive(Debug, Clone, Copy)]
enum Situation {
    /// Nothing is cached.
    Cold,
    /// A fresh token is cached.
    Warm,
    /// The cached token is past half of its life.
    Aged,
    /// The identity comes from files, and there is a configuration.
    Files,
}

impl Situation {
    const ALL: [Self; 4] = [Self::Cold, Self::Warm, Self::Aged, Self::Files];

    fn stage(self, aws: &Responder) -> Stage {
        let mut stage = Stage::with(aws);
        match self {
            Self::Cold => {}
            Self::Warm => drop(stage.get(FRANKFURT).secret()),
            Self::Aged => {
                stage.get(FRANKFURT).secret();
                let [path] = stage.cached_files("json").try_into().unwrap();
                let mut entry: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                entry["issued_at"] = (aws::now() - 11 * 60 * 60).into();
                entry["expires_at"] = (aws::now() + 60 * 60).into();
                fs::write(path, entry.to_string()).unwrap();
            }
            Self::Files => {
                for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                    stage.unset(name);
                }
                let keys = "aws_access_key_id = AKIAFILES\naws_secret_access_key = secret-key-NEVER-SHOWN\n";
                stage.write(".aws/credentials", &format!("[default]\n{keys}"));
                stage.write(".aws/config", "[default]\nregion = eu-central-1\n");
                stage.write(".config/ecru/config.toml", &format!("registries = ['{FRANKFURT}']\n"));
            }
        }
        stage
    }
}

/// One failure of one system call.
#[derive(Debug, Clone)]
struct Injection {
    situation: Situation,
    call: &'static str,
    names: &'static str,
    error: &'static str,
    /// Which occurrence fails, from 1; each thread counts its own.
    occurrence: usize,
}

/// Runs the program for a token, traced with these options.
///
/// Writes are traced in the first thread alone: the other one, of the AWS SDK's runtime, writes to nothing but event
/// counters, whose writes cannot fail in these ways (eventfd(2)), and which the runtime takes for granted.
fn traced(stage: &Stage, call: &str, options: &[String]) -> Output {
    let request = File::open(stage.write("request", FRANKFURT)).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", PATIENCE, "strace", "--quiet=all"]);
    if call != "write" {
        command.args(["--follow-forks", "--seccomp-bpf"]);
    }
    command.args(options).arg(program()).arg("get");
    command.env_clear().envs(stage.variables()).stdin(request);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

/// How often a thread of the program makes one of these calls.
fn occurrences(aws: &Responder, situation: Situation, call: &str, names: &str) -> usize {
    let stage = situation.stage(aws);
    let trace = stage.path("trace");
    let output = traced(&stage, call, &[format!("--output={}", trace.display()), format!("--trace={names}")]);
    assert!(output.status.success(), "{output:?}");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        // The number of the thread is there where threads are followed.
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (thread, made) = line.split_at(digits);
        if !made.contains("resumed>") && !made.trim_start().starts_with(['+', '-']) {
            *counts.entry(thread.to_owned()).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or_default()
}

/// What is wrong with a run into which `injection` was put.
fn complaint(aws: &Responder, injection: &Injection) -> Option<String> {
    let Injection { situation, call, names, error, occurrence } = injection;
    let stage = situation.stage(aws);
    let output = traced(
        &stage,
        call,
        &[
            "--output=/dev/null".to_owned(),
            format!("--trace={names}"),
            format!("--inject={names}:error={error}:when={occurrence}"),
        ],
    );
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let answered = match output.status.code() {
        Some(0) => serde_json::from_str::<Value>(&stdout).is_ok_and(|answer| answer["Secret"] == PASSWORD),
        Some(1) => stdout == NOT_FOUND || (*call == "write" && NOT_FOUND.starts_with(&*stdout)),
        _ => false,
    };
    let parses = stage.cached_files("json").iter().all(|path| {
        serde_json::from_slice::<Value>(&fs::read(path).unwrap())
            .is_ok_and(|entry| entry["secret"] == PASSWORD)
    });
    let is_fine = answered && parses && !stderr.contains("panicked") && !stderr.contains(MARKER);
    (!is_fine).then(|| format!("{injection:?}: {}, cache parses: {parses}\n{stdout}{stderr}", output.status))
}

/// What is wrong with the runs, and how many there were.
fn complaints(injections: &[Injection]) -> Vec<String> {
    let (aws, next, found) = (aws::proper(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(injection) = injections.get(next.fetch_add(1, Ordering::SeqCst)) {
                    found.lock().unwrap().extend(complaint(&aws, injection));
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
#[ignore = "needs strace"]
fn row_25_each_system_call_fails_once() {
    println!("fault: each of 8 kinds of system calls fails once, at each occurrence, with 5 errors");
    let aws = aws::proper();
    let mut injections: Vec<Injection> = Vec::new();
    for (call, names, errors) in FAULTS {
        for situation in Situation::ALL {
            let count = occurrences(&aws, situation, call, names);
            let each = (1..=count).flat_map(|occurrence| {
                errors.map(|error| Injection { situation, call, names, error, occurrence })
            });
            injections.extend(each);
        }
        assert!(injections.iter().any(|it| it.call == call), "the program makes no call of {call}");
    }
    assert!(injections.len() >= FEWEST_RUNS, "only {} runs", injections.len());
    let found = complaints(&injections);
    assert!(found.is_empty(), "{} of {} runs:\n{}", found.len(), injections.len(), found.join("\n"));
    println!("held: {} runs, each a credential or the fixed line; the cache parses", injections.len());
}

#[test]
#[ignore = "needs strace"]
fn row_10_a_file_system_without_locks() {
    println!("fault: flock fails each time, as on some network file systems");
    let aws = aws::proper();
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EIO"] {
        let stage = Stage::with(&aws);
        let inject = format!("--inject=flock:error={error}");
        for _ in 0..2 {
            let output = traced(
                &stage,
                "flock",
                &["--output=/dev/null".to_owned(), "--trace=flock".to_owned(), inject.clone()],
            );
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["Secret"], PASSWORD, "{error}: {output:?}");
        }
        assert!(stage.cached_files("tmp").is_empty());
    }
    println!("held: served each time");
}

#[test]
#[ignore = "needs strace"]
fn a_warm_get_opens_no_socket_and_starts_no_thread() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    let trace = stage.path("trace");
    let calls = "--trace=socket,connect,?clone,?clone3,?fork,?vfork,execve,?epoll_create1";
    let output = traced(&stage, "socket", &[format!("--output={}", trace.display()), calls.to_owned()]);
    assert!(output.status.success());
    let made = fs::read_to_string(trace).unwrap();
    let made: Vec<&str> =
        made.lines().filter(|line| !line.contains("execve(") && !line.contains("+++")).collect();
    assert!(made.is_empty(), "{made:?}");
    assert_eq!(aws.count(), 1);
}
