//! What is repeated of a helper that failed: its own words, and nothing that may be a password.
//!
//! A helper that fails may have printed its answer before, or may print what it was given to store. Its words are for
//! people who read logs, so that what cannot be told from a password is left out.

use secrecy::zeroize::Zeroizing;

use crate::credential_helper::serve::printable;

/// How much is repeated, in bytes.
const MAX_QUOTED_BYTES: usize = 512;

/// So many letters and digits in a row of a secret are a piece of it.
const PIECE: usize = 6;

const SILENCE: &str = "it said nothing";
const WITHHELD: &str = "what it said is not repeated here, as it may hold a password";

/// The words before anything that may be an answer, in the first line of `output`, cut and printable; none of them where
/// they hold a piece of `secret`, however it is written.
pub(super) fn quoted(output: &str, secret: &str) -> String {
    let line = output.trim().lines().next().unwrap_or_default();
    if line.is_empty() {
        return SILENCE.to_owned();
    }
    let words = line.split(['{', '}']).next().unwrap_or_default().trim();
    let shown = &words[..words.floor_char_boundary(MAX_QUOTED_BYTES)];
    // A piece that the cut goes through counts as well.
    let seen = &words[..words.floor_char_boundary(MAX_QUOTED_BYTES + 4 * PIECE)];
    let is_whole = !secret.is_empty() && words.contains(secret);
    if shown.is_empty() || names_a_secret(shown) || is_whole || has_piece(seen, secret) {
        return WITHHELD.to_owned();
    }
    printable(shown).into_owned()
}

/// Whether it may be a part of a JSON object with a member `Secret`, whose name Go reads in any case.
fn names_a_secret(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("secret\"") || words.contains("secret\\\"")
}

/// Whether a piece of `secret` is in `words`, with whatever quotes and escapes around its letters.
fn has_piece(words: &str, secret: &str) -> bool {
    let json = Zeroizing::new(serde_json::to_string(secret).unwrap_or_default());
    let words = forms(words);
    let mut secrets = forms(secret).into_iter().chain(forms(&json));
    secrets.any(|secret| {
        let mut pieces = secret.as_bytes().windows(PIECE.min(secret.len()).max(1));
        pieces.any(|piece| {
            words.iter().any(|words| words.as_bytes().windows(piece.len()).any(|it| it == piece))
        })
    })
}

/// The ASCII letters and digits of a text, and the same without those by which JSON and addresses write others.
fn forms(text: &str) -> [Zeroizing<String>; 2] {
    let [mut all, mut without_codes] = [(); 2].map(|()| Zeroizing::new(String::with_capacity(text.len())));
    let mut code_end = 0;
    for (index, character) in text.char_indices() {
        code_end = code_end.max(index + code_length(&text[index..]));
        if character.is_ascii_alphanumeric() {
            all.push(character);
            if index >= code_end {
                without_codes.push(character);
            }
        }
    }
    [all, without_codes]
}

/// How long the code of a character is that a text begins with: 0 if with none.
fn code_length(text: &str) -> usize {
    let codes = [("\\u", 4), ("%", 2)].into_iter().find_map(|(sign, digits)| {
        let code = text.strip_prefix(sign)?.get(..digits)?;
        code.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(sign.len() + digits)
    });
    codes.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_seen_however_it_is_written() {
        let secret = "<p\u{e4}ss>\"wo\\rd/1+2";
        for written in [
            secret,
            r#"\u003cp\u00e4ss\u003e\"wo\\rd\/1+2"#,
            "%3Cp%C3%A4ss%3E%22wo%5Crd%2F1%2B2",
            r#"'<päss>"wo\rd/1+2'"#,
            "pssword12",
            r#""<päss>\"wo\\rd/1+2""#,
            "sswor",
        ] {
            let told = quoted(&format!("cannot save {written}"), secret);
            assert_eq!(told == WITHHELD, written != "sswor", "{written}: {told}");
        }
        assert_eq!(quoted(r"cannot keep \u003ch\u00e4u\tser", "<h\u{e4}u\tser"), WITHHELD);
        assert_eq!(quoted("cannot keep ***", "***"), WITHHELD);
        assert_eq!(quoted("keychain is locked", "***"), "keychain is locked");
    }

    #[test]
    fn a_secret_at_the_cut_is_seen() {
        for length in MAX_QUOTED_BYTES - 8..MAX_QUOTED_BYTES {
            assert_eq!(quoted(&format!("{}hunter2", "-".repeat(length)), "hunter2"), WITHHELD, "{length}");
        }
        assert_eq!(quoted(&"-".repeat(1000), "hunter2").len(), MAX_QUOTED_BYTES);
    }

    proptest! {
        #[test]
        fn no_secret_gets_through(before in ".{0,20}", secret in ".{1,40}", after in ".{0,20}") {
            let told = quoted(&format!("{before}{secret}{after}"), &secret);
            prop_assert!(told == WITHHELD || told == SILENCE || !told.contains(&secret), "{}", told);
        }
    }
}
