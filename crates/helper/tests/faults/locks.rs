//! Rows 10 and 11: locks that cannot be had, and holders that do not let go.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::said::{fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, Stage, program};

#[test]
fn row_10_a_lock_that_cannot_be_had() {
    fault("the lock cannot be made, or another holds it and does not answer");
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    let [entry] = stage.cached_files("json").try_into().unwrap();
    let [lock] = stage.cached_files("lock").try_into().unwrap();

    // As on a file system without locks: nothing at that name can be locked.
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    fs::remove_file(&entry).unwrap();
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    fs::remove_dir(&lock).unwrap();

    // Held by somebody who never writes the entry.
    let file = File::create(&lock).unwrap();
    file.lock().unwrap();
    let _ = fs::remove_file(&entry);
    let before = aws.count();
    assert_eq!(stage.get(FRANKFURT).within(6).secret(), PASSWORD);
    assert_eq!(aws.count(), before + 1);
    // AWS says nothing either: both waits together end at the deadline.
    let silent = Responder::start(|_| Reply::Silence);
    let mut stage = Stage::with(&silent);
    stage.set("ECRU_TIMEOUT", "2");
    stage.get(FRANKFURT).not_found();
    let [lock] = stage.cached_files("lock").try_into().unwrap();
    let file = File::open(&lock).unwrap();
    file.lock().unwrap();
    assert_eq!(stage.get(FRANKFURT).within(4).code, 1);
    held("served without the lock, after the wait for it has ended");
}

#[test]
fn row_11_a_lock_holder_that_is_stopped_or_killed() {
    fault("the process that refreshes is stopped, then killed");
    let (sender, arrived) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(Some(gate));
    let aws = Responder::start(move |request| {
        sender.send(()).unwrap();
        // The first request is answered when its process can no longer read the answer.
        let gate = gate.lock().unwrap().take();
        if let Some(gate) = gate {
            let _ = gate.recv();
        }
        aws::token(request)
    });
    let stage = Stage::with(&aws);
    let mut holder = started(&stage);
    arrived.recv().unwrap();
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).unwrap();
    assert_eq!(stage.get(FRANKFURT).within(6).secret(), PASSWORD, "the stopped process holds the lock");

    for entry in stage.cached_files("json") {
        fs::remove_file(entry).unwrap();
    }
    kill_process(pid, Signal::KILL).unwrap();
    holder.wait().unwrap();
    drop(release);
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(stage.cached_files("tmp").is_empty());
    held("others go on without it");
}

#[test]
fn row_11_a_lock_holder_with_less_time_or_fewer_tries() {
    fault(
        "the process that refreshes may ask for 1 s only while AWS needs 2, or once only while AWS fails at first",
    );
    for (variable, value) in [("ECRU_TIMEOUT", "1"), ("AWS_MAX_ATTEMPTS", "1")] {
        let (sender, arrived) = mpsc::channel();
        let requests = AtomicUsize::new(0);
        let aws = Responder::start(move |request| {
            let _ = sender.send(());
            let number = requests.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_secs(if number == 0 { 2 } else { 0 }));
            match (number, variable) {
                (0, "AWS_MAX_ATTEMPTS") => aws::refusal(500, "ServerException", "later"),
                _ => aws::token(request),
            }
        });
        let mut stage = Stage::with(&aws);
        stage.set(variable, value);
        let mut holder = started(&stage);
        arrived.recv().unwrap();
        stage.unset(variable);
        assert_eq!(stage.get(FRANKFURT).within(8).secret(), PASSWORD, "{variable}");
        assert_eq!(holder.wait().unwrap().code(), Some(1), "{variable}");
    }
    held("its failure is its own: the others ask, and are answered");
}

/// The program, asking for the registry in Frankfurt.
fn started(stage: &Stage) -> Child {
    let request = File::open(stage.write("request", FRANKFURT)).unwrap();
    let mut command = Command::new(program());
    command.arg("get").env_clear().envs(stage.variables());
    command.stdin(request).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
