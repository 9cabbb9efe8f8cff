//! The table of measurements.

use std::fmt::Write as _;

use anyhow::Result;

use crate::bench::quartiles::Quartiles;

const NOTHING: &str = "–";

/// One measurement of our program, and the peer's, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<T> {
    pub(super) ours: T,
    pub(super) peer: Option<T>,
}

impl<T> Pair<T> {
    /// The same for something else of both.
    pub(super) fn try_map<U>(&self, mut map: impl FnMut(&T) -> Result<U>) -> Result<Pair<U>> {
        Ok(Pair { ours: map(&self.ours)?, peer: self.peer.as_ref().map(map).transpose()? })
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Measurements {
    /// Such as `2026-11-23`.
    pub(super) date: String,
    /// The peer's version.
    pub(super) peer_version: Option<String>,
    /// Whole processes of a warm `get`, in milliseconds.
    pub(super) warm_get: Pair<Quartiles>,
    /// Whole processes of `/bin/true` between them, in milliseconds.
    pub(super) nothing: Quartiles,
    /// Peak resident memory of a warm `get`, in bytes.
    pub(super) warm_memory: Pair<u64>,
    /// Peak resident memory of a `get` that asks AWS, in bytes.
    pub(super) cold_memory: Pair<u64>,
    /// The size of the credential helper, in bytes.
    pub(super) helper_size: Pair<u64>,
    /// The size of `ecru`, in bytes.
    pub(super) ecru_size: u64,
    /// The AWS calls of one demo.
    pub(super) demo_calls: Option<u64>,
}

impl Measurements {
    /// The table in Markdown. The last column divides ours by the peer's: below 1 is less than the peer needs.
    pub(super) fn table(&self) -> String {
        let peer =
            self.peer_version.as_ref().map_or(NOTHING.to_owned(), |version| format!("ecr-login {version}"));
        let mut table = format!("| {} | ecru | {peer} | ratio |\n|---|--:|--:|--:|\n", self.date);
        let mut row = |what: &str, ours: String, peer: Option<String>, ratio: Option<f64>| {
            let peer = peer.unwrap_or(NOTHING.to_owned());
            let ratio = ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"));
            // Writing to a string does not fail.
            let _ = writeln!(table, "| {what} | {ours} | {peer} | {ratio} |");
        };

        let time = self.warm_get;
        let ratio = time.peer.map(|peer| time.ours.median / peer.median);
        row("warm `get`, median (quartiles)", milliseconds(time.ours), time.peer.map(milliseconds), ratio);
        let times = |it: Quartiles| format!("{:.1} ×", it.median / self.nothing.median);
        let nothing = format!("warm `get` as a multiple of `/bin/true` ({})", milliseconds(self.nothing));
        row(&nothing, times(time.ours), time.peer.map(times), ratio);
        for (what, sizes) in [
            ("peak memory of a warm `get`", self.warm_memory),
            ("peak memory of a cold `get`", self.cold_memory),
            ("size of `docker-credential-ecr-login`", self.helper_size),
        ] {
            let ratio = sizes.peer.map(|peer| sizes.ours as f64 / peer as f64);
            row(what, mebibytes(sizes.ours), sizes.peer.map(mebibytes), ratio);
        }
        row("size of `ecru`", mebibytes(self.ecru_size), None, None);
        let calls = self.demo_calls.map_or(NOTHING.to_owned(), |calls| calls.to_string());
        row("AWS calls in one `ecru demo`", calls, None, None);
        table
    }
}

fn milliseconds(it: Quartiles) -> String {
    format!("{:.2} ms ({:.2}–{:.2})", it.median, it.lower, it.upper)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn quartiles(median: f64) -> Quartiles {
        Quartiles { lower: median - 0.1, median, upper: median + 0.2 }
    }

    fn measurements() -> Measurements {
        Measurements {
            date: "2026-11-23".to_owned(),
            peer_version: Some("0.12.0".to_owned()),
            warm_get: Pair { ours: quartiles(2.0), peer: Some(quartiles(10.0)) },
            nothing: quartiles(0.5),
            warm_memory: Pair { ours: 3 * MIB, peer: Some(12 * MIB) },
            cold_memory: Pair { ours: 8 * MIB, peer: Some(16 * MIB) },
            helper_size: Pair { ours: 5 * MIB, peer: Some(10 * MIB) },
            ecru_size: 12 * MIB + MIB / 2,
            demo_calls: Some(4),
        }
    }

    #[test]
    fn the_table_shows_ratios_to_the_peer() {
        let expected = "\
| 2026-11-23 | ecru | ecr-login 0.12.0 | ratio |
|---|--:|--:|--:|
| warm `get`, median (quartiles) | 2.00 ms (1.90–2.20) | 10.00 ms (9.90–10.20) | 0.20 |
| warm `get` as a multiple of `/bin/true` (0.50 ms (0.40–0.70)) | 4.0 × | 20.0 × | 0.20 |
| peak memory of a warm `get` | 3.0 MiB | 12.0 MiB | 0.25 |
| peak memory of a cold `get` | 8.0 MiB | 16.0 MiB | 0.50 |
| size of `docker-credential-ecr-login` | 5.0 MiB | 10.0 MiB | 0.50 |
| size of `ecru` | 12.5 MiB | – | – |
| AWS calls in one `ecru demo` | 4 | – | – |
";
        assert_eq!(measurements().table(), expected);
    }

    #[test]
    fn without_a_peer_there_are_no_ratios() {
        let mut alone = measurements();
        alone.peer_version = None;
        alone.warm_get.peer = None;
        for sizes in [&mut alone.warm_memory, &mut alone.cold_memory, &mut alone.helper_size] {
            sizes.peer = None;
        }
        let table = alone.table();
        assert!(table.lines().skip(2).all(|line| line.ends_with("| – | – |")), "{table}");
        assert!(table.contains("| 4.0 × |"), "{table}");
    }
}
