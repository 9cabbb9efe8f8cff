//! The end of a child process and of what it started.

use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a child may take to clean up after it was told to end.
const GRACE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// Ends a child that leads a process group, and the group: politely, then not.
///
/// # Errors
/// Fails when it lives on.
pub(crate) fn end(child: &mut Child) -> Result<()> {
    let group = Pid::from_child(child);
    for signal in [Signal::TERM, Signal::KILL] {
        // The group may be gone already, which is what we want.
        let _ = kill_process_group(group, signal);
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }
    bail!("process {} does not end", child.id())
}
