//! The program alone in a file system of its own, as in a container: what it needs of one, and what `/etc/ecru` says there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod empty_root;
mod policy;
#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "../program/stage/mod.rs"]
mod stage;
mod static_program;
