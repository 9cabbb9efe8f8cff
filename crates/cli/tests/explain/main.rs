//! `ecru explain`, run as a program with stub helpers on its PATH.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod contexts;
mod executors;
mod pages;
mod program;
mod recorded;
mod surroundings;
mod vectors;
