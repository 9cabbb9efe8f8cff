//! How long things may take.

use std::time::Duration;

use crate::environment::Environment;
use crate::token::TokenError;

/// The variable that sets the time, in seconds, within which a token must be there.
pub const VARIABLE: &str = "ECRU_TIMEOUT";

/// The time within which a token must be there. Docker and gitlab-runner wait for a helper without end.
const DEFAULT: Duration = Duration::from_secs(10);

/// The times that [`VARIABLE`] may name, in seconds.
const ALLOWED_SECONDS: std::ops::RangeInclusive<f64> = 0.1..=300.0;

/// The longest wait for another process that is refreshing the same entry of the cache, which may be stopped.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(2);

/// What a process itself may take at most, to start and to end.
const MAX_RESERVE: Duration = Duration::from_millis(100);

/// How the time for a token is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// How long to wait for another process that is getting the same token.
    pub lock_wait: Duration,
    /// How long finding the identity and calling AWS may take together, all tries included.
    pub mint: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::within(DEFAULT)
    }
}

impl Deadlines {
    /// Divides `total`, so that the parts add up to a little less: the process itself needs some of it, too.
    #[must_use]
    pub fn within(total: Duration) -> Self {
        let lock_wait = MAX_LOCK_WAIT.min(total / 5);
        Self { lock_wait, mint: total - lock_wait - MAX_RESERVE.min(total / 20) }
    }

    /// How long all of it may take together.
    #[must_use]
    pub fn total(self) -> Duration {
        self.lock_wait + self.mint
    }

    /// The deadlines that the environment sets, or the default ones.
    ///
    /// # Errors
    /// If the variable is no number of seconds within reason.
    pub fn from_environment(environment: &Environment) -> Result<Self, TokenError> {
        let Some(text) = environment.get(VARIABLE) else { return Ok(Self::default()) };
        match text.trim().parse::<f64>() {
            Ok(seconds) if ALLOWED_SECONDS.contains(&seconds) => {
                Ok(Self::within(Duration::from_secs_f64(seconds)))
            }
            _ => Err(TokenError::Configuration {
                problem: format!("{VARIABLE} is not a number of seconds from 0.1 to 300"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_a_little_less_than_the_whole() {
        for total in [0.1, 1.0, 10.0, 300.0].map(Duration::from_secs_f64) {
            let deadlines = Deadlines::within(total);
            let Deadlines { lock_wait, mint } = deadlines;
            assert!(deadlines.total() < total && deadlines.total() >= total * 19 / 20);
            assert!(lock_wait <= MAX_LOCK_WAIT && lock_wait < mint);
        }
    }

    #[test]
    fn the_environment_sets_seconds_within_reason() {
        let from = |text: &str| Deadlines::from_environment(&Environment::from_map([(VARIABLE, text)]));
        assert_eq!(from("").unwrap(), Deadlines::default());
        assert_eq!(from(" 2.5 ").unwrap(), Deadlines::within(Duration::from_millis(2500)));
        for text in ["0", "-1", "301", "ten", "1e99", "NaN", "10s"] {
            assert!(from(text).is_err(), "{text}");
        }
    }
}
