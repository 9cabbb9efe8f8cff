//! One entry of the cache, as it is written and read.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::identity::Fingerprint;
use crate::registry::{Partitions, Registry};
use crate::token::{MAX_LIFETIME, Token};

/// The version of the format.
const VERSION: u32 = 1;

/// How far the clock may have been set back since an entry was written.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);

/// An entry that can be served: well-formed, and not expired when it was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) token: Token,
    /// The key that it was written under, so that a renamed file is noticed.
    pub(super) key: String,
    /// The fingerprint of the identity that it belongs to.
    pub(super) identity: String,
    /// The registry that it was first asked for.
    pub(super) registry: Registry,
}

/// The JSON of an entry. Times are seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    version: u32,
    key: &'a str,
    identity: &'a str,
    registry: &'a str,
    own_registry: Option<&'a str>,
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow)]
    secret: Cow<'a, str>,
    issued_at: u64,
    expires_at: u64,
}

impl Entry {
    /// Reads an entry; `None` if it is damaged, has expired, or claims a life that no token has.
    pub(super) fn read(json: &[u8], partitions: &Partitions, now: SystemTime) -> Option<Self> {
        let written: Written<'_> = serde_json::from_slice(json).ok()?;
        let issued_at = UNIX_EPOCH.checked_add(Duration::from_secs(written.issued_at))?;
        let expires_at = UNIX_EPOCH.checked_add(Duration::from_secs(written.expires_at))?;
        let is_plausible = written.version == VERSION
            && expires_at.duration_since(issued_at).is_ok_and(|life| life <= MAX_LIFETIME)
            && issued_at <= now.checked_add(CLOCK_TOLERANCE)?
            && now < expires_at;
        if !is_plausible || !is_plain(&written.username) || !is_plain(&written.secret) {
            return None;
        }
        Some(Self {
            token: Token {
                username: written.username.into_owned(),
                secret: SecretString::from(written.secret.into_owned()),
                issued_at,
                expires_at,
                own_registry: written.own_registry.and_then(|host| partitions.parse(host).ok()),
            },
            key: written.key.to_owned(),
            identity: written.identity.to_owned(),
            registry: partitions.parse(written.registry).ok()?,
        })
    }

    /// Whether it has at least half of its life before it.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        now < self.half_life()
    }

    /// When half of its life is over.
    pub(super) fn half_life(&self) -> SystemTime {
        let life = self.token.expires_at.duration_since(self.token.issued_at).unwrap_or_default();
        self.token.issued_at + life / 2
    }
}

/// Writes an entry.
///
/// # Errors
/// Only if a time lies before 1970.
pub(super) fn write(
    key: &Key,
    identity: &Fingerprint,
    registry: &Registry,
    token: &Token,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let own_registry = token.own_registry.as_ref().map(Registry::host);
    let written = Written {
        version: VERSION,
        key: &key.to_string(),
        identity: &identity.to_string(),
        registry: &registry.host(),
        own_registry: own_registry.as_deref(),
        username: Cow::Borrowed(&token.username),
        secret: Cow::Borrowed(token.secret.expose_secret()),
        issued_at: seconds(token.issued_at)?,
        expires_at: seconds(token.expires_at)?,
    };
    // Room for everything at once: a buffer that grows would leave copies of the secret behind.
    let mut json = Zeroizing::new(Vec::with_capacity(1024 + 2 * written.secret.len()));
    serde_json::to_writer(&mut *json, &written)?;
    Ok(json)
}

fn seconds(time: SystemTime) -> io::Result<u64> {
    let since = time.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(since.as_secs())
}

/// Whether `text` is something that a token consists of.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
