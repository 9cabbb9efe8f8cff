//! Making what others said fit to be shown.

use secrecy::{ExposeSecret, SecretString};

/// How much is shown of what AWS or a file says, in bytes.
const MAX_SHOWN_BYTES: usize = 512;

/// Secrets that are shorter would match by chance.
const MIN_SECRET_BYTES: usize = 8;

/// What JSON Web Tokens and the tokens of ECR start with: `{"` in base64.
const TOKEN_START: &str = "eyJ";

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// Knows the secrets at hand, to take them out of what is shown. AWS repeats requests in some of its messages, with
/// the session token in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Redaction {
    secrets: Vec<SecretString>,
}

impl Redaction {
    /// Takes this secret out as well.
    pub(super) fn add(&mut self, secret: Option<SecretString>) {
        self.secrets.extend(secret.filter(|secret| secret.expose_secret().len() >= MIN_SECRET_BYTES));
    }

    /// The first line of `text`, without secrets and control characters, cut to a reasonable length.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.trim().lines().next().unwrap_or_default().to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.expose_secret(), REDACTED);
        }
        let text = without_tokens(&text);
        let mut shown = String::new();
        for character in text.chars() {
            if shown.len() >= MAX_SHOWN_BYTES {
                shown.push_str("...");
                break;
            }
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        shown
    }
}

/// `text` without anything that looks like a token: STS repeats the token of a web identity that it refuses, and
/// that one comes from a file that is read by the SDK alone.
fn without_tokens(text: &str) -> String {
    let ends_token = |character: char| !character.is_ascii_alphanumeric() && !"-_.=+/".contains(character);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(TOKEN_START) {
        let (before, token) = rest.split_at(start);
        shown.push_str(before);
        shown.push_str(REDACTED);
        rest = &token[token.find(ends_token).unwrap_or(token.len())..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_lines_and_control_characters_are_taken_out() {
        let mut redaction = Redaction::default();
        redaction.add(Some("hunter2hunter2".into()));
        redaction.add(Some("short".into()));
        redaction.add(None);
        assert_eq!(
            redaction.clean("  no \x1b[31mhunter2hunter2 in short\nCanonical request: hunter2hunter2"),
            "no \\u{1b}[31m[redacted] in short"
        );
        assert_eq!(redaction.clean(&"ä".repeat(1000)).len(), 512 + 3);
        assert!(!format!("{redaction:?}").contains("hunter2"));
    }

    #[test]
    fn what_looks_like_a_token_is_taken_out_wherever_it_came_from() {
        let redaction = Redaction::default();
        assert_eq!(
            redaction.clean("bad eyJhbGci.eyJpc3Mi.c2ln-_: no, eyJ"),
            "bad [redacted]: no, [redacted]"
        );
        assert_eq!(redaction.clean("key and eye"), "key and eye");
    }
}
