//! The emulator as clients see it: every test speaks HTTP to one of its own.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions that help tests fail as tests do"
)]

mod client;
mod signer;
mod stage;

mod any_input;
mod aws_apis;
mod bad_requests;
mod blobs;
mod container_credentials;
mod control;
mod create_on_push;
mod faults;
mod formats;
mod images;
mod instance_metadata;
mod life;
mod manifests;
mod permissions;
mod public_registry;
mod pull_through;
mod registry_access;
mod seed;
mod signatures;
mod tls;
mod trust_policies;
mod web_identity;
