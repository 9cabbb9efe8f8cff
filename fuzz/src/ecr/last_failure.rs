//! The record of the last failure of a registry, as something else than ecru may have left it.

use ecru_ecr::fuzzing::{read_last_failure, written_last_failure};

/// Far more than the longest record takes, with every character escaped.
const MAX_BYTES: usize = 256 * 1024;

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Some(failure) = read_last_failure(input) else { return };
    super::check_registry(&failure.registry);
    // Long texts are cut when they are written, and then stay as they are.
    let written = written_last_failure(&failure).expect("JSON");
    assert!(written.len() <= MAX_BYTES && !written.contains(&b'\n'));
    let again = read_last_failure(&written).expect("what was written can be read");
    assert_eq!((&again.registry, again.at, again.kind), (&failure.registry, failure.at, failure.kind));
    assert!(failure.message.starts_with(&again.message) && failure.attempts.len() >= again.attempts.len());
    assert_eq!(written_last_failure(&again).ok(), Some(written));
}
