//! A thousand cold processes: what a busy runner starts when the night's jobs do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::process::Asked;
use super::row::{Pair, Row};
use super::stage::{Stage, TOKEN_OPERATION};
use crate::bench::emulated_aws::EmulatedAws;
use crate::bench::quartiles::Quartiles;

const PROCESSES: u32 = 1000;
const AT_ONCE: u32 = 200;
const ROUNDS: u32 = 3;

/// What one stampede took.
#[derive(Debug, Clone, Copy)]
struct Stampede {
    took: Duration,
    calls: u64,
    failed: u32,
}

/// The stampedes of both helpers in turn.
///
/// # Errors
/// Fails when one of ours fails.
pub(super) fn of_a_thousand(stage: &Stage) -> Result<Vec<Row>> {
    let aws = stage.aws(&["--control", "0", "--fault", &format!("{TOKEN_OPERATION}=latency:200ms")])?;
    let helpers = stage.with_keys(&aws)?;
    println!("bench: {PROCESSES} cold processes, {AT_ONCE} at once, {ROUNDS} rounds");
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(run(&helpers.ours.at_home(&stage.new_home()?), &aws)?);
        if let Some(peer) = &helpers.peer {
            peers.push(run(&peer.at_home(&stage.new_home()?), &aws)?);
        }
    }
    let failed: u32 = ours.iter().map(|it| it.failed).sum();
    ensure!(failed == 0, "{failed} of our processes failed");
    let failed: u32 = peers.iter().map(|it| it.failed).sum();
    if failed > 0 {
        println!("bench: {failed} of the peer's processes failed");
    }

    let most_calls = |runs: &[Stampede]| runs.iter().map(|it| it.calls as f64).reduce(f64::max);
    let calls = Pair { ours: most_calls(&ours).context("nothing was measured")?, peer: most_calls(&peers) };
    let times = |runs: &[Stampede]| {
        Quartiles::of(&runs.iter().map(|it| it.took.as_secs_f64() * 1000.0).collect::<Vec<_>>())
    };
    let times = Pair { ours: times(&ours).context("nothing was measured")?, peer: times(&peers) };
    let what = format!("{PROCESSES} cold processes, {AT_ONCE} at once, AWS 0.2 s away");
    Ok(vec![
        Row::of_times(what, times).at_most_of_peer(0.4).chosen(),
        Row::new("the most AWS calls in it", calls, |it| it.to_string())
            .with_goal("1", calls.ours <= 1.0)
            .chosen(),
    ])
}

fn run(helper: &Asked, aws: &EmulatedAws) -> Result<Stampede> {
    aws.calls_since(TOKEN_OPERATION)?;
    let (started_processes, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while started_processes.fetch_add(1, Ordering::Relaxed) < PROCESSES {
                    if helper.time().is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let took = started.elapsed();
    Ok(Stampede { took, calls: aws.calls_since(TOKEN_OPERATION)?, failed: failed.into_inner() })
}
