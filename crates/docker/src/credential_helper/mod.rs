//! The Docker credential-helper protocol: its messages, being a helper, and calling one.
//!
//! The protocol is that of docker-credential-helpers v0.9.8: a program `docker-credential-<suffix>` takes one verb
//! as its argument, reads its request from stdin, and answers on stdout with exit code 0 or 1. Nothing here knows
//! what a registry is, or where credentials come from.

pub mod invoke;
pub mod message;
pub mod serve;
