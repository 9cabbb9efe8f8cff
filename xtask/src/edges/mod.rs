//! `cargo xtask edges`: no crate uses another unless the table says so.

mod graph;
mod table;

use std::fmt;

use anyhow::{Result, bail};

use self::graph::{Dependency, Graph, Kind};
use self::table::{DIRECT_FENCES, ROWS, Row, TREE_FENCES};

/// Reads the workspace and prints what it found.
///
/// # Errors
/// Fails when the workspace cannot be read, and when an edge or a fence is broken.
pub(crate) fn run() -> Result<()> {
    let graph = Graph::of_workspace()?;
    let offenders = offenders(&graph);
    for offender in &offenders {
        println!("edges: {offender}");
    }
    let edges: usize = graph.own.values().map(Vec::len).sum();
    if !offenders.is_empty() {
        bail!("{} of {edges} edges are not in the table (xtask/src/edges/table.rs)", offenders.len());
    }
    println!("edges: {edges} edges checked, all in the table");
    Ok(())
}

/// Something in the graph that the table forbids.
#[derive(Debug, PartialEq, Eq)]
enum Offender {
    /// A crate that the table does not know.
    NoRow { from: String },
    /// An edge between two crates of the workspace that is not in the first one's row.
    NotInRow { from: String, to: String, kind: Kind, row: &'static Row },
    /// A foreign crate behind a fence, used by a crate on the wrong side of it.
    Fenced { from: String, to: String, only: &'static [&'static str], why: &'static str },
    /// A foreign crate somewhere below a crate that must stay free of it.
    InTree { path: Vec<String>, why: &'static str },
}

impl fmt::Display for Offender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow { from } => write!(f, "`{from}` has no row in the table"),
            Self::NotInRow { from, to, kind, row } => {
                write!(f, "`{from}` uses `{to}` ({kind}), but its row is: {row}")
            }
            Self::Fenced { from, to, only, why } => {
                write!(f, "`{from}` uses `{to}`, but only {} may: {why}", only.join(", "))
            }
            Self::InTree { path, why } => write!(f, "{}: {why}", path.join(" -> ")),
        }
    }
}

fn offenders(graph: &Graph) -> Vec<Offender> {
    let direct = graph.own.iter().flat_map(|(from, dependencies)| {
        if row_of(from).is_none() {
            return vec![Offender::NoRow { from: from.clone() }];
        }
        dependencies.iter().filter_map(|dependency| offence(graph, from, dependency)).collect()
    });
    let below = TREE_FENCES.iter().filter(|fence| graph.own.contains_key(fence.below)).flat_map(|fence| {
        let paths = graph.paths(fence.below, |name| matches_any(fence.forbidden, name));
        paths.into_iter().map(|path| Offender::InTree { path, why: fence.why })
    });
    direct.chain(below).collect()
}

fn row_of(from: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.of == from)
}

fn offence(graph: &Graph, from: &str, dependency: &Dependency) -> Option<Offender> {
    let Dependency { to, kind } = dependency;
    if graph.own.contains_key(to) {
        let row = row_of(from)?;
        let allowed = row.may_use.contains(&to.as_str())
            || (*kind == Kind::Development && row.tests_may_use.contains(&to.as_str()));
        return (!allowed).then(|| Offender::NotInRow {
            from: from.to_owned(),
            to: to.clone(),
            kind: *kind,
            row,
        });
    }
    // A fence is about what a program links, so tests may bring an independent client.
    if *kind == Kind::Development {
        return None;
    }
    let fence = DIRECT_FENCES.iter().find(|fence| matches_any(fence.around, to))?;
    (!fence.only.contains(&from)).then(|| Offender::Fenced {
        from: from.to_owned(),
        to: to.clone(),
        only: fence.only,
        why: fence.why,
    })
}

/// Whether `name` is one of `patterns`; a pattern that ends in `*` matches every name with that beginning.
fn matches_any(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => *pattern == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(edges: &[(&str, &str, Kind)]) -> Vec<String> {
        let own = ["ecru-ecr", "ecru-docker", "ecru-gitlab", "ecru-helper", "ecru-emulator", "ecru-testkit"];
        offenders(&Graph::from_edges(&own, edges)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        let allowed = [
            ("ecru-gitlab", "ecru-docker", Kind::Normal),
            ("ecru-helper", "ecru-ecr", Kind::Normal),
            ("ecru-helper", "ecru-emulator", Kind::Development),
            ("ecru-docker", "ecru-testkit", Kind::Development),
            ("ecru-emulator", "ecru-testkit", Kind::Development),
            ("ecru-ecr", "aws-config", Kind::Normal),
            ("ecru-emulator", "axum", Kind::Normal),
            ("ecru-emulator", "aws-sdk-ecr", Kind::Development),
            ("ecru-gitlab", "tokio", Kind::Development),
        ];
        assert_eq!(messages(&allowed), [""; 0]);
    }

    #[test]
    fn an_edge_outside_the_table_is_named_with_its_row() {
        assert_eq!(
            messages(&[("ecru-gitlab", "ecru-ecr", Kind::Normal)]),
            ["`ecru-gitlab` uses `ecru-ecr` (normal), but its row is: \
              may use ecru-docker; its tests also ecru-testkit, ecru-emulator"]
        );
    }

    #[test]
    fn tests_do_not_open_a_way_round_the_table() {
        let edges = [
            ("ecru-emulator", "ecru-ecr", Kind::Development),
            ("ecru-gitlab", "ecru-ecr", Kind::Development),
            ("ecru-helper", "ecru-testkit", Kind::Normal),
            ("ecru-helper", "ecru-docker", Kind::Build),
        ];
        assert_eq!(messages(&edges[..3]).len(), 3);
        assert_eq!(messages(&edges[3..]), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_row_is_an_offender() {
        let graph = Graph::from_edges(&["ecru-new"], &[]);
        assert_eq!(offenders(&graph), [Offender::NoRow { from: "ecru-new".to_owned() }]);
    }

    #[test]
    fn fences_hold_for_foreign_crates() {
        for (from, to) in [
            ("ecru-helper", "aws-config"),
            ("ecru-gitlab", "aws-sdk-sts"),
            ("ecru-docker", "bollard"),
            ("ecru-ecr", "axum"),
            ("ecru-helper", "hyper"),
        ] {
            let found = messages(&[(from, to, Kind::Normal)]);
            assert!(
                found.iter().any(|message| message.starts_with(&format!("`{from}` uses `{to}`, but only")))
            );
        }
    }

    #[test]
    fn a_forbidden_crate_deep_in_a_tree_is_shown_with_its_path() {
        let edges = [
            ("ecru-gitlab", "innocent", Kind::Normal),
            ("innocent", "deeper", Kind::Normal),
            ("deeper", "tokio", Kind::Normal),
            ("deeper", "only-tests", Kind::Development),
            ("only-tests", "hyper", Kind::Normal),
        ];
        let found = messages(&edges);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("ecru-gitlab -> innocent -> deeper -> tokio: "), "{found:?}");
    }

    #[test]
    fn a_tree_with_a_cycle_ends() {
        let edges = [("ecru-helper", "a", Kind::Normal), ("a", "b", Kind::Normal), ("b", "a", Kind::Normal)];
        assert_eq!(messages(&edges), [""; 0]);
    }
}
