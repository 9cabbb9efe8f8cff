//! Asking credential helpers as the runner does: the protocol's messages, not the processes.
//!
//! Rules and error texts are those of docker-credential-helpers v0.9.8 (`client/client.go`) and docker/cli v29
//! (`cli/config/credentials/native_store.go`), through which the runner asks.

use std::fmt;

use ecru_docker::go_json::{self, Shape, StructShape, Value};
use secrecy::{ExposeSecret, SecretString};

/// What a helper may be asked by the runner. It never stores or erases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelperVerb {
    /// The credentials for one key.
    Get,
    /// All keys for which there are credentials.
    List,
}

impl HelperVerb {
    /// The argument with which the helper is started.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
        }
    }
}

/// What came of running a helper.
#[derive(Debug, Clone)]
pub enum HelperAnswer {
    /// The helper ran and ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
        /// All that it wrote to standard output. Bytes that are not UTF-8 are replaced, as Go's JSON reader does.
        stdout: SecretString,
    },
    /// The helper was ended by a signal.
    Killed {
        /// The signal's name as Go prints it, such as `killed` or `segmentation fault`.
        signal: String,
        /// What it had written to standard output by then.
        stdout: SecretString,
    },
    /// There is no executable file of that name on the PATH.
    NotOnPath,
    /// The file is there but did not start.
    NotStarted {
        /// The cause in the words of Go, such as `fork/exec /usr/bin/docker-credential-x: permission denied`.
        cause: String,
    },
    /// The caller runs no helpers. What this one would say is not known: it is taken to have credentials for every
    /// key that it is asked about, and to list none.
    NotRun,
}

/// Runs credential helpers for the resolver, which itself starts no process.
pub trait CredentialHelpers {
    /// Runs `docker-credential-{suffix} {verb}` with `stdin` on standard input, verbatim and without a line end.
    ///
    /// The caller sets the deadline and the size limit; the runner itself has neither.
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer;
}

/// One helper process, as the resolver saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelperCall {
    /// The helper's name without `docker-credential-`.
    pub suffix: String,
    /// What it was asked.
    pub verb: HelperVerb,
    /// What it was given on standard input.
    pub stdin: String,
    /// How it ended.
    pub exit: HelperExit,
    /// What its standard output was good for.
    pub stdout: StdoutClass,
}

/// How a helper ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelperExit {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal.
    Signal(String),
    /// It never started.
    NotStarted,
    /// The caller runs no helpers.
    NotRun,
}

/// What a helper's standard output was, without saying what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutClass {
    /// Credentials with a secret.
    Credentials,
    /// An answer of the right form, but without a secret.
    NoSecret,
    /// A list of keys.
    List,
    /// The sentence that stands for "there are none".
    NotFound,
    /// Nothing at all.
    Empty,
    /// Anything else.
    Other,
    /// The helper was not run.
    NotRun,
}

impl fmt::Display for StdoutClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Credentials => "credentials",
            Self::NoSecret => "no-secret",
            Self::List => "list",
            Self::NotFound => "not-found",
            Self::Empty => "empty",
            Self::Other => "other",
            Self::NotRun => "not-run",
        })
    }
}

/// Why a helper's answer makes the runner drop the whole source. The texts are those of the runner, which on
/// failure repeats the helper's standard output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// The helper failed with something else than "not found".
    #[error("error {action} credentials - err: {cause}, out: `{stdout}`")]
    Failed {
        /// What was tried: `getting` or `listing`.
        action: &'static str,
        /// The exit status, or why the helper did not start.
        cause: String,
        /// Its standard output, trimmed.
        stdout: String,
    },
    /// The helper failed with one of the protocol's fixed sentences, which is then all that is shown.
    #[error("{0}")]
    Sentence(&'static str),
    /// Exit code 0, but the output is not JSON.
    #[error(transparent)]
    Syntax(go_json::SyntaxError),
    /// Exit code 0 and JSON, but of the wrong form.
    #[error(transparent)]
    Type(go_json::TypeMismatch),
}

/// Credentials as a helper gives them; a field that it leaves out is empty.
pub(crate) struct HelperCredentials {
    pub(crate) username: String,
    pub(crate) secret: SecretString,
}

/// What came of asking a helper for one key.
pub(crate) enum Looked {
    /// It has credentials.
    Found(HelperCredentials),
    /// It says that it has none.
    NotFound,
    /// It was not run.
    NotRun,
}

const NOT_FOUND: &str = "credentials not found in native keychain";
const FIXED_SENTENCES: [&str; 2] = ["no credentials server URL", "no credentials username"];

static CREDENTIALS: StructShape = StructShape {
    package: "credentials",
    name: "Credentials",
    fields: &[("ServerURL", Shape::String), ("Username", Shape::String), ("Secret", Shape::String)],
};

/// Runs helpers and keeps a record of each call.
pub(crate) struct RecordedHelpers<'a> {
    helpers: &'a mut dyn CredentialHelpers,
    pub(crate) calls: Vec<HelperCall>,
}

impl<'a> RecordedHelpers<'a> {
    pub(crate) fn new(helpers: &'a mut dyn CredentialHelpers) -> Self {
        Self { helpers, calls: Vec::new() }
    }

    /// What the helper has for `key`.
    pub(crate) fn get(&mut self, suffix: &str, key: &str) -> Result<Looked, HelperError> {
        let answer = self.helpers.run(suffix, HelperVerb::Get, key);
        let result = match output(&answer, suffix, HelperVerb::Get) {
            _ if matches!(answer, HelperAnswer::NotRun) => Ok(Looked::NotRun),
            Ok(stdout) => credentials(stdout).map(Looked::Found),
            Err(_) if is_not_found(&answer) => Ok(Looked::NotFound),
            Err(error) => Err(error),
        };
        let class = match &result {
            Ok(Looked::Found(found)) if found.secret.expose_secret().is_empty() => StdoutClass::NoSecret,
            Ok(Looked::Found(_)) => StdoutClass::Credentials,
            Ok(Looked::NotFound) => StdoutClass::NotFound,
            Ok(Looked::NotRun) => StdoutClass::NotRun,
            Err(_) => class_of_failure(&answer),
        };
        self.record(suffix, HelperVerb::Get, key, &answer, class);
        result
    }

    /// The keys for which the helper says it has credentials, sorted; none if it was not run.
    pub(crate) fn list(&mut self, suffix: &str) -> Result<Option<Vec<String>>, HelperError> {
        // The client writes this word because a helper may not answer before it has read something.
        let stdin = "unused";
        let answer = self.helpers.run(suffix, HelperVerb::List, stdin);
        let result = match answer {
            HelperAnswer::NotRun => Ok(None),
            _ => output(&answer, suffix, HelperVerb::List).and_then(keys).map(Some),
        };
        let class = match &result {
            Ok(Some(_)) => StdoutClass::List,
            Ok(None) => StdoutClass::NotRun,
            Err(_) => class_of_failure(&answer),
        };
        self.record(suffix, HelperVerb::List, stdin, &answer, class);
        result
    }

    fn record(
        &mut self,
        suffix: &str,
        verb: HelperVerb,
        stdin: &str,
        answer: &HelperAnswer,
        stdout: StdoutClass,
    ) {
        let exit = match answer {
            HelperAnswer::Exited { code, .. } => HelperExit::Code(*code),
            HelperAnswer::Killed { signal, .. } => HelperExit::Signal(signal.clone()),
            HelperAnswer::NotOnPath | HelperAnswer::NotStarted { .. } => HelperExit::NotStarted,
            HelperAnswer::NotRun => HelperExit::NotRun,
        };
        self.calls.push(HelperCall {
            suffix: suffix.to_owned(),
            verb,
            stdin: stdin.to_owned(),
            exit,
            stdout,
        });
    }
}

fn stdout(answer: &HelperAnswer) -> &str {
    match answer {
        HelperAnswer::Exited { stdout, .. } | HelperAnswer::Killed { stdout, .. } => stdout.expose_secret(),
        HelperAnswer::NotOnPath | HelperAnswer::NotStarted { .. } | HelperAnswer::NotRun => "",
    }
}

fn is_not_found(answer: &HelperAnswer) -> bool {
    stdout(answer).trim() == NOT_FOUND
}

fn class_of_failure(answer: &HelperAnswer) -> StdoutClass {
    match stdout(answer).trim() {
        "" => StdoutClass::Empty,
        NOT_FOUND => StdoutClass::NotFound,
        _ => StdoutClass::Other,
    }
}

/// The output of a helper that succeeded, or the error that the runner makes of the failure.
fn output<'a>(answer: &'a HelperAnswer, suffix: &str, verb: HelperVerb) -> Result<&'a str, HelperError> {
    let cause = match answer {
        HelperAnswer::Exited { code: 0, stdout } => return Ok(stdout.expose_secret()),
        HelperAnswer::Exited { code, .. } => format!("exit status {code}"),
        HelperAnswer::Killed { signal, .. } => format!("signal: {signal}"),
        HelperAnswer::NotOnPath => {
            format!("exec: \"docker-credential-{suffix}\": executable file not found in $PATH")
        }
        HelperAnswer::NotStarted { cause } => cause.clone(),
        HelperAnswer::NotRun => "not run".to_owned(),
    };
    let stdout = stdout(answer).trim();
    if let Some(sentence) = FIXED_SENTENCES.into_iter().find(|sentence| *sentence == stdout) {
        return Err(HelperError::Sentence(sentence));
    }
    let action = match verb {
        HelperVerb::Get => "getting",
        HelperVerb::List => "listing",
    };
    Err(HelperError::Failed { action, cause, stdout: stdout.to_owned() })
}

fn decode(stdout: &str, shape: &Shape) -> Result<Value, HelperError> {
    let value = go_json::decode_first(stdout).map_err(HelperError::Syntax)?;
    go_json::check(&value, shape).map_err(HelperError::Type)?;
    Ok(value)
}

fn credentials(stdout: &str) -> Result<HelperCredentials, HelperError> {
    let value = decode(stdout, &Shape::Struct(&CREDENTIALS))?;
    Ok(HelperCredentials {
        username: value.string_member("Username").to_owned(),
        secret: value.string_member("Secret").into(),
    })
}

fn keys(stdout: &str) -> Result<Vec<String>, HelperError> {
    let value = decode(stdout, &Shape::Map(&Shape::String))?;
    Ok(value.entries().into_keys().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answers(HelperAnswer);

    impl CredentialHelpers for Answers {
        fn run(&mut self, _: &str, _: HelperVerb, _: &str) -> HelperAnswer {
            self.0.clone()
        }
    }

    fn get(answer: HelperAnswer) -> (Result<bool, String>, HelperCall) {
        let mut helpers = Answers(answer);
        let mut recorded = RecordedHelpers::new(&mut helpers);
        let result = recorded
            .get("x", "key")
            .map(|found| matches!(found, Looked::Found(_)))
            .map_err(|error| error.to_string());
        (result, recorded.calls.remove(0))
    }

    fn exited(code: i32, stdout: &str) -> HelperAnswer {
        HelperAnswer::Exited { code, stdout: stdout.into() }
    }

    #[test]
    fn error_texts_are_those_of_the_runner() {
        let cases = [
            (exited(2, " denied \n"), "error getting credentials - err: exit status 2, out: `denied`"),
            (
                HelperAnswer::NotOnPath,
                "error getting credentials - err: exec: \"docker-credential-x\": executable file not found in $PATH, out: ``",
            ),
            (
                HelperAnswer::Killed { signal: "killed".into(), stdout: "".into() },
                "error getting credentials - err: signal: killed, out: ``",
            ),
            (exited(1, "no credentials server URL\n"), "no credentials server URL"),
            (exited(0, ""), "EOF"),
            (exited(0, "Usage: x"), "invalid character 'U' looking for beginning of value"),
            (
                exited(0, r#"{"Secret":1}"#),
                "json: cannot unmarshal number into Go struct field Credentials.Secret of type string",
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(get(answer).0, Err(expected.to_owned()));
        }
    }

    #[test]
    fn answers_are_classified_without_their_content() {
        let class = |answer| get(answer).1.stdout;
        assert_eq!(class(exited(0, r#"{"Username":"u","Secret":"s"}"#)), StdoutClass::Credentials);
        assert_eq!(class(exited(0, "{}")), StdoutClass::NoSecret);
        assert_eq!(class(exited(1, "credentials not found in native keychain\n")), StdoutClass::NotFound);
        assert_eq!(class(exited(1, "\n")), StdoutClass::Empty);
        assert_eq!(class(exited(1, "s3cr3t")), StdoutClass::Other);
        let (_, call) = get(exited(0, r#"{"Username":"u","Secret":"s3cr3t"}"#));
        assert!(!format!("{call:?}").contains("s3cr3t"));
        assert!(!format!("{:?}", exited(0, "s3cr3t")).contains("s3cr3t"));
    }
}
