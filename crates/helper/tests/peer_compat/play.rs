//! The cases, played with one program.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::case::{Case, Run};
use crate::stage::responder::dead_url;
use crate::stage::{Stage, aws};
use crate::{aws_behaviour, outcome};

/// How many cases are played at a time.
const AT_ONCE: usize = 6;

/// After which time a run is taken for one without end. Both programs end far below it or far above.
const PATIENCE: Duration = Duration::from_secs(45);

/// The outcomes of all cases, in their order.
pub(crate) fn play_all(cases: &[Case], program: &Path) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![String::new(); cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(number) else { return };
                    let outcome = play(case, program);
                    outcomes.lock().unwrap()[number] = outcome;
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// The outcomes of the runs of a case.
fn play(case: &Case, program: &Path) -> String {
    let aws = aws_behaviour::start(&case.aws);
    let metadata = aws::metadata();
    let (mut stage, dead) = (Stage::with(&aws), dead_url());
    // Whatever a program does not know about the endpoints: nothing leaves this machine.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        stage.set(name, "http://127.0.0.1:9");
    }
    stage.set("NO_PROXY", "127.0.0.1,localhost").set("AWS_ENDPOINT_URL", &aws.url());
    let home = stage.home().display().to_string();
    let fill = |text: &str| {
        let text = text.replace("@AWS@", &aws.url()).replace("@METADATA@", &metadata.url());
        text.replace("@HOME@", &home).replace("@DEAD@", &dead)
    };
    for (name, value) in &case.env {
        set(&mut stage, name, &fill(value));
    }
    for (name, content) in &case.files {
        stage.write(name, &fill(content));
    }
    let plain = [Run::default()];
    let runs = if case.runs.is_empty() { &plain[..] } else { &case.runs };
    let outcomes = runs.iter().map(|run| {
        let variables = stage.variables();
        for (name, value) in &run.env {
            set(&mut stage, name, &fill(value));
        }
        let before = aws.count();
        let output = output_of(&stage, run, program);
        for (name, _) in stage.variables() {
            stage.unset(&name);
        }
        for (name, value) in variables {
            stage.set(&name, &value);
        }
        let calls = &aws.requests()[before..];
        let signer = if case.signer { outcome::signer_of(calls) } else { String::new() };
        outcome::of_run(output.as_ref(), &run.request(), calls) + &signer
    });
    outcomes.collect::<Vec<_>>().join("; ")
}

fn set(stage: &mut Stage, name: &str, value: &str) {
    if value.is_empty() {
        stage.unset(name);
    } else {
        stage.set(name, value);
    }
}

/// The program, by a link where it is called by another name.
fn called(stage: &Stage, run: &Run, program: &Path) -> PathBuf {
    let Some(name) = &run.called else { return program.to_owned() };
    let link = stage.path(name);
    symlink(program, &link).unwrap();
    link
}

/// How a run ended, if it ended.
fn output_of(stage: &Stage, run: &Run, program: &Path) -> Option<Output> {
    let mut command = Command::new(called(stage, run, program));
    command.args(&run.argv).env_clear().envs(stage.variables()).current_dir(stage.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    // Who reads nothing closes its end.
    let _ = child.stdin.take().unwrap().write_all(&run.request());
    let (sender, receiver) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output().unwrap());
    });
    let output = receiver.recv_timeout(PATIENCE).ok();
    if output.is_none() {
        kill_process(pid, Signal::KILL).unwrap();
    }
    waiting.join().unwrap();
    output
}
