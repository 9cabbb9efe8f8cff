//! What Docker says: image references, `config.json`, and the credential-helper protocol.
//!
//! This crate knows formats only: it opens no socket and knows nothing of AWS or GitLab.

pub mod config_file;
pub mod credential_helper;
pub mod environment_auths;
pub mod go_json;
pub mod reference;
