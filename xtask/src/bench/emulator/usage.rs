//! What a process has needed so far, as Linux tells it (proc(5)).

use std::time::Duration;

use anyhow::{Context as _, Result};

/// The peak of its resident memory in bytes.
///
/// # Errors
/// Fails when there is no such process.
pub(super) fn peak_memory(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    peak_in(&status).context("its status tells no peak")
}

fn peak_in(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The time of processors that all its threads have used, its own and the kernel's for it.
///
/// # Errors
/// Fails when there is no such process.
pub(super) fn processor_time(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks_in(&stat).context("its status tells no times")?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Fields 14 and 15, counted behind the name in parentheses, which may hold spaces.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut times = after_name.split(' ').skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(times.next()? + times.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(peak_in("Name:\tx\nVmHWM:\t    1024 kB\nVmRSS:\t 12 kB\n"), Some(1024 * 1024));
        assert_eq!(peak_in("VmRSS:\t 12 kB\n"), None);
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 17 5 0 0 20 0 1 0 100";
        assert_eq!(ticks_in(stat), Some(22));
        assert_eq!(ticks_in("42 (a) S 1"), None);
    }

    #[test]
    fn this_process_needs_memory() {
        assert!(peak_memory(std::process::id()).unwrap() > 0);
        processor_time(std::process::id()).unwrap();
    }
}
