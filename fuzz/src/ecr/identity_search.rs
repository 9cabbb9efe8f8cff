//! What the two targets share whose input is the answers of a service of the machine that hands out an identity.

use ecru_ecr::fuzzing::{GivenIdentity, HttpAnswer, Script};
use ecru_ecr::identity::selection::{IdentitySource, Settings};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::scripted_answers::{Asker, SECRET, answers, words};

/// More requests than any number of tries makes of the three that the metadata service is asked.
const MAX_REQUESTS: usize = 24;

/// Searches the identity of `source` where its service answers `input`. Panics unless only `service` is asked, for a
/// reasonable number of times, and the outcome is what the answers say, without a secret in its words.
pub(super) fn check(source: IdentitySource, variables: &[(&str, &str)], service: &str, input: &[u8]) {
    let registry = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
    let settings = Settings { source: Some(source), ..Settings::default() };
    let answers = answers(input);
    let outcome = Asker { settings, variables, registry }.run(&answers, Script::identity);
    assert!(outcome.asked.len() <= MAX_REQUESTS, "{:?}", outcome.asked);
    assert!(outcome.asked.iter().all(|address| address.starts_with(service)), "{:?}", outcome.asked);
    match outcome.found {
        Ok(identity) => {
            let given = &answers[..outcome.asked.len().min(answers.len())];
            assert!(given.iter().any(|answer| holds(answer, &identity)), "nobody said {identity:?}");
            assert!(is_sendable(&identity), "a request with these would panic: {identity:?}");
        }
        Err(error) => {
            let text = words(&error);
            // What a service says for a person is shown, and so is the page of somebody who refuses in its place.
            if !answers.iter().any(|answer| !is_success(answer) || has_secret_words(answer)) {
                assert!(!text.contains(SECRET), "a secret: {text}");
            }
        }
    }
}

fn is_success(answer: &HttpAnswer) -> bool {
    (200..300).contains(&answer.status)
}

/// Whether an answer is a document that hands out this identity.
fn holds(answer: &HttpAnswer, identity: &GivenIdentity) -> bool {
    let Some(members) = members(answer).filter(|_| is_success(answer)) else { return false };
    let says = |names: &[&str], value: &str| {
        members.iter().any(|(name, said)| {
            names.iter().any(|known| known.eq_ignore_ascii_case(name)) && said.as_str() == Some(value)
        })
    };
    let has = |known: &str| members.iter().any(|(name, _)| name.eq_ignore_ascii_case(known));
    let session = identity.session_token.as_ref().map(ExposeSecret::expose_secret);
    says(&["AccessKeyId"], &identity.access_key_id)
        && says(&["SecretAccessKey"], identity.secret_access_key.expose_secret())
        && session.is_some_and(|session| says(&["Token", "SessionToken"], session))
        && (has("Expiration") || has("ExpiresAt"))
        && identity.expires_at.is_some()
        && (!has("Code") || says(&["Code"], "Success"))
}

/// Whether requests can be signed with an identity.
fn is_sendable(identity: &GivenIdentity) -> bool {
    let session = identity.session_token.as_ref().map_or("", ExposeSecret::expose_secret);
    [&identity.access_key_id, session].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Whether an answer has the secret in the words that the service has for a person.
fn has_secret_words(answer: &HttpAnswer) -> bool {
    let said = |(name, value): &(String, Value)| {
        ["Code", "Message"].iter().any(|known| known.eq_ignore_ascii_case(name))
            && value.as_str().is_some_and(|value| value.contains(SECRET))
    };
    members(answer).is_some_and(|members| members.iter().any(said))
}

/// The members of the JSON object in an answer.
fn members(answer: &HttpAnswer) -> Option<Vec<(String, Value)>> {
    let document = serde_json::from_slice(&answer.body);
    match document.or_else(|_| serde_json::from_slice(&without_bad_escapes(&answer.body))).ok()? {
        Value::Object(members) => Some(members.into_iter().collect()),
        _ => None,
    }
}

/// A document with a backslash before what JSON allows one before only. The SDK passes over the escapes of members that
/// it does not read (aws-smithy-json's `deserialize.rs`), which harms nobody.
fn without_bad_escapes(document: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(document.len());
    let mut rest = document;
    while let Some((&byte, after)) = rest.split_first() {
        let (kept_bytes, bytes) = match (byte, after) {
            (b'\\', [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..]) => (2, 2),
            (b'\\', [b'u', ..]) if is_character(after) => (6, 6),
            // What stands in a text by its escape alone goes with the backslash.
            (b'\\', [0..0x20, ..]) => (0, 2),
            (b'\\', _) => (0, 1),
            _ => (1, 1),
        };
        kept.extend_from_slice(&rest[..kept_bytes]);
        rest = &rest[bytes..];
    }
    kept
}

/// Whether `u` and four digits stand for a character by themselves.
fn is_character(escape: &[u8]) -> bool {
    let digits = escape.get(1..5).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32).is_some()
}
