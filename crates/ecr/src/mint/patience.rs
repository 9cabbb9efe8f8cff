//! Waiting while AWS throttles.
//!
//! The SDK's own tries are over within a second, and a throttle often lasts for a little longer. The time until the
//! deadline is worth nothing to a caller who gets no token, so that it is used: few requests, ever further apart, and
//! none at the same time as those of other processes.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::call::Call;
use super::retries;
use crate::token::TokenError;

/// The longest wait after the SDK's first tries; each further one may be twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How much time must be left after a wait.
const ROOM: Duration = Duration::from_millis(500);

impl Call {
    /// What `attempt` comes to, which is made again while AWS throttles it and time is left. Where somebody has said how
    /// often a request is made, that counts.
    pub(super) async fn patiently<T>(
        &self,
        attempt: impl AsyncFn() -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let mut longest = FIRST_WAIT;
        loop {
            let outcome = attempt().await;
            let throttle =
                outcome.as_ref().err().filter(|error| matches!(error, TokenError::Throttled { .. }));
            self.progress.aws_throttles(throttle.cloned());
            if throttle.is_none() {
                return outcome;
            }
            let wait = between(longest / 2, longest);
            let left = self.limit.saturating_sub(self.progress.elapsed());
            if wait + ROOM > left || retries::are_counted(&self.sdk_environment()).await {
                return outcome;
            }
            tracing::info!(?wait, "AWS throttles; the request is made again");
            tokio::time::sleep(wait).await;
            longest *= 2;
        }
    }
}

/// A time between two, another one in each process.
fn between(least: Duration, most: Duration) -> Duration {
    // The standard library's hash keys are its only random numbers.
    let random = RandomState::new().hash_one(0) % 1024;
    let share = f64::from(u16::try_from(random).unwrap_or_default()) / 1024.0;
    least + (most - least).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_lie_between_the_two_and_differ() {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(2));
        let waits: std::collections::BTreeSet<_> = (0..100).map(|_| between(least, most)).collect();
        assert!(waits.iter().all(|wait| (least..most).contains(wait)));
        assert!(waits.len() > 10, "{waits:?}");
    }
}
