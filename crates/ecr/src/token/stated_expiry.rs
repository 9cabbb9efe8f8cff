//! When a password that somebody has stored stops working, as far as the password says it itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The longest password that is looked into, in bytes; those of ECR have some 3,000.
const MAX_PASSWORD_BYTES: usize = 64 * 1024;

/// What stands before the passwords of ecru's emulator, so that none can pass for a real one.
const EMULATOR_MARK: &str = "ecru-emulator.";

/// The one member that is read.
#[derive(Deserialize)]
struct Stated {
    expiration: u64,
}

/// When `password` expires, if it says so. Nobody is asked.
///
/// AWS documents the form of its passwords nowhere. All that were seen are base64 of a JSON object with `payload`,
/// `datakey`, `version`, `type` and, in seconds since 1970, `expiration`. So the answer is a hint to a person, and
/// nothing may be decided by it.
#[must_use]
pub fn stated_expiry(password: &SecretString) -> Option<SystemTime> {
    let text = password.expose_secret().trim();
    if text.len() > MAX_PASSWORD_BYTES {
        return None;
    }
    let encoded = text.strip_prefix(EMULATOR_MARK).unwrap_or(text);
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let stated: Stated = serde_json::from_slice(&decoded).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(stated.expiration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn password(json: &str) -> SecretString {
        STANDARD.encode(json).into()
    }

    #[test]
    fn the_expiry_is_read_from_passwords_of_this_form_only() {
        let form = r#"{"payload":"x","datakey":"y","version":"2","type":"DATA_KEY","expiration":1757147299}"#;
        let expected = UNIX_EPOCH + Duration::from_secs(1_757_147_299);
        assert_eq!(stated_expiry(&password(form)), Some(expected));
        let emulated = format!("ecru-emulator.{}", STANDARD.encode(form));
        assert_eq!(stated_expiry(&emulated.into()), Some(expected));
        for other in [password("{}"), password("[]"), "hunter2".into(), password(r#"{"expiration":-1}"#)] {
            assert_eq!(stated_expiry(&other), None);
        }
        assert_eq!(stated_expiry(&password(&format!(r#"{{"expiration":{}}}"#, u64::MAX))), None);
    }

    proptest! {
        #[test]
        fn any_password_has_an_expiry_or_none(text: String, json in r#"\{"expiration":[0-9e.-]{1,25}\}"#) {
            let _ = stated_expiry(&text.into());
            let _ = stated_expiry(&password(&json));
        }
    }
}
