//! Our credential helper against the peer and against doing nothing.

mod cold;
mod demo_calls;
mod process;
mod row;
mod runner_round;
mod silence;
mod stage;
mod stampede;
mod table;
mod warm;

use anyhow::Result;

use self::row::{Pair, Row, mebibytes};
use self::stage::Stage;
use self::table::Table;
use super::marks;
use crate::dist::HELPER;
use crate::peer;

/// Fewer say nothing about quartiles.
pub(super) const FEWEST_ROUNDS: u32 = 200;
const DOCUMENT: &str = "docs/HELPER.md";

/// Measures, and prints one Markdown table and a line with its figure.
///
/// # Errors
/// Fails when our programs cannot be built or do not answer. A missing peer is said, and leaves its column empty.
pub(super) fn run(rounds: u32, write_documents: bool) -> Result<()> {
    let peer =
        peer::program().inspect_err(|error| println!("bench: no peer, so no ratios to it: {error:#}")).ok();
    let peer_version = peer.as_deref().map(peer::version).transpose()?;
    let stage = Stage::build(peer, rounds)?;
    let load_before = load_average();
    let table =
        Table { date: time::OffsetDateTime::now_utc().date().to_string(), peer_version, rows: rows(&stage)? };
    let processors = std::thread::available_parallelism()?;
    let circumstances =
        format!("{processors} processors, load {load_before} before it and {} after it", load_average());
    println!("\n{}", table.whole());
    if write_documents {
        marks::write_table("README.md", &table.chosen())?;
        marks::write_table(
            DOCUMENT,
            &format!("{}\nIn a run of {rounds} rounds on {circumstances}.\n", table.whole()),
        )?;
    }
    println!("bench: {} ({circumstances})", table.summary());
    Ok(())
}

fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let mut rows = warm::with_keys(stage)?;
    rows.extend(warm::with_instance_role(stage)?);
    rows.extend(cold::over_tls(stage)?);
    rows.extend(runner_round::of_twenty(stage)?);
    rows.extend(stampede::of_a_thousand(stage)?);
    rows.extend(silence::ends(stage)?);
    rows.extend(sizes(stage)?);
    if let Some(calls) = demo_calls::of(&stage.ecru) {
        let calls = Pair { ours: calls as f64, peer: None };
        rows.push(Row::new("AWS calls in one `ecru demo`", calls, |it| it.to_string()));
    }
    Ok(rows)
}

fn sizes(stage: &Stage) -> Result<[Row; 2]> {
    let helper = stage.helpers.try_map(|program| Ok(program.metadata()?.len() as f64))?;
    let row = Row::new("size of `docker-credential-ecr-login`", helper, mebibytes).chosen();
    let most = HELPER.most_bytes.unwrap_or(u64::MAX);
    let ecru = Pair { ours: stage.ecru.metadata()?.len() as f64, peer: None };
    Ok([
        row.with_goal(&mebibytes(most as f64), helper.ours <= most as f64),
        Row::new("size of `ecru`", ecru, mebibytes).chosen(),
    ])
}

/// Of the last minute, as the kernel tells it (proc_loadavg(5)).
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
