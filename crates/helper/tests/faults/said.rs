//! What a test says about itself, in the form that `cargo xtask faults` reads.

use crate::stage::{NOT_FOUND, Run};

/// Names the fault.
pub(crate) fn fault(what: &str) {
    println!("fault: {what}");
}

/// Says what was seen to hold.
pub(crate) fn held(what: impl AsRef<str>) {
    println!("held: {}", what.as_ref());
}

/// Says that a part of the fault could not be made on this machine.
pub(crate) fn not_tried(what: &str) {
    println!("not tried: {what}");
}

/// The rule for all faults: one JSON object, or the one line that makes callers go on; never a panic.
#[track_caller]
pub(crate) fn assert_rule(run: &Run) {
    match run.code {
        0 => assert!(!run.secret().is_empty()),
        _ => assert_eq!((run.code, run.stdout.as_str()), (1, NOT_FOUND), "{run:?}"),
    }
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}

/// Checks that standard error has all of `parts`.
#[track_caller]
pub(crate) fn assert_says(stderr: &str, parts: &[&str]) {
    for part in parts {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}
