//! Child processes: their output passed on line by line, their end also on Ctrl-C.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use crate::process_group::end;

/// How long one child may take. A first build on a small machine is what comes closest.
const DEADLINE: Duration = Duration::from_secs(60 * 60);
/// How long to wait for more output of a child that has ended: what it left running may hold its output open.
const REST_OF_OUTPUT: Duration = Duration::from_secs(1);
const MOST_REST_OF_OUTPUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Runs one child after the other, and none after a request to stop.
#[derive(Debug)]
pub(super) struct Children {
    stop: Arc<AtomicBool>,
}

impl Children {
    /// Takes over SIGINT, SIGTERM and SIGHUP, so that whoever holds this can clean up.
    pub(super) fn new() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            signal_hook::flag::register(signal.as_raw(), Arc::clone(&stop))
                .context("cannot handle signals")?;
        }
        Ok(Self { stop })
    }

    /// Whether somebody asked us to stop.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs `command` to its end, prints each line of its output, shows it to `read_line`, and returns whether it
    /// succeeded.
    ///
    /// # Errors
    /// Fails when the command cannot be started, takes longer than an hour, or is stopped by a signal to us.
    pub(super) fn run(&self, mut command: Command, mut read_line: impl FnMut(&str)) -> Result<bool> {
        let name = command.get_program().to_string_lossy().into_owned();
        // One pipe for both streams, because the order of their lines tells which test program says what.
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        // A group of its own: a signal must reach what the child started, and only if we pass it on.
        let mut child = command.process_group(0).spawn().with_context(|| format!("cannot start `{name}`"))?;
        drop(command); // It holds the pipe's writing end.

        let lines = lines_of(reader);
        let started = Instant::now();
        loop {
            match lines.recv_timeout(POLL) {
                Ok(line) => show(&line, &mut read_line),
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = child.try_wait()? {
                let ended = Instant::now();
                while ended.elapsed() < MOST_REST_OF_OUTPUT
                    && let Ok(line) = lines.recv_timeout(REST_OF_OUTPUT)
                {
                    show(&line, &mut read_line);
                }
                return Ok(status.success());
            }
            if self.stopped() {
                end(&mut child)?;
                bail!("stopped by a signal");
            }
            if started.elapsed() > DEADLINE {
                end(&mut child)?;
                bail!("`{name}` took longer than {} minutes", DEADLINE.as_secs() / 60);
            }
        }
    }
}

fn show(line: &str, read_line: &mut impl FnMut(&str)) {
    println!("{line}");
    read_line(&without_escapes(line));
}

fn lines_of(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// `line` without the terminal's colour sequences (ECMA-48: CSI, parameters, a final byte).
fn without_escapes(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|character: char| ('\u{40}'..='\u{7e}').contains(&character));
        text + end.map_or("", |end| &part[end + 1..])
    })
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_arrive_in_order() {
        let mut lines = Vec::new();
        let children = Children { stop: Arc::default() };
        let ok =
            children.run(shell("echo a; echo b >&2; printf c"), |line| lines.push(line.to_owned())).unwrap();
        assert!(ok);
        assert_eq!(lines, ["a", "b", "c"]);
        assert!(!children.run(shell("exit 3"), |_| ()).unwrap());
    }

    #[test]
    fn what_a_child_leaves_running_does_not_hold_us() {
        let children = Children { stop: Arc::default() };
        let mut lines = Vec::new();
        assert!(children.run(shell("sleep 30 & echo $!"), |line| lines.push(line.to_owned())).unwrap());
        let left = Pid::from_raw(lines[0].parse().unwrap()).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    #[test]
    fn a_request_to_stop_ends_the_child_and_its_children() {
        let children = Children { stop: Arc::new(AtomicBool::new(false)) };
        let stop = Arc::clone(&children.stop);
        let mut lines = Vec::new();
        let result = children.run(shell("sleep 600 & echo $!; wait"), |line| {
            lines.push(line.to_owned());
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(result.unwrap_err().to_string(), "stopped by a signal");
        let grandchild = Pid::from_raw(lines[0].parse().unwrap()).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", grandchild.as_raw_nonzero()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let asked = Instant::now();
        while !gone() {
            assert!(asked.elapsed() < Duration::from_secs(10), "the grandchild lives");
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            without_escapes("\u{1b}[1m\u{1b}[92m   Running\u{1b}[0m tests/a.rs"),
            "   Running tests/a.rs"
        );
        assert_eq!(without_escapes("plain"), "plain");
        assert_eq!(without_escapes("cut \u{1b}[3"), "cut ");
    }
}
