//! What AWS, and whoever else is asked for an identity, says when it refuses: the lines of the input are the HTTP status,
//! the error's code, its request ID, and the rest is the message. Each `@` stands for a secret, since AWS repeats
//! requests in some of its messages.

use ecru_ecr::fuzzing::{Refusal, identity_failure, refusal};
use ecru_ecr::token::TokenError;

/// Nothing else says it by chance, and no part of it is again its beginning.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";

/// Far more than an error may take, with all of its parts.
const MAX_BYTES: usize = 4096;

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let text = text.replace('@', SECRET);
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let status = next().and_then(|status| status.parse().ok()).unwrap_or(400);
    let answered = Refusal { status, code: next(), request_id: next(), message: next() };
    check(&refusal(&answered, SECRET));
    check(&identity_failure(&text, SECRET));
}

fn check(error: &TokenError) {
    let text = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
    assert!(!text.contains(SECRET), "a secret: {text}");
    assert!(!text.contains("eyJ"), "what looks like a token: {text}");
    assert!(!text.chars().any(char::is_control) && text.len() <= MAX_BYTES, "{text:?}");
    assert!(!error.summary().is_empty());
}
