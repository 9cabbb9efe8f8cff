//! A `get` that finds a fresh token in the cache.

use anyhow::{Context as _, Result};

use super::process::Asked;
use super::row::{Pair, Row, mebibytes, milliseconds};
use super::stage::{Stage, quartiles_of_both, quartiles_of_rounds};
use crate::trace;

const MIB: f64 = 1024.0 * 1024.0;

/// With keys in the environment, where finding the identity costs nothing.
///
/// # Errors
/// Fails when a helper does not answer.
pub(super) fn with_keys(stage: &Stage) -> Result<Vec<Row>> {
    let aws = stage.aws(&[])?;
    let helpers = stage.with_keys(&aws)?;
    let nothing = stage.nothing(&helpers.ours)?;
    helpers.try_map(Asked::time).context("cannot fill the caches")?;
    // From here on only a cache can answer.
    drop(aws);

    println!("bench: warm `get`, {} rounds, in each every program once", stage.rounds);
    let in_turn: Vec<&Asked> = [&nothing].into_iter().chain(helpers.iter()).collect();
    let mut times = quartiles_of_rounds(&in_turn, stage.rounds, Asked::time)?.into_iter();
    let nothing_took = times.next().context("nothing was measured")?;
    let ours = times.next().context("ours was not measured")?;
    let get = Pair { ours, peer: times.next() };
    let multiples = get.map(|it| it.median / nothing_took.median);
    let memory = helpers.try_map(|helper| Ok(helper.peak_memory(&stage.meter)? as f64))?;
    if nothing.peak_memory(&stage.meter)? as f64 >= memory.ours {
        println!("bench: the warm `get` needs no more memory than the meter: its peak is a bound");
    }
    let of_nothing = format!("the same as a multiple of `/bin/true` ({})", milliseconds(nothing_took));
    Ok(vec![
        Row::of_times("warm `get`, median (quartiles)", get).at_most_of_peer(0.12).chosen(),
        Row::new(of_nothing, multiples, |it| format!("{it:.2} ×"))
            .with_goal("2.5 ×", multiples.ours <= 2.5)
            .chosen(),
        Row::new("peak memory of a warm `get`", memory, mebibytes)
            .with_goal("4 MiB", memory.ours <= 4.0 * MIB)
            .chosen(),
    ])
}

/// With the role of an instance as the identity, whose metadata service answers after a millisecond.
///
/// # Errors
/// Fails when a helper does not answer.
pub(super) fn with_instance_role(stage: &Stage) -> Result<Vec<Row>> {
    let aws = stage.aws(&["--fault", "imds:*=latency:1ms"])?;
    let helpers = stage.with_environment(&aws.instance_environment())?;
    helpers.try_map(Asked::time).context("cannot fill the caches")?;

    let rounds = stage.rounds / 2;
    println!("bench: warm `get` with an instance role, {rounds} rounds");
    let times = quartiles_of_both(&helpers, rounds, Asked::time)?;
    let what = "warm `get` with an instance role, its metadata 1 ms away";
    let mut rows = vec![Row::of_times(what, times).at_most_of_peer(0.08).chosen()];
    match trace::obstacle() {
        None => {
            let sockets = helpers.try_map(|helper| Ok(helper.sockets_opened()? as f64))?;
            let row = Row::new("sockets that it opens, by `strace`", sockets, |it| it.to_string());
            rows.push(row.with_goal("none", sockets.ours == 0.0));
        }
        Some(obstacle) => println!("bench: sockets are not counted: {obstacle}"),
    }
    Ok(rows)
}
