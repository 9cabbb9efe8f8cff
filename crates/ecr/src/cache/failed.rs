//! What a process was told that asked in vain, left in the file of the lock that it held: those who wait for the lock
//! are told the same, and while an old token still does, nobody asks again so soon.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::token::{FailureKind, TokenError};

/// The version of the format.
const VERSION: u32 = 1;

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// What the times are rounded down to.
const PRECISION: Duration = Duration::from_micros(1);

/// A failure, without a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    at: SystemTime,
    kind: FailureKind,
    message: String,
    hint: Option<String>,
}

/// The JSON of it. The time is in microseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    at: u64,
    kind: FailureKind,
    message: String,
    hint: Option<String>,
}

impl Failed {
    pub(super) fn new(error: &TokenError, at: SystemTime) -> Self {
        let cut = |text: String| text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned();
        Self { at, kind: error.kind(), message: cut(error.to_string()), hint: error.hint().map(cut) }
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        let since = self.at.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let written = Written {
            version: VERSION,
            at: u64::try_from(since.as_micros()).map_err(io::Error::other)?,
            kind: self.kind,
            message: self.message.clone(),
            hint: self.hint.clone(),
        };
        Ok(serde_json::to_vec(&written)?)
    }

    /// Reads one; `None` if there is none, or it is not whole yet.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let Written { version, at, kind, message, hint } = serde_json::from_slice(json).ok()?;
        let at = UNIX_EPOCH.checked_add(Duration::from_micros(at))?;
        (version == VERSION).then_some(Self { at, kind, message, hint })
    }

    /// Whether whoever waits since `started` would be told the same. What may come from the settings of the one process
    /// says nothing of others.
    pub(super) fn concerns(&self, started: SystemTime) -> bool {
        self.at.checked_add(PRECISION).is_some_and(|at| at >= started) && !self.kind.is_of_one_process()
    }

    /// Whether it happened less than `age` before `now`.
    pub(super) fn is_younger(&self, age: Duration, now: SystemTime) -> bool {
        now.duration_since(self.at).is_ok_and(|ago| ago < age)
    }

    /// It, as it is told by a process to which it did not happen.
    pub(super) fn told(self, now: SystemTime) -> TokenError {
        let ago = now.duration_since(self.at).unwrap_or_default();
        TokenError::Shared { kind: self.kind, message: self.message, hint: self.hint, ago }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_back_as_it_was_and_is_told_as_anothers() {
        let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let error = TokenError::TimedOut { waiting_for: "AWS".to_owned(), after: Duration::from_secs(8) };
        let failed = Failed::new(&error, at);
        let json = failed.to_json().unwrap();
        assert_eq!(Failed::read(&json).unwrap(), failed);
        for end in 0..json.len() {
            assert_eq!(Failed::read(&json[..end]), None);
        }
        assert!(failed.concerns(at) && !failed.concerns(at + Duration::from_secs(1)));
        let told = failed.told(at + Duration::from_secs(2));
        assert_eq!((told.kind(), told.hint()), (error.kind(), error.hint()));
        assert_eq!(
            told.to_string(),
            "no answer after 8.0 s from AWS (so another process was told 2.0 s ago)"
        );
    }

    #[test]
    fn what_may_lie_at_one_process_is_not_told_to_others() {
        let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let failed = Failed::new(&TokenError::Configuration { problem: "no".to_owned() }, at);
        assert!(!failed.concerns(at));
        assert!(failed.is_younger(Duration::from_secs(60), at));
        assert!(!failed.is_younger(Duration::from_secs(60), at - Duration::from_secs(1)));
    }
}
