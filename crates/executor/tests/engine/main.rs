//! Whole runs on a real Docker engine, at the address in DOCKER_HOST.
//!
//! The images are made from this machine's static busybox: nothing is downloaded. Every test proves at its end that
//! the engine holds what it held before.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod cleanup;
mod failures;
mod registry;
mod scripts;
mod services;
mod workbench;
