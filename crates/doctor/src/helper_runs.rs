//! Credential helpers, run with somebody's PATH and environment, each asked the same thing once.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use ecru_docker::credential_helper::invoke::{Caller, Completed, InvokeError, User};
use ecru_docker::credential_helper::message::Verb;
use ecru_gitlab::registry_auth::{CredentialHelpers, HelperAnswer, HelperVerb};
use secrecy::ExposeSecret as _;

/// The runner itself waits without end; a helper that takes this long is broken.
pub const HELPER_DEADLINE: Duration = Duration::from_secs(20);

/// The longest line of somebody else's that is quoted, in characters: room for every source of an identity that a helper
/// has tried, of which the last one is the cause as a rule.
const MAX_QUOTED: usize = 1000;

/// What a helper was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The helper's name without `docker-credential-`.
    pub suffix: String,
    /// `get` or `list`.
    pub verb: &'static str,
    /// What it was given on standard input.
    pub stdin: String,
}

/// What one run told beside its answer.
#[derive(Debug, Clone, Default)]
pub struct HelperRun {
    /// How long it took; none if it never started or did not end.
    pub duration: Option<Duration>,
    /// Its standard error, which the runner passes on to its own.
    pub stderr: String,
    /// Why there is no answer.
    pub problem: Option<String>,
    /// What a person can do about that.
    pub hint: Option<String>,
    /// Whether there is no such program that could be started.
    pub is_missing: bool,
    /// Whether it was stopped, where the runner would have waited on.
    pub was_stopped: bool,
}

/// Runs helpers, or none at all, and keeps what they said.
#[derive(Debug)]
pub struct HelperRuns {
    caller: Option<Caller>,
    user: Option<User>,
    answers: HashMap<Question, HelperAnswer>,
    runs: Vec<(Question, HelperRun)>,
}

impl HelperRuns {
    /// Helpers as `caller` starts them; without one, none is started.
    #[must_use]
    pub fn new(caller: Option<Caller>) -> Self {
        Self { caller, user: None, answers: HashMap::new(), runs: Vec::new() }
    }

    /// The same as another user, which only root may be.
    #[must_use]
    pub fn as_user(self, user: Option<User>) -> Self {
        Self { user, ..self }
    }

    /// Asks several things at the same time, so that the answers are there when they are wanted.
    pub fn ask_ahead(&mut self, questions: &[Question]) {
        let Some(caller) = &self.caller else { return };
        let mut new: Vec<&Question> = Vec::new();
        for question in questions {
            if !self.answers.contains_key(question) && !new.contains(&question) {
                new.push(question);
            }
        }
        let user = self.user;
        let answered: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = new
                .iter()
                .map(|question| scope.spawn(move || answer_and_run(caller, user, question)))
                .collect();
            running.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for (question, answered) in new.into_iter().zip(answered) {
            // One that could not be asked is asked again when its answer is wanted.
            if let Ok((answer, run)) = answered {
                self.answers.insert(question.clone(), answer);
                self.runs.push((question.clone(), run));
            }
        }
    }

    /// Each question that was put to a helper, with what it told beside its answer.
    #[must_use]
    pub fn runs(&self) -> &[(Question, HelperRun)] {
        &self.runs
    }
}

impl CredentialHelpers for HelperRuns {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let Some(caller) = &self.caller else { return HelperAnswer::NotRun };
        let question = Question { suffix: suffix.to_owned(), verb: verb.as_str(), stdin: stdin.to_owned() };
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        let (answer, run) = answer_and_run(caller, self.user, &question);
        self.answers.insert(question.clone(), answer.clone());
        self.runs.push((question, run));
        answer
    }
}

/// Puts a question to a helper: what the runner sees of it, and what else its run told.
#[must_use]
pub fn answer_and_run(caller: &Caller, user: Option<User>, question: &Question) -> (HelperAnswer, HelperRun) {
    let verb = if question.verb == HelperVerb::List.as_str() { Verb::List } else { Verb::Get };
    let invoked = caller.invoke_as(user, &question.suffix, verb, &question.stdin);
    let run = match &invoked {
        Ok(completed) => HelperRun {
            duration: Some(completed.duration),
            stderr: stderr_without_secrets(completed),
            ..HelperRun::default()
        },
        Err(error) => HelperRun {
            problem: Some(error.to_string()),
            hint: error.hint(),
            is_missing: matches!(error, InvokeError::NotOnPath { .. } | InvokeError::NotExecutable { .. }),
            was_stopped: matches!(error, InvokeError::TimedOut { .. } | InvokeError::OutputTooLong { .. }),
            ..HelperRun::default()
        },
    };
    (answer_of(invoked), run)
}

/// What a helper wrote to its standard error, without the passwords in its answer: one that is a script may be run with
/// `sh -x`.
fn stderr_without_secrets(completed: &Completed) -> String {
    let stderr = without_secrets(&completed.stderr);
    let stdout = completed.stdout_text();
    let answer = serde_json::from_str::<HashMap<String, serde_json::Value>>(stdout.expose_secret());
    let secrets =
        answer.unwrap_or_default().into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("secret"));
    secrets.fold(stderr, |stderr, (_, secret)| match secret.as_str() {
        Some(secret) if !secret.is_empty() => stderr.replace(secret, "<redacted>"),
        _ => stderr,
    })
}

/// A line that somebody else wrote; of a long one what stands in the middle is left out. One that a broken helper filled with an answer is not repeated: GitLab Runner
/// prints what a helper that fails wrote to standard output.
#[must_use]
pub fn quoted(line: &str) -> String {
    if line.to_ascii_lowercase().contains("\"secret\"") {
        return "what it says is not repeated here: it has the form of a password".to_owned();
    }
    let length = line.chars().count();
    if length <= MAX_QUOTED {
        return line.to_owned();
    }
    let half = (MAX_QUOTED - 1) / 2;
    let (begin, end): (String, String) =
        (line.chars().take(half).collect(), line.chars().skip(length - half).collect());
    format!("{begin}\u{2026}{end}")
}

/// What the runner sees of a helper that was called.
#[must_use]
pub fn answer_of(invoked: Result<Completed, InvokeError>) -> HelperAnswer {
    let completed = match invoked {
        Ok(completed) => completed,
        Err(InvokeError::NotOnPath { .. } | InvokeError::NotExecutable { .. }) => {
            return HelperAnswer::NotOnPath;
        }
        Err(error) => return HelperAnswer::NotStarted { cause: cause_in_go_words(&error) },
    };
    let stdout = completed.stdout_text();
    // Of a helper that fails, the runner prints what it wrote: it may be a whole answer.
    let stdout =
        if completed.status.success() { stdout } else { without_secrets(stdout.expose_secret()).into() };
    match (completed.status.code(), completed.status.signal()) {
        (Some(code), _) => HelperAnswer::Exited { code, stdout },
        (None, signal) => HelperAnswer::Killed { signal: signal_name(signal), stdout },
    }
}

/// `text` without the values of members that are called `Secret`, however Go would read that name. It may be JSON that is
/// broken, so it is read no further than up to the end of such a value.
fn without_secrets(text: &str) -> String {
    const MEMBER: &str = "\"secret\"";
    // The same length: ASCII alone changes.
    let lower = text.to_ascii_lowercase();
    let (mut shown, mut done) = (String::new(), 0);
    while let Some(found) = lower.get(done..).and_then(|rest| rest.find(MEMBER)) {
        let name_end = done + found + MEMBER.len();
        let rest = text.get(name_end..).unwrap_or_default();
        let value = rest.trim_start_matches([' ', '\t', '\r', '\n', ':']);
        let value_start = name_end + rest.len() - value.len();
        shown.push_str(text.get(done..value_start).unwrap_or_default());
        let length = value_length(value);
        if length > 0 {
            shown.push_str("\"<redacted>\"");
        }
        done = value_start + length;
    }
    shown + text.get(done..).unwrap_or_default()
}

/// How long the value is that a text begins with: a JSON text with its quotes, anything else up to a comma or bracket.
fn value_length(text: &str) -> usize {
    let Some(inner) = text.strip_prefix('"') else {
        return text.find([',', '}', ']']).unwrap_or(text.len());
    };
    let mut is_escaped = false;
    let end = inner.char_indices().find(|(_, character)| {
        let ends = *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |(index, _)| index + 2)
}

/// The runner prints the errors of Go's `os/exec`, whose texts for the system's errors are in lower case.
fn cause_in_go_words(error: &InvokeError) -> String {
    match error {
        InvokeError::NotStarted { program, source } => {
            let text = source.to_string();
            let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
            format!("fork/exec {}: {reason}", program.display())
        }
        InvokeError::RelativePath { program } => {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            format!("exec: \"{name}\": cannot run executable found relative to current directory")
        }
        other => other.to_string(),
    }
}

fn signal_name(signal: Option<i32>) -> String {
    match signal {
        Some(9) => "killed".to_owned(),
        Some(11) => "segmentation fault".to_owned(),
        Some(15) => "terminated".to_owned(),
        Some(number) => format!("signal {number}"),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_helper_that_fails_is_told_without_its_secret() {
        for (said, told) in [
            (r#"{"Username":"u","Secret":"hunter2"}"#, r#"{"Username":"u","Secret":"<redacted>"}"#),
            (r#"{"SECRET" : "hun\"ter2","a":"b"}"#, r#"{"SECRET" : "<redacted>","a":"b"}"#),
            (r#"x {"secret":"hunter2"#, r#"x {"secret":"<redacted>""#),
            (
                r#"{"Secret":hunter2}{"Secret":"hunter2"}"#,
                r#"{"Secret":"<redacted>"}{"Secret":"<redacted>"}"#,
            ),
            ("no \"secret\"", "no \"secret\""),
            ("\u{130} no identity", "\u{130} no identity"),
        ] {
            assert_eq!(without_secrets(said), told);
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_repeated() {
        let error =
            r#"error getting credentials - err: exit status 1, out: `{"Username":"u","Secret":"hunter2"}`"#;
        assert!(!quoted(error).contains("hunter2"));
        assert_eq!(quoted("no identity"), "no identity");
        let long = format!("begin {} end", "\u{e9}".repeat(MAX_QUOTED));
        let shown = quoted(&long);
        assert!(
            shown.starts_with("begin ") && shown.ends_with(" end") && shown.contains('\u{2026}'),
            "{shown}"
        );
        assert!(shown.chars().count() <= MAX_QUOTED);
    }
}
