//! What may go wrong around the helper, and what must hold then: one test for each row of the table of faults.
//!
//! The rule for all rows: exit code 0 with one JSON object, or exit code 1 with one fixed line; no panic, no wait
//! without end, no secret on standard error, no lost entry of another registry. Each test says on its standard
//! output what it did (`fault: …`) and what it saw (`held: …`), which `cargo xtask faults helper` prints as a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

mod answers_of_aws;
mod cache_files;
mod cache_life;
mod identity;
mod locks;
mod process;
mod said;
#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;
mod together;
