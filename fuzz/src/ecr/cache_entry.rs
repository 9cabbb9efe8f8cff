//! One file of the token cache, as something else than ecru may have left it, held against `serde_json`.

use std::time::{Duration, SystemTime};

use ecru_ecr::fuzzing::{CachedToken, cached_token};
use ecru_ecr::token::MAX_LIFETIME;
use secrecy::ExposeSecret;
use serde_json::Value;

/// The time of these tests, between the times of the seeds.
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// How far an entry may come from the future: clocks are set back.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let Some(CachedToken { token, key, identity, registry, is_fresh }) = cached_token(input, now) else {
        return;
    };
    // Of members that ecru does not know, it does not matter what they hold.
    if let Ok(written) = serde_json::from_slice::<Value>(input) {
        assert_eq!(written["version"], 1);
        let [user, secret] = [token.username.as_str(), token.secret.expose_secret()];
        let read = [("key", key.as_str()), ("identity", &identity), ("username", user), ("secret", secret)];
        assert!(read.iter().all(|(name, value)| written[name] == *value), "{written}");
    }
    let written = String::from_utf8_lossy(input);
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_plain(&token.username) && is_plain(token.secret.expose_secret()), "{written}");

    let life = token.expires_at.duration_since(token.issued_at).expect("a life");
    assert!(now < token.expires_at && life <= MAX_LIFETIME, "{written}");
    assert!(token.issued_at <= now + CLOCK_TOLERANCE, "{written}");
    assert_eq!(
        is_fresh,
        now < token.issued_at + life / 2,
        "AWS is asked from half of the life on: {written}"
    );
    [Some(registry), token.own_registry].iter().flatten().for_each(super::check_registry);
}
