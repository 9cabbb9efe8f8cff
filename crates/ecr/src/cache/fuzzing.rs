//! A door to the entries of the cache, for the fuzz targets only.

use std::time::SystemTime;

use super::entry::Entry;
use crate::registry::{Partitions, Registry};
use crate::token::Token;

/// An entry that could be served, if it is the one that is looked for.
#[derive(Debug)]
pub struct CachedToken {
    /// The token.
    pub token: Token,
    /// The key that it was written under.
    pub key: String,
    /// The fingerprint of its identity.
    pub identity: String,
    /// The registry that it was first asked for.
    pub registry: Registry,
    /// Whether it would be served without asking AWS.
    pub is_fresh: bool,
}

/// The entry in a file of this content, at this time.
#[must_use]
pub fn cached_token(content: &[u8], now: SystemTime) -> Option<CachedToken> {
    let entry = Entry::read(content, &Partitions::default(), now)?;
    let is_fresh = entry.is_fresh(now);
    let Entry { token, key, identity, registry } = entry;
    Some(CachedToken { token, key, identity, registry, is_fresh })
}
