//! What AWS says: registry host names, identity, ECR tokens and their cache.

pub mod access;
pub mod cache;
pub mod clock;
pub mod config;
pub mod deadlines;
pub mod environment;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod glob;
pub mod identity;
pub mod last_failure;
pub mod mint;
pub mod no_proxy;
mod own_registry;
pub mod registry;
pub mod token;

pub use files::{ReadError, read_limited};
