//! How often a request is made where AWS fails.
//!
//! The SDK would read the same settings, and panics where one cannot be read (`default_provider::retry_config` of
//! aws-config); a helper that panics answers nothing.

use std::time::Duration;

use aws_config::profile::{self, ProfileSet};
use aws_config::retry::{RetryConfig, RetryMode};
use aws_types::os_shim_internal::{Env, Fs};

use crate::environment::Environment;

/// The variables of all SDKs, and the keys of the same meaning in a profile
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const ATTEMPTS: Setting = Setting { variable: "AWS_MAX_ATTEMPTS", key: "max_attempts" };
const MODE: Setting = Setting { variable: "AWS_RETRY_MODE", key: "retry_mode" };

/// How often a request is made at most if nothing else is said; the same in all SDKs.
const DEFAULT_ATTEMPTS: u32 = 3;

/// The longest wait before the second try; each further one waits twice as long.
const INITIAL_BACKOFF: Duration = Duration::from_millis(300);

/// The retries that the environment asks for, else the profile in use. The deadline of the call holds for all tries
/// together, whatever their number is.
pub(super) async fn of(environment: &Env) -> RetryConfig {
    let profiles = profiles(environment).await;
    let attempts = ATTEMPTS.value(environment, profiles.as_ref(), attempts).unwrap_or(DEFAULT_ATTEMPTS);
    let retries = match MODE.value(environment, profiles.as_ref(), mode) {
        Some(RetryMode::Adaptive) => RetryConfig::adaptive(),
        _ => RetryConfig::standard(),
    };
    retries.with_max_attempts(attempts).with_initial_backoff(INITIAL_BACKOFF)
}

/// Whether the environment or the profile in use says how often a request is made.
pub(super) async fn are_counted(environment: &Env) -> bool {
    ATTEMPTS.value(environment, profiles(environment).await.as_ref(), attempts).is_some()
}

/// How often a variable says that a request is made.
pub(crate) fn counted_by(environment: &Environment) -> Option<u32> {
    environment.get(ATTEMPTS.variable).and_then(|text| attempts(text.trim()))
}

/// The profiles of the SDK's files. Files that cannot be read say nothing here; who needs them for more tells why.
pub(super) async fn profiles(environment: &Env) -> Option<ProfileSet> {
    let files = Default::default(); // Those that the environment names, or the usual ones.
    profile::load(&Fs::real(), environment, &files, None).await.ok()
}

/// A variable, and the key of a profile.
struct Setting {
    variable: &'static str,
    key: &'static str,
}

impl Setting {
    /// The value of the variable, else that of the key. One that cannot be read is told, and as good as not there.
    fn value<T>(
        &self,
        environment: &Env,
        profiles: Option<&ProfileSet>,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let read = |setting: &str, text: &str| {
            let value = read(text.trim());
            if value.is_none() {
                tracing::warn!(setting, "this setting of the retries cannot be read");
            }
            value
        };
        let variable = environment.get(self.variable).ok();
        variable
            .and_then(|text| read(self.variable, &text))
            .or_else(|| read(self.key, profiles?.get(self.key)?))
    }
}

fn attempts(text: &str) -> Option<u32> {
    text.parse().ok().filter(|attempts| *attempts > 0)
}

fn mode(text: &str) -> Option<RetryMode> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn retries(variables: &[(&str, &str)], profile: &str) -> (u32, RetryMode) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, profile).unwrap();
        let files =
            [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
        let variables: Vec<(&str, &str)> = files.into_iter().chain(variables.iter().copied()).collect();
        let retries = of(&Env::from_slice(&variables)).await;
        (retries.max_attempts(), retries.mode())
    }

    #[test]
    fn variables_count_before_the_profile_and_nonsense_not_at_all() {
        use RetryMode::{Adaptive, Standard};
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let profile = "[default]\nmax_attempts = 7\nretry_mode = adaptive\n[profile other]\nmax_attempts = none\n\
                       retry_mode = legacy\n";
        for (variables, profile, expected) in [
            (&[][..], "", (3, Standard)),
            (&[], profile, (7, Adaptive)),
            (&[], "[default", (3, Standard)),
            (&[("AWS_PROFILE", "other")], profile, (3, Standard)),
            (&[("AWS_MAX_ATTEMPTS", " 1 "), ("AWS_RETRY_MODE", "standard")], profile, (1, Standard)),
            (&[("AWS_RETRY_MODE", " Adaptive ")], "", (3, Adaptive)),
            (&[("AWS_MAX_ATTEMPTS", "0"), ("AWS_RETRY_MODE", "nonsense")], "", (3, Standard)),
            (&[("AWS_MAX_ATTEMPTS", "-1")], "", (3, Standard)),
            (&[("AWS_MAX_ATTEMPTS", "many"), ("AWS_RETRY_MODE", "many")], profile, (7, Adaptive)),
        ] {
            assert_eq!(runtime.block_on(retries(variables, profile)), expected, "{variables:?} {profile}");
        }
    }
}
