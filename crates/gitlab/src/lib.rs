//! What GitLab says: `.gitlab-ci.yml`, `config.toml`, and how the runner picks registry credentials.
//!
//! This crate is pure: it opens no file and no socket, starts no process, and reads neither the environment nor
//! the clock. Callers pass texts in, and a function that runs credential helpers.

pub mod ci;
pub mod config_toml;
pub mod docker_cli;
pub mod image_uses;
pub mod kubelet;
pub mod plan;
pub mod position;
pub mod predefined;
pub mod pull_policy;
pub mod registry_auth;
pub mod script;
pub mod service_names;
pub mod variables;
pub mod yaml;
