//! `ecru run` and `ecru demo` on a real Docker engine, against a real `ecru emulate`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bad_input;
mod containers;
mod first_job;
mod job_host;
mod stage;
