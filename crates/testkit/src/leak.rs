//! The leak check: does a text hold a secret, also in disguise?

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Shorter texts turn up by chance, so a test that looks for one proves nothing.
const SHORTEST_SECRET: usize = 8;

/// The form in which a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakForm {
    /// As it is.
    Plain,
    /// As a JSON string writes it, with or without Go's additional escapes for HTML.
    Json,
    /// In standard or URL-safe base64, alone or inside a longer encoded text such as `base64(user:secret)`.
    Base64,
}

/// Fails the test if `output` holds one of `secrets` in any [`LeakForm`]. The failure names the secret by its place
/// in the list, so that the report is no leak itself.
#[track_caller]
pub fn assert_no_leak(output: impl AsRef<[u8]>, secrets: &[&str]) {
    let leak = found_leak(output.as_ref(), secrets);
    assert!(leak.is_none(), "the output holds a secret: (place in the list, form) = {leak:?}");
}

/// The first of `secrets` that `output` holds: its place in the list, and the form it was found in.
#[must_use]
#[track_caller]
pub fn found_leak(output: &[u8], secrets: &[&str]) -> Option<(usize, LeakForm)> {
    secrets.iter().enumerate().find_map(|(place, secret)| {
        assert!(secret.len() >= SHORTEST_SECRET, "secret {place} is too short to look for");
        disguises(secret)
            .into_iter()
            .find(|(_, disguise)| holds(output, disguise.as_bytes()))
            .map(|(form, _)| (place, form))
    })
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn disguises(secret: &str) -> Vec<(LeakForm, String)> {
    let quoted = serde_json::Value::from(secret).to_string();
    let json = quoted.trim_matches('"').to_owned();
    let html = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let plain = [(LeakForm::Plain, secret.to_owned()), (LeakForm::Json, json), (LeakForm::Json, html)];
    let encoded = [&STANDARD, &URL_SAFE]
        .into_iter()
        .flat_map(|engine| (0..3).map(|offset| (LeakForm::Base64, inner_base64(engine, secret, offset))));
    plain.into_iter().chain(encoded).collect()
}

/// The characters that base64 writes for `secret` whatever stands before and after it, when it starts `offset` bytes
/// after a multiple of three. Each character holds six bits; those at the ends share theirs with the neighbours.
fn inner_base64(engine: &impl Engine, secret: &str, offset: usize) -> String {
    let padded = [&vec![0; offset], secret.as_bytes()].concat();
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    engine.encode(&padded)[first..last].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-\"<é>&/+\\";

    #[test]
    fn every_form_is_found_and_named() {
        let json = serde_json::to_string(&SECRET).unwrap();
        let cases = [
            (format!("x{SECRET}y"), LeakForm::Plain),
            (json.clone(), LeakForm::Json),
            (json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"), LeakForm::Json),
            (STANDARD.encode(SECRET), LeakForm::Base64),
            (STANDARD.encode(format!("AWS:{SECRET}")), LeakForm::Base64),
            (STANDARD.encode(format!("user:{SECRET}\n")), LeakForm::Base64),
            (URL_SAFE.encode(format!("{{\"p\":{SECRET}}}")), LeakForm::Base64),
        ];
        for (text, form) in cases {
            assert_eq!(found_leak(text.as_bytes(), &["another secret", SECRET]), Some((1, form)), "{text}");
        }
    }

    #[test]
    fn harmless_text_passes() {
        assert_no_leak("hunter2 and nothing more", &[SECRET]);
        assert_no_leak("", &[SECRET]);
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_secret_that_is_too_short_is_refused() {
        assert_no_leak("text", &["abc"]);
    }
}
