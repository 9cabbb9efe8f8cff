//! The time, handed around as a value.

use std::time::SystemTime;

/// Tells the current time.
pub type Clock = fn() -> SystemTime;

/// The time of this machine; for the programs, which hand it to what needs it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge at which the clock is read")]
pub fn system_time() -> SystemTime {
    SystemTime::now()
}
