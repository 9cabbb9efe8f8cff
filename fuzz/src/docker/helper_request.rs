//! What a credential helper reads on standard input. The first byte of the input chooses the verb.

use std::cell::Cell;

use ecru_docker::credential_helper::message::{Credential, NOT_FOUND, ServerList, Verb};
use ecru_docker::credential_helper::serve::{Failure, Helper, serve};

const SERVER: &str = "registry.example";
const SECRET: &str = "a-secret-that-nobody-else-says";

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Some((first, request)) = input.split_first() else { return };
    let verb = Verb::ALL[usize::from(*first) % Verb::ALL.len()];
    let helper = InMemory { asked: Cell::default() };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit_code = serve(verb, &mut &request[..], &mut stdout, &mut stderr, &helper);

    assert!(exit_code <= 1, "the protocol knows no other exit code");
    let stdout = String::from_utf8(stdout).expect("text on stdout");
    match (verb, exit_code) {
        (Verb::Store | Verb::Erase, 0) => assert_eq!(stdout, ""),
        (_, 0) => assert_one_line(&stdout),
        _ => assert_eq!(stdout, format!("{NOT_FOUND}\n")),
    }
    if let Some(asked) = helper.asked.take() {
        assert!(!asked.is_empty() && !asked.chars().any(char::is_control), "{asked:?}");
        let line = request.strip_suffix(b"\n").unwrap_or(request);
        assert_eq!(
            line.strip_suffix(b"\r").unwrap_or(line),
            asked.as_bytes(),
            "the helper is asked what it read"
        );
    }
    assert_eq!(stdout.contains(SECRET), exit_code == 0 && verb == Verb::Get);
    let stderr = String::from_utf8(stderr).expect("text on stderr");
    let is_asked_for = request.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(is_asked_for || !stderr.contains(SECRET));
    assert!(
        stderr.lines().all(|line| line.starts_with("in-memory: ") || line.starts_with("hint: ")),
        "{stderr}"
    );
}

fn assert_one_line(text: &str) {
    assert_eq!((text.find('\n'), text.len() > 1), (Some(text.len() - 1), true), "{text:?}");
}

/// Knows one server, and repeats on stderr whatever it is told.
struct InMemory {
    asked: Cell<Option<String>>,
}

impl Helper for InMemory {
    fn name(&self) -> &str {
        "in-memory"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn get(&self, server: &str, notes: &mut Vec<String>) -> Result<Credential, Failure> {
        self.asked.set(Some(server.to_owned()));
        notes.push(format!("asked for {server}"));
        if server != SERVER {
            return Err(Failure::not_found().because(server).with_hint(Some(server.to_owned())));
        }
        Ok(Credential { server_url: server.to_owned(), username: "u".into(), secret: SECRET.into() })
    }

    fn list(&self, _: &mut Vec<String>) -> Result<ServerList, Failure> {
        Ok([(SERVER.to_owned(), "u".to_owned())].into())
    }

    fn store(&self, credential: Credential, notes: &mut Vec<String>) -> Result<(), Failure> {
        notes.push(format!("{credential:?} {}", credential.server_url));
        Err(Failure::not_found().because(credential.username))
    }

    fn erase(&self, server: &str, _: &mut Vec<String>) -> Result<(), Failure> {
        self.asked.set(Some(server.to_owned()));
        if server == SERVER { Ok(()) } else { Err(Failure::not_found().because(server)) }
    }
}
