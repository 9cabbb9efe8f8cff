//! What the tests of all crates share: a [`Sandbox`] to run programs in, a [`StubHelper`] that stands for a Docker
//! credential helper and a [`stub_engine`] for an engine, the leak check [`assert_no_leak`], [`snapshot_settings`],
//! [`hostile`] files, the [`tree`] below a folder, and [`assert_generated`] for parts of pages that come from the code.
//!
//! Everything here panics where the stage for a test cannot be built: a test has nothing better to do then.
#![expect(clippy::expect_used, reason = "a test stops where its stage cannot be built")]

mod generated;
pub mod hostile;
mod leak;
mod sandbox;
mod snapshot;
mod stub_engine;
mod stub_helper;
mod tree;

pub use generated::{assert_generated, table};
pub use leak::{LeakForm, assert_no_leak, found_leak};
pub use sandbox::Sandbox;
pub use snapshot::snapshot_settings;
pub use stub_engine::stub_engine;
pub use stub_helper::{Call, Reply, StubHelper};
pub use tree::{Entry, tree};
