//! What docs/HELPER.md and docs/TROUBLESHOOTING.md say is what the program has and prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;
mod troubleshooting;
mod variables;
