//! Processes that the SDK has started for an identity, and leaves behind when nobody waits any more.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// How many processes are looked for.
const MAX_PROCESSES: usize = 64;

/// Kills the processes that this thread has started, and those that they have; whether there are any. Those that have
/// moved to another parent are not found.
pub(super) fn kill_those_of_this_thread() -> bool {
    let mut found = children("/proc/thread-self/children");
    let mut seen = 0;
    while seen < found.len() && found.len() < MAX_PROCESSES {
        let pid = found[seen].as_raw_nonzero();
        found.extend(children(&format!("/proc/{pid}/task/{pid}/children")));
        seen += 1;
    }
    for process in &found {
        // It may have ended by itself.
        let _ = kill_process(*process, Signal::KILL);
    }
    !found.is_empty()
}

/// The processes in a list of the kernel's (proc(5)); none where it keeps no such list.
fn children(list: &str) -> Vec<Pid> {
    let list = fs::read_to_string(list).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}
