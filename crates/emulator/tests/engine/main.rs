//! The docker client and a Docker engine, at the address in DOCKER_HOST, against the emulator: what they push and pull,
//! and the words in which they refuse.
//!
//! The images are made of files that the tests write; nothing is downloaded and no container runs. Every test proves
//! at its end that the engine holds the images that it held before.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions that help tests fail as tests do"
)]

#[path = "../over_http/client.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod client;
#[path = "../over_http/signer.rs"]
mod signer;
#[path = "../over_http/stage.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod stage;

mod denials;
mod images;
mod shop;
