//! The table of measures.

use std::fmt::Write as _;

use super::row::Row;

const NOTHING: &str = "–";

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Table {
    /// Such as `2026-11-23`.
    pub(super) date: String,
    /// The peer's version.
    pub(super) peer_version: Option<String>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// In Markdown. Where there is a ratio, it divides ours by the peer's.
    pub(super) fn whole(&self) -> String {
        self.of(self.rows.iter())
    }

    /// The same with the few rows that are for the README.
    pub(super) fn chosen(&self) -> String {
        self.of(self.rows.iter().filter(|row| row.is_chosen))
    }

    /// Such as `14 of 15 measures reached`, and those that are not.
    pub(super) fn summary(&self) -> String {
        let goals = self.rows.iter().filter_map(|row| Some((row, row.goal.as_ref()?.1)));
        let (reached, others): (Vec<_>, Vec<_>) = goals.partition(|(_, reached)| *reached == Some(true));
        let of = reached.len() + others.len();
        let mut summary = format!("{} of {of} measures reached", reached.len());
        for (row, reached) in others {
            let verdict = if reached.is_some() { "not reached" } else { "not known" };
            // Writing to a string does not fail.
            let _ = write!(summary, "; {verdict}: {}", row.what);
        }
        summary
    }

    fn of<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> String {
        let peer =
            self.peer_version.as_ref().map_or(NOTHING.to_owned(), |version| format!("ecr-login {version}"));
        let mut table = format!(
            "| {} | ecru | {peer} | ratio | at most | reached |\n|---|--:|--:|--:|--:|---|\n",
            self.date
        );
        for row in rows {
            let peer = row.shown.peer.as_deref().unwrap_or(NOTHING);
            let ratio = row.ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"));
            let (goal, reached) = row.goal.as_ref().map_or((NOTHING, NOTHING), |(goal, reached)| {
                (goal.as_str(), reached.map_or(NOTHING, |reached| if reached { "yes" } else { "**no**" }))
            });
            let Row { what, shown, .. } = row;
            let _ = writeln!(table, "| {what} | {} | {peer} | {ratio} | {goal} | {reached} |", shown.ours);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Pair;
    use super::*;

    fn row(what: &str, ours: f64, peer: Option<f64>) -> Row {
        Row::new(what, Pair { ours, peer }, |value| format!("{value:.1} s"))
    }

    fn table(rows: Vec<Row>) -> Table {
        Table { date: "2026-11-23".to_owned(), peer_version: Some("0.12.0".to_owned()), rows }
    }

    #[test]
    fn rows_show_ratio_and_goal() {
        let table = table(vec![
            row("a", 1.0, Some(10.0)).at_most_of_peer(0.1).chosen(),
            row("b", 3.0, None).with_goal("2 s", false).with_peer_shown("over 90 s"),
            row("c", 3.0, None).chosen(),
        ]);
        let head = "| 2026-11-23 | ecru | ecr-login 0.12.0 | ratio | at most | reached |\n|---|--:|--:|--:|--:|---|\n";
        let a = "| a | 1.0 s | 10.0 s | 0.10 | 0.1 of the peer | yes |\n";
        let b = "| b | 3.0 s | over 90 s | – | 2 s | **no** |\n";
        let c = "| c | 3.0 s | – | – | – | – |\n";
        assert_eq!(table.whole(), format!("{head}{a}{b}{c}"));
        assert_eq!(table.chosen(), format!("{head}{a}{c}"));
        assert_eq!(table.summary(), "1 of 2 measures reached; not reached: b");
    }

    #[test]
    fn without_a_peer_nothing_is_claimed_of_ratios() {
        let mut table = table(vec![row("a", 1.0, None).at_most_of_peer(0.1)]);
        table.peer_version = None;
        assert!(
            table.whole().ends_with("| a | 1.0 s | – | – | 0.1 of the peer | – |\n"),
            "{}",
            table.whole()
        );
        assert_eq!(table.summary(), "0 of 1 measures reached; not known: a");
    }
}
