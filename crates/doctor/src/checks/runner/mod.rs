//! The runner: its service, its files, its helpers, and which credentials it would send.

mod facts;
mod service;

pub use facts::Facts;

use crate::report::{Check, Definition};

/// What decides whether pulls work.
pub static DEFINITIONS: &[&Definition] = &[&service::FOUND];

/// What others can misuse, or what breaks later.
pub static RISKS: &[&Definition] = &[];

/// Carries out the checks of [`DEFINITIONS`].
pub async fn checks(facts: &Facts<'_>) -> Vec<Check> {
    vec![service::found(facts)]
}

/// Carries out the checks of [`RISKS`].
#[must_use]
pub fn risks(_facts: &Facts<'_>) -> Vec<Check> {
    Vec::new()
}
