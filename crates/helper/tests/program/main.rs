//! The program as Docker and gitlab-runner meet it: the real binary, in an environment of its own.
//!
//! AWS is played by a few lines of HTTP on loopback (`stage`), which can also answer what AWS never would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cache;
mod config;
mod faults;
mod get;
mod identity;
mod kinds;
mod list;
mod log;
mod protocol;
mod rules;
mod stage;
