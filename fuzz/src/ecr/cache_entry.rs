//! One file of the token cache, as something else than ecru may have left it, held against `serde_json`.

use std::time::{Duration, SystemTime};

use ecru_ecr::fuzzing::{CachedToken, cached_token};
use ecru_ecr::token::MAX_LIFETIME;
use secrecy::ExposeSecret;

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
    let written: serde_json::Value = serde_json::from_slice(input).expect("JSON");
    assert_eq!(written["version"], 1);
    assert_eq!((&written["key"], &written["identity"]), (&key.into(), &identity.into()));
    assert_eq!(
        (&written["username"], &written["secret"]),
        (&token.username.as_str().into(), &token.secret.expose_secret().into())
    );
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
