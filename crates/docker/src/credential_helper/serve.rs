//! Being a helper: reads a request, asks the [`Helper`], writes the answer.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use secrecy::zeroize::Zeroizing;

use super::message::{Credential, MessageError, NOT_FOUND, ServerList, Verb, server_list_to_json};

/// The longest server that is read from stdin, in bytes, its line end included.
pub const MAX_SERVER_BYTES: usize = 4 * 1024;

/// The longest credential that `store` reads from stdin, in bytes.
pub const MAX_CREDENTIAL_BYTES: usize = 64 * 1024;

/// The exit code of an answer.
pub const EXIT_SUCCESS: u8 = 0;

/// The exit code of everything else: the protocol knows no other.
pub const EXIT_FAILURE: u8 = 1;

/// What a helper does, without the protocol around it.
///
/// `notes` collects lines for stderr, each a sentence for the person who reads the caller's log. They are printed
/// whether the request succeeds or not.
pub trait Helper {
    /// The name of the program, for `version` and for stderr.
    fn name(&self) -> &str;

    /// The version of the program.
    fn version(&self) -> &str;

    /// The credential of `server`, which is what the caller wrote, in one line without control characters.
    ///
    /// # Errors
    /// A [`Failure`] that says what the caller is told, and what the person is told.
    fn get(&self, server: &str, notes: &mut Vec<String>) -> Result<Credential, Failure>;

    /// All servers that `get` is expected to have a credential for, with their user names.
    ///
    /// # Errors
    /// As [`Helper::get`].
    fn list(&self, notes: &mut Vec<String>) -> Result<ServerList, Failure>;

    /// Keeps `credential`.
    ///
    /// # Errors
    /// As [`Helper::get`].
    fn store(&self, credential: Credential, notes: &mut Vec<String>) -> Result<(), Failure>;

    /// Forgets the credential of `server`.
    ///
    /// # Errors
    /// As [`Helper::get`].
    fn erase(&self, server: &str, notes: &mut Vec<String>) -> Result<(), Failure>;
}

/// Why a request was not answered: one line for the caller, and what a person needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    answer: String,
    cause: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// "Nothing here": the caller goes on to other sources. It says nothing to a person unless a cause is added.
    #[must_use]
    pub fn not_found() -> Self {
        Self { answer: NOT_FOUND.to_owned(), cause: None, hint: None }
    }

    /// A failure whose text the caller shows: `answer` goes to stdout, which gitlab-runner copies into the job's
    /// log, so it names no role, no address and no secret.
    #[must_use]
    pub fn reported(answer: impl Into<String>) -> Self {
        Self { answer: answer.into(), cause: None, hint: None }
    }

    /// Says on stderr what happened.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says on stderr what the person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Serves one request and returns the exit code.
///
/// `get` and `erase` take exactly one line from `stdin`: the server, optionally ended by LF or CRLF. Docker's own
/// library joins several lines into one server; such requests have been used to obtain another host's credentials
/// (git's CVE-2020-5260), so they are refused.
pub fn serve(
    verb: Verb,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    helper: &impl Helper,
) -> u8 {
    let mut notes = Vec::new();
    let answer = answer(verb, stdin, helper, &mut notes);
    let mut voice = Voice { name: helper.name(), stderr };
    for note in &notes {
        voice.say(note);
    }
    let (line, exit_code) = match answer {
        Ok(line) => (line, EXIT_SUCCESS),
        Err(failure) => {
            if let Some(cause) = &failure.cause {
                voice.say(cause);
            }
            if let Some(hint) = &failure.hint {
                voice.hint(hint);
            }
            (Zeroizing::new(failure.answer.into_bytes()), EXIT_FAILURE)
        }
    };
    match write_line(stdout, line) {
        Ok(()) => exit_code,
        Err(error) => {
            voice.say(&format!("the answer could not be written: {error}"));
            EXIT_FAILURE
        }
    }
}

/// The text of the answer, empty for the verbs that answer nothing.
fn answer(
    verb: Verb,
    stdin: &mut dyn Read,
    helper: &impl Helper,
    notes: &mut Vec<String>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match verb {
        Verb::Get => {
            let server = read_server(stdin)?;
            Ok(helper.get(&server, notes)?.to_json()?)
        }
        Verb::List => Ok(Zeroizing::new(server_list_to_json(&helper.list(notes)?)?)),
        Verb::Store => {
            let credential = Credential::from_json(&read_limited(stdin, MAX_CREDENTIAL_BYTES)?)?;
            helper.store(credential, notes)?;
            Ok(Zeroizing::default())
        }
        Verb::Erase => {
            let server = read_server(stdin)?;
            helper.erase(&server, notes)?;
            Ok(Zeroizing::default())
        }
        Verb::Version => Ok(Zeroizing::new(format!("{} {}", helper.name(), helper.version()).into_bytes())),
    }
}

/// Reads the one line that names a server.
fn read_server(stdin: &mut dyn Read) -> Result<String, RequestError> {
    let bytes = read_limited(stdin, MAX_SERVER_BYTES)?;
    let line = match bytes.as_slice() {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] => line,
        line => line,
    };
    if line.is_empty() {
        return Err(RequestError::NoServer);
    }
    let server = std::str::from_utf8(line).map_err(|_| RequestError::NotText)?;
    if server.chars().any(char::is_control) {
        return Err(RequestError::ControlCharacter);
    }
    Ok(server.to_owned())
}

fn read_limited(stdin: &mut dyn Read, limit: usize) -> Result<Zeroizing<Vec<u8>>, RequestError> {
    let mut bytes = Zeroizing::new(Vec::new());
    stdin.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(RequestError::Unreadable)?;
    if bytes.len() > limit {
        return Err(RequestError::TooLong { limit });
    }
    Ok(bytes)
}

/// What is wrong with the request itself.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("the request on stdin names no server")]
    NoServer,
    #[error("the request on stdin is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the request on stdin is not UTF-8 text")]
    NotText,
    #[error("the request on stdin is not a single line: it contains a control character")]
    ControlCharacter,
    #[error("the request on stdin could not be read: {0}")]
    Unreadable(io::Error),
}

impl From<RequestError> for Failure {
    /// "Not found" on the wire also here: whatever else were said would cost the caller its other registries.
    fn from(error: RequestError) -> Self {
        Self::not_found().because(error.to_string())
    }
}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Self {
        Self::not_found().because(error.to_string())
    }
}

/// Writes the line and its end in one go.
fn write_line(stdout: &mut dyn Write, mut line: Zeroizing<Vec<u8>>) -> io::Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    line.push(b'\n');
    stdout.write_all(&line)?;
    stdout.flush()
}

/// Writes to stderr, and does not mind if nobody listens there.
struct Voice<'a> {
    name: &'a str,
    stderr: &'a mut dyn Write,
}

impl Voice<'_> {
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "{}: {}", self.name, printable(text));
    }

    fn hint(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "hint: {}", printable(text));
    }
}

/// Whether `character` is obeyed rather than shown: a control character, a separator of lines, or one that turns the
/// direction of what follows, so that a text reads as another one (Unicode Technical Report 36, "Bidirectional Text
/// Spoofing").
#[must_use]
pub fn steers_a_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with control characters escaped, so that a message that quotes outside input stays one line and cannot
/// steer a terminal.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if steers_a_terminal(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// Answers any server but `unknown.example` with a password made of the server's name.
    struct Stub;

    impl Helper for Stub {
        fn name(&self) -> &str {
            "docker-credential-stub"
        }

        fn version(&self) -> &str {
            "1.2.3"
        }

        fn get(&self, server: &str, notes: &mut Vec<String>) -> Result<Credential, Failure> {
            if server == "unknown.example" {
                return Err(Failure::not_found()
                    .because("no\nline breaks")
                    .with_hint(Some("try again".into())));
            }
            notes.push("took a while".to_owned());
            let secret = format!("password of {server}").into();
            Ok(Credential { server_url: server.to_owned(), username: "AWS".to_owned(), secret })
        }

        fn list(&self, _: &mut Vec<String>) -> Result<ServerList, Failure> {
            Ok(ServerList::from([("https://a.example".to_owned(), "AWS".to_owned())]))
        }

        fn store(&self, credential: Credential, notes: &mut Vec<String>) -> Result<(), Failure> {
            notes.push(format!("{} bytes not kept", credential.secret.expose_secret().len()));
            Ok(())
        }

        fn erase(&self, _: &str, _: &mut Vec<String>) -> Result<(), Failure> {
            Err(Failure::reported("cannot erase"))
        }
    }

    fn run(verb: Verb, input: &[u8]) -> (u8, String, String) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = serve(verb, &mut &*input, &mut stdout, &mut stderr, &Stub);
        (code, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn get_answers_one_line_for_one_line() {
        for ending in ["", "\n", "\r\n"] {
            let (code, stdout, stderr) = run(Verb::Get, format!("a.example{ending}").as_bytes());
            assert_eq!(code, EXIT_SUCCESS);
            assert_eq!(
                stdout,
                "{\"ServerURL\":\"a.example\",\"Username\":\"AWS\",\"Secret\":\"password of a.example\"}\n"
            );
            assert_eq!(stderr, "docker-credential-stub: took a while\n");
        }
    }

    #[test]
    fn a_failure_says_the_magic_line_to_the_caller_and_the_cause_to_the_person() {
        let (code, stdout, stderr) = run(Verb::Get, b"unknown.example");
        assert_eq!(code, EXIT_FAILURE);
        assert_eq!(stdout, "credentials not found in native keychain\n");
        assert_eq!(stderr, "docker-credential-stub: no\\nline breaks\nhint: try again\n");
    }

    #[test]
    fn requests_that_are_not_one_line_are_refused() {
        let too_long = vec![b'a'; MAX_SERVER_BYTES + 1];
        let refused: [&[u8]; 9] = [
            b"",
            b"\n",
            b"\r\n",
            b"a.example\nb.example",
            b"a.example\n\n",
            b"a.example\r",
            b"a\0b",
            b"\xff\xfe",
            &too_long,
        ];
        for request in refused {
            for verb in [Verb::Get, Verb::Erase] {
                let (code, stdout, stderr) = run(verb, request);
                assert_eq!(
                    (code, stdout.as_str()),
                    (EXIT_FAILURE, "credentials not found in native keychain\n")
                );
                assert!(stderr.contains("the request on stdin"), "{stderr}");
            }
        }
    }

    #[test]
    fn the_longest_server_is_still_read() {
        let (code, ..) = run(Verb::Get, &[b'a'; MAX_SERVER_BYTES]);
        assert_eq!(code, EXIT_SUCCESS);
    }

    #[test]
    fn list_store_erase_and_version_answer_as_docker_expects() {
        assert_eq!(run(Verb::List, b"unused").1, "{\"https://a.example\":\"AWS\"}\n");
        let (code, stdout, stderr) =
            run(Verb::Store, b"{\"ServerURL\":\"a\",\n\"Username\":\"b\",\"Secret\":\"hunter2\"}\n");
        assert_eq!((code, stdout.as_str()), (EXIT_SUCCESS, ""));
        assert_eq!(stderr, "docker-credential-stub: 7 bytes not kept\n");
        assert_eq!(run(Verb::Erase, b"a.example").1, "cannot erase\n");
        assert_eq!(run(Verb::Version, b"").1, "docker-credential-stub 1.2.3\n");
    }

    #[test]
    fn an_oversized_store_is_refused() {
        let (code, _, stderr) = run(Verb::Store, &vec![b' '; MAX_CREDENTIAL_BYTES + 1]);
        assert_eq!(code, EXIT_FAILURE);
        assert!(stderr.contains("longer than 65536 bytes"), "{stderr}");
    }

    /// A pipe whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn an_answer_that_cannot_be_written_is_a_failure() {
        let mut stderr = Vec::new();
        let code = serve(Verb::Get, &mut &b"a.example"[..], &mut Closed, &mut stderr, &Stub);
        assert_eq!(code, EXIT_FAILURE);
        let code = serve(Verb::Get, &mut &b"a.example"[..], &mut Closed, &mut Closed, &Stub);
        assert_eq!(code, EXIT_FAILURE);
    }

    proptest! {
        #[test]
        fn any_request_gives_one_answer(request: Vec<u8>) {
            for verb in Verb::ALL {
                let (code, stdout, _) = run(verb, &request);
                prop_assert!(stdout.lines().count() <= 1);
                prop_assert!(code == EXIT_SUCCESS || code == EXIT_FAILURE);
            }
        }
    }
}
