//! What the two targets share whose input is the answers of a service of the machine that hands out an identity.
//!
//! NUL bytes divide the input into answers, which requests get in turn. The first line of an answer is its HTTP status,
//! and perhaps for how many seconds a session token holds; the rest is its body. Each `@` in the body of an answer that
//! is no refusal stands for a secret.

use ecru_ecr::environment::Environment;
use ecru_ecr::fuzzing::{GivenIdentity, IdentityAnswer, IdentitySearch, search_identity};
use ecru_ecr::identity::selection::{IdentitySource, Selection, Settings};
use ecru_ecr::registry::Registry;
use secrecy::ExposeSecret;
use serde_json::Value;

/// Nothing else says it by chance.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";

const REGISTRY: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

/// More requests than any number of tries makes of the three that the metadata service is asked.
const MAX_REQUESTS: usize = 24;

/// Far more than an error may take, with all of its parts.
const MAX_ERROR_BYTES: usize = 4096;

/// Searches the identity of `source` where its service answers `input`. Panics unless only `service` is asked, for a
/// reasonable number of times, and the outcome is what the answers say, without a secret in its words.
pub(super) fn check(source: IdentitySource, variables: &[(&str, &str)], service: &str, input: &[u8]) {
    let answers: Vec<IdentityAnswer> = input.split(|byte| *byte == 0).map(answer).collect();
    let search = searched(source, variables, answers.clone());
    assert!(search.asked.len() <= MAX_REQUESTS, "{:?}", search.asked);
    assert!(search.asked.iter().all(|address| address.starts_with(service)), "{:?}", search.asked);
    match search.identity {
        Ok(identity) => {
            let given = &answers[..search.asked.len().min(answers.len())];
            assert!(given.iter().any(|answer| holds(answer, &identity)), "nobody said {identity:?}");
            assert!(is_sendable(&identity), "a request with these would panic: {identity:?}");
        }
        Err(error) => {
            let text = format!("{error} {error:?} {} {}", error.hint().unwrap_or_default(), error.summary());
            assert!(!text.chars().any(char::is_control) && text.len() <= MAX_ERROR_BYTES, "{text:?}");
            if !answers.iter().any(has_secret_words) {
                assert!(!text.contains(SECRET), "a secret: {text}");
            }
        }
    }
}

fn answer(part: &[u8]) -> IdentityAnswer {
    let line = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
    let (head, body) = (&part[..line], part.get(line + 1..).unwrap_or_default());
    let (status, seconds) = head.split_at(head.len().min(3));
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()).unwrap_or(200);
    let body = if is_success(status) { with_secrets(body) } else { body.to_vec() };
    let token_seconds = (!seconds.is_empty()).then(|| seconds.trim_ascii().to_vec());
    IdentityAnswer { status, token_seconds, body }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn with_secrets(body: &[u8]) -> Vec<u8> {
    let mut secret = Vec::with_capacity(body.len());
    for byte in body {
        match byte {
            b'@' => secret.extend_from_slice(SECRET.as_bytes()),
            _ => secret.push(*byte),
        }
    }
    secret
}

/// What the search comes to, in a time that stands still: who waits between two tries has waited at once.
fn searched(
    source: IdentitySource,
    variables: &[(&str, &str)],
    answers: Vec<IdentityAnswer>,
) -> IdentitySearch {
    let selection = Selection::new(Settings { source: Some(source), ..Settings::default() });
    let selection = selection.expect("a selection");
    let registry = Registry::parse(REGISTRY).expect("a registry");
    let environment = Environment::from_map(variables.iter().copied());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let search = search_identity(&environment, &selection, &registry, answers);
    runtime.expect("a runtime").block_on(search)
}

/// Whether an answer is a document that hands out this identity.
fn holds(answer: &IdentityAnswer, identity: &GivenIdentity) -> bool {
    let Some(members) = members(answer).filter(|_| is_success(answer.status)) else { return false };
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

/// Whether an answer has the secret in the words that the service has for a person. These are shown.
fn has_secret_words(answer: &IdentityAnswer) -> bool {
    let said = |(name, value): &(String, Value)| {
        ["Code", "Message"].iter().any(|known| known.eq_ignore_ascii_case(name))
            && value.as_str().is_some_and(|value| value.contains(SECRET))
    };
    members(answer).is_some_and(|members| members.iter().any(said))
}

/// The members of the JSON object in an answer.
fn members(answer: &IdentityAnswer) -> Option<Vec<(String, Value)>> {
    match serde_json::from_slice(&answer.body).ok()? {
        Value::Object(members) => Some(members.into_iter().collect()),
        _ => None,
    }
}
