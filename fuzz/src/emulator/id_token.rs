//! ID tokens and the keys of their issuers: the first line is the token, and the rest a JSON Web Key Set. The input is
//! judged once more as claims that were signed, since a fuzzer cannot sign.

use ecru_emulator::fuzzing::{subject_of_claims, subject_of_token};

/// What the only good token of the seeds says of itself; its private key is nowhere.
const SUBJECT: &str = "project_path:group/project:ref_type:branch:ref:main";

/// The second at which tokens are judged.
const NOW: i64 = 1_800_000_000;

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (token, keys) = text.split_once('\n').unwrap_or((text, ""));
    match subject_of_token(token, keys, NOW) {
        Ok((subject, audiences)) => {
            assert_eq!(
                (subject.as_str(), audiences),
                (SUBJECT, vec!["sts.amazonaws.com".to_owned()]),
                "forged"
            );
        }
        Err(refusal) => assert!(!refusal.is_empty()),
    }
    match subject_of_claims(text, NOW) {
        Ok((subject, _)) => assert_says(text, "sub", &subject),
        Err(refusal) => assert!(!refusal.is_empty()),
    }
}

/// `text` has this member, and has not expired.
fn assert_says(text: &str, name: &str, value: &str) {
    let claims: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(claims[name], value);
    assert!(claims["exp"].as_f64().is_some_and(|expires| expires > NOW as f64), "{text}");
}
