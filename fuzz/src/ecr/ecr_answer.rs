//! What GetAuthorizationToken answers. The lines of the input: the registry's region, or none for ECR Public; the second
//! at which the token expires; the registry that the answer names, if it names one; and the rest is the token.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecru_ecr::fuzzing::{Answered, token_in_answer};
use ecru_ecr::token::MAX_LIFETIME;
use secrecy::ExposeSecret;

const NOW: Duration = Duration::from_secs(1_800_000_000);

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let (region, expires_at, proxy_endpoint) = (next(), next(), next());
    let token = next();
    // A fuzzer seldom makes base64.
    let encoded = token.map(|token| STANDARD.encode(token));
    for authorization_token in [token, encoded.as_deref()] {
        let expires_at = expires_at.and_then(|seconds| seconds.parse().ok());
        check_answer(&Answered { region, authorization_token, expires_at, proxy_endpoint });
    }
}

fn check_answer(answer: &Answered<'_>) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let token = match token_in_answer(answer, now) {
        Ok(token) => token,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            return drop((error.hint(), error.summary()));
        }
    };
    let password = token.secret.expose_secret();
    let credential = format!("{}:{password}", token.username);
    assert_eq!(answer.authorization_token.map(str::to_owned), Some(STANDARD.encode(credential)));
    assert_eq!(token.username, "AWS");
    assert!(!password.is_empty() && password.bytes().all(|byte| byte.is_ascii_graphic()), "{password:?}");
    assert_eq!(token.issued_at, now);
    assert!(now < token.expires_at && token.expires_at <= now + MAX_LIFETIME);
    assert_eq!(token.own_registry.is_some(), answer.region.is_some(), "ECR Public names no registry");
    if let Some(registry) = token.own_registry {
        super::check_registry(&registry);
        assert_eq!(Some(registry.region()), answer.region);
    }
}
