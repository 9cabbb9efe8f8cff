//! What each fuzz target does with an input, by area.
//!
//! The crates include these files in a test that runs the seeds, so that they use nothing but the crate, its
//! dependencies, and what lies beside them here.

#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "ecr")]
pub mod ecr;
#[cfg(feature = "emulator")]
pub mod emulator;
#[cfg(feature = "gitlab")]
pub mod gitlab;
