//! What a person at a terminal sees while registries are asked.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::STORE;
use crate::stage::Stage;

/// Standard output, and what a terminal at standard error showed.
struct Seen {
    stdout: String,
    terminal: String,
}

fn seen(stage: &Stage, arguments: &[&str]) -> Seen {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("a terminal of our own");
    unlockpt(&ours).expect("a terminal that opens");
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).expect("a terminal with a size");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let theirs = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other end");
    let child = Command::new(env!("CARGO_BIN_EXE_ecru"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .envs(stage.sandbox.environment())
        .envs(stage.variables("ecru"))
        .env("TERM", "xterm")
        .current_dir(stage.sandbox.home())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(theirs)
        .spawn()
        .expect("the program starts");
    // Both ends of a small report fit into the pipe and the terminal, so that nothing waits for a reader.
    let output = child.wait_with_output().expect("the program ends");
    let mut terminal = Vec::new();
    // A terminal whose other end is closed reads as an error once it is empty (Linux, EIO).
    let _ = File::from(ours).read_to_end(&mut terminal);
    Seen {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        terminal: String::from_utf8_lossy(&terminal).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_drawn_on_a_terminal_and_nowhere_else() {
    let stage = Stage::new().await;
    stage.write("p.yml", &format!("{STORE}\na: {{image: '{}/team/app:1', script: [x]}}\n", stage.registry));
    let drawn = seen(&stage, &["p.yml"]);
    assert!(drawn.stdout.contains("1 job, 1 image: 1 ok, 0 failed"), "{}", drawn.stdout);
    for part in ["choosing credentials", "asking registries", "0/1"] {
        assert!(drawn.terminal.contains(part), "no {part} in {:?}", drawn.terminal);
        assert!(!drawn.stdout.contains(part), "{}", drawn.stdout);
    }
    let plain = seen(&stage, &["p.yml", "--plain"]);
    assert_eq!((plain.stdout, plain.terminal.as_str()), (drawn.stdout, ""));
}
