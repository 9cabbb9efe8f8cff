//! How often a request is made where AWS fails.
//!
//! The SDK would read the same settings, and panics where one is no number (`default_provider::retry_config` of
//! aws-config); a helper that panics answers nothing. Its `retry_mode` makes no difference here: what `adaptive` learns
//! from one answer is for the next request, and this process makes one.

use std::time::Duration;

use aws_config::profile;
use aws_config::retry::RetryConfig;
use aws_types::os_shim_internal::{Env, Fs};

/// The variable of all SDKs, and the key of the same meaning in a profile
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const VARIABLE: &str = "AWS_MAX_ATTEMPTS";
const PROFILE_KEY: &str = "max_attempts";

/// How often a request is made at most if nothing else is said; the same in all SDKs.
const DEFAULT_ATTEMPTS: u32 = 3;

/// The longest wait before the second try; each further one waits twice as long.
const INITIAL_BACKOFF: Duration = Duration::from_millis(300);

/// The retries that the environment asks for, else the profile in use. The deadline of the call holds for all tries
/// together, whatever their number is.
pub(super) async fn of(environment: &Env) -> RetryConfig {
    let attempts = match attempts_in(environment.get(VARIABLE).ok().as_deref(), VARIABLE) {
        Some(attempts) => Some(attempts),
        None => of_profile(environment).await,
    };
    let attempts = attempts.unwrap_or(DEFAULT_ATTEMPTS);
    RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(INITIAL_BACKOFF)
}

/// What the profile says. Files that cannot be read say nothing here; who needs them for more tells why.
async fn of_profile(environment: &Env) -> Option<u32> {
    let files = Default::default(); // Those that the environment names, or the usual ones.
    let profiles = profile::load(&Fs::real(), environment, &files, None).await.ok()?;
    attempts_in(profiles.get(PROFILE_KEY), PROFILE_KEY)
}

/// The number that a setting names. One that is none is told, and as good as not there.
fn attempts_in(text: Option<&str>, setting: &'static str) -> Option<u32> {
    let attempts = text?.trim().parse().ok().filter(|attempts| *attempts > 0);
    if attempts.is_none() {
        tracing::warn!(setting, "the number of attempts is not a number from 1");
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn attempts(variables: &[(&str, &str)], profile: &str) -> u32 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, profile).unwrap();
        let files =
            [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
        let variables: Vec<(&str, &str)> = files.into_iter().chain(variables.iter().copied()).collect();
        of(&Env::from_slice(&variables)).await.max_attempts()
    }

    #[test]
    fn the_variable_counts_before_the_profile_and_nonsense_not_at_all() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let profile = "[default]\nmax_attempts = 7\n[profile other]\nmax_attempts = none\n";
        for (variables, profile, expected) in [
            (&[][..], "", 3),
            (&[], profile, 7),
            (&[], "[default", 3),
            (&[("AWS_PROFILE", "other")], profile, 3),
            (&[("AWS_MAX_ATTEMPTS", " 1 ")], profile, 1),
            (&[("AWS_MAX_ATTEMPTS", "0")], "", 3),
            (&[("AWS_MAX_ATTEMPTS", "-1")], "", 3),
            (&[("AWS_MAX_ATTEMPTS", "many")], profile, 7),
        ] {
            assert_eq!(runtime.block_on(attempts(variables, profile)), expected, "{variables:?} {profile}");
        }
    }
}
