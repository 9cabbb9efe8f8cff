//! Credentials of a role that are the same for all who ask, and new before they expire.

use std::sync::{Mutex, PoisonError};

use time::Duration;

use crate::cloud::Cloud;
use crate::principals::{Principal, SessionKeys};

/// Role credentials are good for about six hours, and new ones appear well before the old expire. botocore asks
/// again when fewer than 15 minutes are left, so they must be new by then.
const LIFETIME: Duration = Duration::hours(6);
const RENEWED_BEFORE_EXPIRY: Duration = Duration::minutes(20);

/// What a metadata service hands out.
pub(crate) struct RenewedSession {
    principal: Principal,
    current: Mutex<Option<SessionKeys>>,
}

impl RenewedSession {
    pub(crate) fn new(principal: Principal) -> Self {
        Self { principal, current: Mutex::default() }
    }

    /// The credentials as they are now.
    pub(crate) fn keys(&self, cloud: &Cloud) -> SessionKeys {
        let now = cloud.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = current.as_ref().filter(|keys| now < keys.expires - RENEWED_BEFORE_EXPIRY) {
            return keys.clone();
        }
        let keys = cloud.principals.open_session(self.principal.clone(), LIFETIME, now, &cloud.seal);
        *current = Some(keys.clone());
        keys
    }
}
