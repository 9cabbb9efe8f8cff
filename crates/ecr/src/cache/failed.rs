//! What a process was told that asked in vain, left in the file of the lock that it held: those who wait for the lock
//! are told the same, and while an old token still does, nobody asks again so soon.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::token::{FailureKind, TokenError};

/// The version of the format.
const VERSION: u32 = 2;

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// What the times are rounded down to.
const PRECISION: Duration = Duration::from_micros(1);

/// How hard a process tries, which its own settings say: another one may try harder, and get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    /// How long finding the identity and calling AWS may take together.
    pub(super) limit: Duration,
    /// How often a request is made at most, if a variable says so. What a profile says is a part of the identity.
    pub(super) tries: Option<u32>,
}

/// A failure, without a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    at: SystemTime,
    kind: FailureKind,
    message: String,
    hint: Option<String>,
    /// The time that was not enough, where it might have gone better with more.
    limit: Option<Duration>,
    /// The number of tries that was not enough, likewise.
    tries: Option<u32>,
}

/// The JSON of it. The time is in microseconds since 1970, and the limit in microseconds.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    at: u64,
    kind: FailureKind,
    message: String,
    hint: Option<String>,
    limit: Option<u64>,
    tries: Option<u32>,
}

impl Failed {
    /// The failure of a process that has tried so hard.
    pub(super) fn new(error: &TokenError, at: SystemTime, effort: Effort) -> Self {
        let cut = |text: String| text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned();
        Self {
            at,
            kind: error.kind(),
            message: cut(error.to_string()),
            hint: error.hint().map(cut),
            limit: error.ends_with_the_time().then_some(effort.limit),
            tries: effort.tries.filter(|_| error.ends_with_the_tries()),
        }
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        let since = self.at.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let written = Written {
            version: VERSION,
            at: u64::try_from(since.as_micros()).map_err(io::Error::other)?,
            kind: self.kind,
            message: self.message.clone(),
            hint: self.hint.clone(),
            limit: self.limit.map(|limit| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)),
            tries: self.tries,
        };
        Ok(serde_json::to_vec(&written)?)
    }

    /// Reads one; `None` if there is none, or it is not whole yet.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let Written { version, at, kind, message, hint, limit, tries } = serde_json::from_slice(json).ok()?;
        let at = UNIX_EPOCH.checked_add(Duration::from_micros(at))?;
        let limit = limit.map(Duration::from_micros);
        (version == VERSION).then_some(Self { at, kind, message, hint, limit, tries })
    }

    /// Whether whoever waits since `started` would be told the same, who can still try so hard. What may come from the
    /// settings of the one process says nothing of others.
    pub(super) fn concerns(&self, started: SystemTime, effort: Effort) -> bool {
        let has_no_more_time = self.limit.is_none_or(|limit| effort.limit <= limit + PRECISION);
        let has_no_more_tries =
            self.tries.is_none_or(|tries| effort.tries.is_some_and(|own_tries| own_tries <= tries));
        self.at.checked_add(PRECISION).is_some_and(|at| at >= started)
            && !self.kind.is_of_one_process()
            && has_no_more_time
            && has_no_more_tries
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
    use crate::token::AwsFailure;

    const EFFORT: Effort = Effort { limit: Duration::from_secs(8), tries: None };

    fn at() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// As another process reads it.
    fn read(error: &TokenError, effort: Effort) -> Failed {
        Failed::read(&Failed::new(error, at(), effort).to_json().unwrap()).unwrap()
    }

    #[test]
    fn a_failure_comes_back_as_it_was_and_is_told_as_anothers() {
        let error = TokenError::TimedOut { waiting_for: "AWS".to_owned(), after: Duration::from_secs(8) };
        let failed = Failed::new(&error, at(), EFFORT);
        let json = failed.to_json().unwrap();
        assert_eq!(Failed::read(&json).unwrap(), failed);
        for end in 0..json.len() {
            assert_eq!(Failed::read(&json[..end]), None);
        }
        assert!(failed.concerns(at(), EFFORT) && !failed.concerns(at() + Duration::from_secs(1), EFFORT));
        let told = failed.told(at() + Duration::from_secs(2));
        assert_eq!((told.kind(), told.hint()), (error.kind(), error.hint()));
        assert_eq!(
            told.to_string(),
            "no answer after 8.0 s from AWS (so another process was told 2.0 s ago)"
        );
    }

    #[test]
    fn what_may_lie_at_one_process_is_not_told_to_others() {
        let failed = read(&TokenError::Configuration { problem: "no".to_owned() }, EFFORT);
        assert!(!failed.concerns(at(), EFFORT));
        assert!(failed.is_younger(Duration::from_secs(60), at()));
        assert!(!failed.is_younger(Duration::from_secs(60), at() - Duration::from_secs(1)));
    }

    #[test]
    fn whoever_can_try_harder_is_not_told() {
        let after = Duration::from_secs(8);
        let of_time = [
            TokenError::TimedOut { waiting_for: "AWS".to_owned(), after },
            TokenError::ProcessTimedOut { profile: "default".to_owned(), after },
            TokenError::Throttled { failure: AwsFailure::default() },
        ];
        let of_neither = TokenError::AccessDenied { failure: AwsFailure::default() };
        let longer = Effort { limit: Duration::from_secs(9), ..EFFORT };
        for (error, concerns_longer) in
            of_time.iter().map(|error| (error, false)).chain([(&of_neither, true)])
        {
            let failed = read(error, EFFORT);
            assert!(failed.concerns(at(), EFFORT), "{error}");
            assert!(failed.concerns(at(), Effort { limit: Duration::from_secs(1), ..EFFORT }), "{error}");
            assert_eq!(failed.concerns(at(), longer), concerns_longer, "{error}");
        }
        let of_tries = [
            TokenError::ServiceFailure { failure: AwsFailure::default() },
            TokenError::Throttled { failure: AwsFailure::default() },
        ];
        let tries = |tries| Effort { tries, ..EFFORT };
        for (error, concerns_others) in
            of_tries.iter().map(|error| (error, false)).chain([(&of_neither, true)])
        {
            let failed = read(error, tries(Some(2)));
            assert!(
                failed.concerns(at(), tries(Some(2))) && failed.concerns(at(), tries(Some(1))),
                "{error}"
            );
            assert_eq!(failed.concerns(at(), tries(Some(3))), concerns_others, "{error}");
            assert_eq!(failed.concerns(at(), tries(None)), concerns_others, "{error}");
            assert!(read(error, tries(None)).concerns(at(), tries(Some(1))), "{error}");
        }
    }
}
