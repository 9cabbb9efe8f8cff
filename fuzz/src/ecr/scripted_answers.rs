//! What the targets share whose input is the answers to HTTP requests.
//!
//! NUL bytes divide the input into answers, which requests get in turn. The first line of an answer is its HTTP status;
//! the lines up to an empty one are headers, `NAME:VALUE`; the rest is its body. Each `@` in a body stands for a secret.

use ecru_ecr::environment::Environment;
use ecru_ecr::fuzzing::{HttpAnswer, Outcome, Script};
use ecru_ecr::identity::selection::{Selection, Settings};
use ecru_ecr::registry::Registry;
use ecru_ecr::token::TokenError;

/// Nothing else says it by chance.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";

/// Far more than an error may take, with all of its parts.
const MAX_ERROR_BYTES: usize = 4096;

/// Who asks, and for what.
pub(super) struct Asker<'a> {
    pub(super) settings: Settings,
    pub(super) variables: &'a [(&'a str, &'a str)],
    pub(super) registry: &'a str,
}

impl Asker<'_> {
    /// What comes of `answers`, in a time that stands still: who waits between two tries has waited at once.
    pub(super) fn run<T>(
        &self,
        answers: &[HttpAnswer],
        ask: impl AsyncFnOnce(Script) -> Outcome<T>,
    ) -> Outcome<T> {
        let script = Script {
            environment: Environment::from_map(self.variables.iter().copied()),
            selection: Selection::new(self.settings.clone()).expect("a selection"),
            registry: Registry::parse(self.registry).expect("a registry"),
            answers: answers.to_vec(),
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        let outcome = runtime.block_on(ask(script));
        assert!(!outcome.leaks, "something is kept for ever");
        outcome
    }
}

/// The answers that `input` stands for.
pub(super) fn answers(input: &[u8]) -> Vec<HttpAnswer> {
    input.split(|byte| *byte == 0).map(answer).collect()
}

fn answer(mut part: &[u8]) -> HttpAnswer {
    let status = std::str::from_utf8(line(&mut part)).ok().and_then(|status| status.parse().ok());
    let mut headers = Vec::new();
    while !part.is_empty() {
        let header = line(&mut part);
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { break };
        headers.push((header[..colon].to_vec(), header[colon + 1..].trim_ascii().to_vec()));
    }
    HttpAnswer { status: status.unwrap_or(200), headers, body: with_secrets(part) }
}

/// The first line, which is taken away.
fn line<'a>(part: &mut &'a [u8]) -> &'a [u8] {
    let end = part.iter().position(|byte| *byte == b'\n');
    let line = &part[..end.unwrap_or(part.len())];
    *part = end.map_or(&[], |end| &part[end + 1..]);
    line
}

fn with_secrets(body: &[u8]) -> Vec<u8> {
    let secret = |byte: &u8| if *byte == b'@' { SECRET.as_bytes().to_vec() } else { vec![*byte] };
    body.iter().flat_map(secret).collect()
}

/// The words of an error for a person, which fit on a terminal.
pub(super) fn words(error: &TokenError) -> String {
    let text = format!("{error} {error:?} {} {}", error.hint().unwrap_or_default(), error.summary());
    assert!(!text.chars().any(char::is_control) && text.len() <= MAX_ERROR_BYTES, "{text:?}");
    text
}
