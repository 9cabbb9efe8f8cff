//! `peak-memory PROGRAM ARGUMENT…` runs a program and prints the peak of its resident memory in bytes: a part of
//! `cargo xtask bench`.
//!
//! It is a program of its own because it must be small: a process starts with the peak of the one that made it
//! (Linux, fs/exec.c, `exec_mmap`), so that nothing smaller than the measuring program can be measured.
#![expect(clippy::print_stdout, reason = "the number is its output")]

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use wait4::Wait4 as _;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("usage: peak-memory PROGRAM ARGUMENT...")?;
    let child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn()?;
    let used = child.wait4()?;
    ensure!(used.status.success(), "it failed: {}", used.status);
    println!("{}", used.rusage.maxrss);
    Ok(())
}
