//! What registries say: whether an image exists, what it is, or why it cannot be had.
//!
//! One question is asked, by HEAD as engines ask it, and once more by GET for what the answer to HEAD cannot hold: the
//! registry's reason for a refusal, or platforms and sizes. Nothing is pulled but a manifest and an image's settings.
//!
//! # What it never does
//! * It sends a password to nobody but the registry that the image names, and to the host that registry may name for
//!   its tokens; see [`Options::realm_hosts`].
//! * It follows no redirect with a password; where a registry keeps manifests or blobs elsewhere, one redirect without it.
//! * It speaks plain HTTP to this machine only.
//! * It reads nothing from the environment: proxies and further root certificates are given to it.

mod answer;
mod challenge;
mod client;
mod error;
mod exceptions;
mod http;
mod manifest;
mod refusal;
mod target;

pub use client::{Login, RegistryClient};
pub use error::{LookupError, SetupError};
pub use http::{Options, Proxy};
pub use manifest::ImageFacts;
pub use refusal::MissingPermission;
