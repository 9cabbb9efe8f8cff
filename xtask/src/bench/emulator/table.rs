//! The table of measurements, and the figures that they are to reach.

use std::fmt::Write as _;

use super::load::CONNECTIONS;
use super::{BLOB, LARGE_BLOB, MIB};
use crate::bench::quartiles::Quartiles;

/// Tokens a second.
const FEWEST_TOKENS: f64 = 5000.0;
/// Resident memory, in bytes.
const MOST_MEMORY: u64 = 64 * MIB;
/// As a share of nginx's speed.
const LEAST_SHARE: f64 = 0.6;
const NOTHING: &str = "–";

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Measurements {
    /// Such as `2026-11-23`.
    pub(super) date: String,
    pub(super) processors: usize,
    pub(super) nginx_version: Option<String>,
    pub(super) tokens: Tokens,
    pub(super) blobs: Blobs,
    /// Peak resident memory of an emulator that took and gave one large blob, in bytes.
    pub(super) large_blob_memory: u64,
}

/// GetAuthorizationToken on many connections.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) per_second: Quartiles,
    pub(super) good: u64,
    pub(super) bad: u64,
    /// The emulator's own, for one token.
    pub(super) processor_microseconds: f64,
    /// Peak resident memory, in bytes.
    pub(super) memory: u64,
}

/// One file, in bytes per second.
#[derive(Debug)]
pub(super) struct Blobs {
    pub(super) pull: Quartiles,
    pub(super) push: Quartiles,
    pub(super) nginx_pull: Option<Quartiles>,
    pub(super) nginx_push: Option<Quartiles>,
}

impl Measurements {
    /// The table in Markdown.
    pub(super) fn table(&self) -> String {
        let Self { date, processors, tokens, blobs, .. } = self;
        let nginx =
            self.nginx_version.as_ref().map_or(NOTHING.to_owned(), |version| format!("nginx {version}"));
        let mut table = format!(
            "| {date}, {processors} processors | `ecru emulate` | {nginx} | ratio | to reach |\n\
             |---|--:|--:|--:|--:|\n"
        );
        let mut row =
            |what: &str, ours: String, nginx: Option<Quartiles>, ratio: Option<f64>, bound: &str| {
                let nginx = nginx.map_or(NOTHING.to_owned(), rate);
                let ratio = ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"));
                // Writing to a string does not fail.
                let _ = writeln!(table, "| {what} | {ours} | {nginx} | {ratio} | {bound} |");
            };
        let Quartiles { lower, median, upper } = tokens.per_second;
        let rates = format!("{median:.0} ({lower:.0}–{upper:.0})");
        let fewest = format!("≥ {FEWEST_TOKENS}");
        let share = format!("≥ {LEAST_SHARE:.2}");
        let most = format!("≤ {} MiB", MOST_MEMORY / MIB);
        row(
            &format!("GetAuthorizationToken a second, {CONNECTIONS} connections, median (quartiles)"),
            rates,
            None,
            None,
            &fewest,
        );
        row(&format!("failed, of {}", tokens.good + tokens.bad), tokens.bad.to_string(), None, None, "0");
        let time = format!("{:.0} µs", tokens.processor_microseconds);
        row("processor time for one of them", time, None, None, NOTHING);
        row("peak memory meanwhile", mebibytes(tokens.memory), None, None, &most);
        let size = BLOB / MIB;
        let (pull, push) = (self.pull_share(), self.push_share());
        row(&format!("pull of a blob of {size} MiB"), rate(blobs.pull), blobs.nginx_pull, pull, &share);
        row(&format!("push of a blob of {size} MiB"), rate(blobs.push), blobs.nginx_push, push, &share);
        let large = format!("peak memory of a push and a pull of {} GiB", LARGE_BLOB / MIB / 1024);
        row(&large, mebibytes(self.large_blob_memory), None, None, &most);
        table
    }

    /// The figures in one line, and whether all of them are reached.
    pub(super) fn summary(&self) -> String {
        let Self { tokens, .. } = self;
        let share = |share: Option<f64>| share.map_or(NOTHING.to_owned(), |share| format!("{share:.2}"));
        let verdict = if self.reaches_all() { "all reached" } else { "NOT all reached" };
        format!(
            "{:.0} tokens/s, {} failed, {}; pull {} and push {} of nginx; {} GiB in {}: {verdict}",
            tokens.per_second.median,
            tokens.bad,
            mebibytes(tokens.memory),
            share(self.pull_share()),
            share(self.push_share()),
            LARGE_BLOB / MIB / 1024,
            mebibytes(self.large_blob_memory),
        )
    }

    fn reaches_all(&self) -> bool {
        let reaches_share = |share: Option<f64>| share.is_some_and(|share| share >= LEAST_SHARE);
        self.tokens.per_second.median >= FEWEST_TOKENS
            && self.tokens.bad == 0
            && self.tokens.memory.max(self.large_blob_memory) <= MOST_MEMORY
            && reaches_share(self.pull_share())
            && reaches_share(self.push_share())
    }

    fn pull_share(&self) -> Option<f64> {
        self.blobs.nginx_pull.map(|nginx| self.blobs.pull.median / nginx.median)
    }

    fn push_share(&self) -> Option<f64> {
        self.blobs.nginx_push.map(|nginx| self.blobs.push.median / nginx.median)
    }
}

fn rate(it: Quartiles) -> String {
    let [lower, median, upper] = [it.lower, it.median, it.upper].map(|rate| rate / MIB as f64);
    format!("{median:.0} MiB/s ({lower:.0}–{upper:.0})")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quartiles(median: f64) -> Quartiles {
        Quartiles { lower: median * 0.5, median, upper: median * 2.0 }
    }

    fn measurements() -> Measurements {
        let rate = |mebibytes: f64| quartiles(mebibytes * MIB as f64);
        Measurements {
            date: "2026-11-23".to_owned(),
            processors: 2,
            nginx_version: Some("1.22.1".to_owned()),
            tokens: Tokens {
                per_second: quartiles(8000.0),
                good: 72_000,
                bad: 0,
                processor_microseconds: 101.4,
                memory: 31 * MIB,
            },
            blobs: Blobs {
                pull: rate(900.0),
                push: rate(600.0),
                nginx_pull: Some(rate(1000.0)),
                nginx_push: Some(rate(1000.0)),
            },
            large_blob_memory: 20 * MIB,
        }
    }

    #[test]
    fn the_table_shows_what_is_to_be_reached() {
        let expected = "\
| 2026-11-23, 2 processors | `ecru emulate` | nginx 1.22.1 | ratio | to reach |
|---|--:|--:|--:|--:|
| GetAuthorizationToken a second, 1000 connections, median (quartiles) | 8000 (4000–16000) | – | – | ≥ 5000 |
| failed, of 72000 | 0 | – | – | 0 |
| processor time for one of them | 101 µs | – | – | – |
| peak memory meanwhile | 31.0 MiB | – | – | ≤ 64 MiB |
| pull of a blob of 512 MiB | 900 MiB/s (450–1800) | 1000 MiB/s (500–2000) | 0.90 | ≥ 0.60 |
| push of a blob of 512 MiB | 600 MiB/s (300–1200) | 1000 MiB/s (500–2000) | 0.60 | ≥ 0.60 |
| peak memory of a push and a pull of 4 GiB | 20.0 MiB | – | – | ≤ 64 MiB |
";
        assert_eq!(measurements().table(), expected);
    }

    #[test]
    fn one_figure_that_is_missed_is_said() {
        let summary =
            "8000 tokens/s, 0 failed, 31.0 MiB; pull 0.90 and push 0.60 of nginx; 4 GiB in 20.0 MiB: ";
        assert_eq!(measurements().summary(), format!("{summary}all reached"));
        let spoil: [fn(&mut Measurements); 5] = [
            |it| it.tokens.bad = 1,
            |it| it.tokens.per_second.median = 4999.0,
            |it| it.tokens.memory = MOST_MEMORY + 1,
            |it| it.large_blob_memory = MOST_MEMORY + 1,
            |it| it.blobs.nginx_pull = None,
        ];
        for spoil in spoil {
            let mut measurements = measurements();
            spoil(&mut measurements);
            assert!(measurements.summary().ends_with(": NOT all reached"));
        }
    }
}
