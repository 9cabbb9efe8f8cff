//! Making what others said fit to be shown.

use secrecy::{ExposeSecret, SecretString};

/// How much is shown of what AWS or a file says, in bytes.
const MAX_SHOWN_BYTES: usize = 512;

/// Secrets that are shorter would match by chance.
const MIN_SECRET_BYTES: usize = 8;

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
            text = text.replace(secret.expose_secret(), "[redacted]");
        }
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
}
