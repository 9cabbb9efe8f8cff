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

/// What the SDK says before the standard error of a `credential_process` that failed (aws-config's
/// `credential_process.rs`).
const WORDS_OF_PROCESS: &str = "Stderr: ";

/// What stands for the words of a process that may hold a secret, with which it was about to answer.
const WITHHELD: &str = "not repeated here, as it may hold a secret";

/// So many characters of base64 in a row are taken for a secret in the words of a process: secret keys have 40.
const KEY_BYTES: usize = 32;

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
        let text = without_tokens(&without_words_of_process(&text));
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

/// `text` with no more of what a `credential_process` printed on its standard error than cannot be a part of its answer:
/// a script that is run with `sh -x` prints its secrets there.
fn without_words_of_process(text: &str) -> String {
    let Some((before, words)) = text.split_once(WORDS_OF_PROCESS) else { return text.to_owned() };
    // What comes after a bracket may be the answer.
    let shown = words.split(['{', '}']).next().unwrap_or_default().trim_end();
    let lower = shown.to_ascii_lowercase();
    let is_of_key = |character: char| character.is_ascii_alphanumeric() || "+/=".contains(character);
    let names_a_secret = ["secret", "token", "password"].iter().any(|name| lower.contains(name));
    let has_key = shown.split(|character| !is_of_key(character)).any(|run| run.len() >= KEY_BYTES);
    let shown = if names_a_secret || has_key { WITHHELD } else { shown };
    format!("{before}{WORDS_OF_PROCESS}{shown}")
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
    fn the_words_of_a_process_are_shown_where_they_cannot_be_its_answer() {
        let shown = |words: &str| {
            let text = Redaction::default().clean(&format!("external process exited. Stderr: {words}"));
            text.strip_prefix("external process exited. Stderr: ").unwrap().to_owned()
        };
        assert_eq!(shown("vault: connection refused"), "vault: connection refused");
        assert_eq!(shown("+ out={\"SecretAccessKey\":\"hunter2\"}"), "+ out=");
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for words in [format!("+ AWS_SECRET_ACCESS_KEY={key}"), format!("+ k='{key}'"), "token: a".to_owned()]
        {
            assert_eq!(shown(&words), WITHHELD, "{words}");
        }
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
