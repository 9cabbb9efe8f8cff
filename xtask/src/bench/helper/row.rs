//! One measure: what it is of, ours and the peer's, and what was to reach.

use anyhow::Result;

use crate::bench::quartiles::Quartiles;

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

    /// The same for something else of both, which cannot fail.
    pub(super) fn map<U>(&self, mut map: impl FnMut(&T) -> U) -> Pair<U> {
        Pair { ours: map(&self.ours), peer: self.peer.as_ref().map(map) }
    }

    /// Ours, and then the peer's.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.ours).chain(&self.peer)
    }
}

impl Pair<f64> {
    fn ratio(&self) -> Option<f64> {
        self.peer.filter(|peer| *peer > 0.0).map(|peer| self.ours / peer)
    }
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) what: String,
    /// As they are shown.
    pub(super) shown: Pair<String>,
    pub(super) ratio: Option<f64>,
    /// What was to reach, in words, and whether it is; the latter is not known of a ratio without a peer.
    pub(super) goal: Option<(String, Option<bool>)>,
    /// Whether the row is one of the few in the README.
    pub(super) is_chosen: bool,
}

impl Row {
    /// A row that shows `values` as `show` does.
    pub(super) fn new(what: impl Into<String>, values: Pair<f64>, show: impl Fn(f64) -> String) -> Self {
        let shown = values.map(|value| show(*value));
        Self { what: what.into(), shown, ratio: values.ratio(), goal: None, is_chosen: false }
    }

    /// Times in milliseconds, whose ratio is that of their medians.
    pub(super) fn of_times(what: impl Into<String>, times: Pair<Quartiles>) -> Self {
        let row = Self::new(what, times.map(|it| it.median), |_| String::new());
        Self { shown: times.map(|it| milliseconds(*it)), ..row }
    }

    /// Ours shall be at most so much of the peer's.
    pub(super) fn at_most_of_peer(mut self, most: f64) -> Self {
        self.goal = Some((format!("{most} of the peer"), self.ratio.map(|ratio| ratio <= most)));
        self
    }

    /// A goal in other words.
    pub(super) fn with_goal(mut self, goal: &str, is_reached: bool) -> Self {
        self.goal = Some((goal.to_owned(), Some(is_reached)));
        self
    }

    /// The same for the README, too.
    pub(super) fn chosen(mut self) -> Self {
        self.is_chosen = true;
        self
    }

    /// The same with something else shown of the peer.
    pub(super) fn with_peer_shown(mut self, shown: &str) -> Self {
        self.shown.peer = Some(shown.to_owned());
        self
    }
}

/// Median and quartiles.
pub(super) fn milliseconds(it: Quartiles) -> String {
    if it.median < 100.0 {
        format!("{:.2} ms ({:.2}–{:.2})", it.median, it.lower, it.upper)
    } else {
        format!("{:.0} ms ({:.0}–{:.0})", it.median, it.lower, it.upper)
    }
}

/// Mebibytes with one decimal.
pub(super) fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_by_the_ratio() {
        let row = |ours, peer| Row::new("x", Pair { ours, peer }, |value| value.to_string());
        let goal = |row: Row| row.at_most_of_peer(0.4).goal.unwrap();
        assert_eq!(goal(row(4.0, Some(10.0))), ("0.4 of the peer".to_owned(), Some(true)));
        assert_eq!(goal(row(5.0, Some(10.0))).1, Some(false));
        assert_eq!(goal(row(5.0, None)).1, None);
        assert_eq!(row(0.0, Some(0.0)).ratio, None);
    }

    #[test]
    fn times_show_their_quartiles() {
        let short = Quartiles { lower: 0.9, median: 1.0, upper: 1.25 };
        assert_eq!(milliseconds(short), "1.00 ms (0.90–1.25)");
        let long = Quartiles { lower: 900.0, median: 1000.4, upper: 1200.0 };
        assert_eq!(milliseconds(long), "1000 ms (900–1200)");
    }
}
