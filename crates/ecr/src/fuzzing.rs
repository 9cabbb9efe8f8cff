//! Doors to what reads outside input, for the fuzz targets only; not a part of the public interface.
//!
//! The parsers are private, and should remain so. This module is always compiled, and not behind a feature or a `cfg`,
//! so that no change can break the targets unseen.

pub use crate::cache::fuzzing::{CachedToken, cached_token};
use crate::config::{Config, Fault};
pub use crate::last_failure::fuzzing::{read_last_failure, written_last_failure};
pub use crate::mint::fuzzing::{
    Answered, GivenIdentity, HttpAnswer, Outcome, Refusal, Script, identity_failure, refusal, token_in_answer,
};

/// The configuration in the texts of the system's file and of the user's.
///
/// # Errors
/// The first fault.
pub fn config(system: &[u8], user: &[u8]) -> Result<Config, Fault> {
    let mut config = Config::default();
    config.add_text(system, true)?;
    config.add_text(user, false)?;
    Ok(config)
}
