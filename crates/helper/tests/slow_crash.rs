//! Row 5 of the table of faults at length: 2,000 processes are killed while they refresh an entry of the cache.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "program/stage/mod.rs"]
mod stage;

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::aws::{self, PASSWORD};
use crate::stage::{FRANKFURT, Stage, program};

/// How many processes are killed.
const KILLS: u32 = 2000;

/// Where the moments start from, so that a run can be repeated.
const SEED: u64 = 20_260_101;

/// The next of a row of numbers that look random (splitmix64, Steele, Lea and Flood, 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn command(stage: &Stage) -> Command {
    let mut command = Command::new(program());
    command.arg("get").env_clear().envs(stage.variables());
    command.stdin(File::open(stage.write("request", FRANKFURT)).unwrap());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
#[ignore = "needs minutes: `cargo xtask faults helper` runs it"]
fn row_05_two_thousand_killed_while_they_refresh() {
    println!("fault: 2,000 processes killed at random moments while they replace an entry");
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).secret();
    let [entry] = stage.cached_files("json").try_into().unwrap();
    // An entry past half of its life: it is refreshed, and must be there, old or new, at any moment.
    let now = aws::now();
    let mut aged: Value = serde_json::from_slice(&fs::read(&entry).unwrap()).unwrap();
    aged["issued_at"] = json!(now - 11 * 60 * 60);
    aged["expires_at"] = json!(now + 60 * 60);
    let aged = aged.to_string();

    let started = Instant::now();
    fs::write(&entry, &aged).unwrap();
    assert!(command(&stage).status().unwrap().success());
    let life = u64::try_from(started.elapsed().as_micros()).unwrap();

    let (mut state, mut refreshed, mut left) = (SEED, 0, 0);
    for number in 0..KILLS {
        fs::write(&entry, &aged).unwrap();
        let mut child = command(&stage).spawn().unwrap();
        // The moment is the fault.
        std::thread::sleep(Duration::from_micros(next(&mut state) % life));
        child.kill().unwrap();
        child.wait().unwrap();
        let kept: Value = serde_json::from_slice(&fs::read(&entry).unwrap())
            .unwrap_or_else(|error| panic!("kill {number} left an entry that does not parse: {error}"));
        assert_eq!(kept["secret"], PASSWORD);
        refreshed += u32::from(kept["issued_at"].as_u64().unwrap() >= now);
        left = left.max(stage.cached_files("tmp").len());
    }
    fs::write(&entry, &aged).unwrap();
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(stage.cached_files("tmp").is_empty(), "a temporary file was left");
    println!(
        "held: the cache parsed {KILLS} times ({refreshed} processes had replaced the entry, at most {left} \
         temporary files lay about); none is left after the next run"
    );
}
