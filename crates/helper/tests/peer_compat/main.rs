//! One suite for two programs: ours and `docker-credential-ecr-login` 0.12 of amazon-ecr-credential-helper, whose
//! place ours takes.
//!
//! The cases are data, in `cases/*.toml`. A case says what happens with ours, and where the other's outcome differs,
//! what that is and why. A difference that no case lists fails the suite, and so does a listed one that is gone.
//! `docs/COMPATIBILITY.md` has the table of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

mod aws_behaviour;
mod case;
mod document;
mod outcome;
mod play;
#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ecru_testkit::assert_generated;

use crate::case::Case;
use crate::play::play_all;

/// The fewest cases that the suite may shrink to.
const FEWEST_CASES: usize = 150;

#[test]
fn cases_are_told_apart_and_explained() {
    let cases = case::all();
    assert!(cases.len() >= FEWEST_CASES, "{} cases", cases.len());
    let mut ids = BTreeSet::new();
    for Case { id, docs, ours, difference, .. } in &cases {
        assert!(ids.insert(id), "two cases are called {id}");
        assert!(docs.ends_with('.') && docs.contains(' '), "{id} says nothing: {docs}");
        if let Some(difference) = difference {
            assert!(difference.because.ends_with('.'), "{id} gives no reason");
            assert_ne!(&difference.peer, ours, "{id} lists no difference");
        }
    }
}

#[test]
fn our_helper_does_what_the_cases_say() {
    let cases = case::all();
    let wrong: Vec<String> = play_all(&cases, stage::program())
        .into_iter()
        .zip(&cases)
        .filter(|(outcome, case)| outcome != &case.ours)
        .map(|(outcome, case)| format!("{}\n  says: {}\n  does: {outcome}", case.id, case.ours))
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("compat: {} cases hold for ours", cases.len());
}

#[test]
#[ignore = "needs the credential helper of others, at ECRU_PEER"]
fn the_peer_differs_only_where_the_cases_say_so() {
    let cases = case::all();
    let outcomes = play_all(&cases, &peer());
    let mut unexplained = Vec::new();
    let (mut same, mut listed) = (0, 0);
    for (outcome, case) in outcomes.iter().zip(&cases) {
        let expected = case.difference.as_ref().map_or(&case.ours, |difference| &difference.peer);
        if outcome != expected {
            unexplained.push(format!("{}\n  says: {expected}\n  does: {outcome}", case.id));
        } else if case.difference.is_some() {
            listed += 1;
        } else {
            same += 1;
        }
    }
    println!(
        "compat: {} cases: {same} the same, {listed} differ as listed, {} unexplained",
        cases.len(),
        unexplained.len()
    );
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

#[test]
fn the_table_of_differences_is_up_to_date() {
    assert_generated("docs/COMPATIBILITY.md", "differences", &document::differences(&case::all()));
}

/// The other program.
fn peer() -> PathBuf {
    let path = variable("ECRU_PEER").expect("ECRU_PEER names no program; `cargo xtask compat --peer` does");
    PathBuf::from(path)
}

#[expect(clippy::disallowed_methods, reason = "the peer for tests is named by the environment")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
