//! A credential helper that says what a test wants it to say.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What a stub does when it is called.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Printed to stdout, byte for byte.
    pub stdout: String,
    /// Printed to stderr, byte for byte.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
}

impl Reply {
    /// The credentials of `server`, as the protocol's `get` prints them.
    #[must_use]
    pub fn credentials(server: &str, username: &str, secret: &str) -> Self {
        let json = serde_json::json!({ "ServerURL": server, "Username": username, "Secret": secret });
        Self { stdout: json.to_string(), ..Self::default() }
    }

    /// The one failure that a caller takes for "no credentials" (docker-credential-helpers,
    /// credentials/error.go: `errCredentialsNotFound`).
    #[must_use]
    pub fn not_found() -> Self {
        Self { stdout: "credentials not found in native keychain\n".to_owned(), code: 1, ..Self::default() }
    }

    /// Any other failure.
    #[must_use]
    pub fn failure(message: &str) -> Self {
        Self { stdout: format!("{message}\n"), code: 1, ..Self::default() }
    }
}

/// One call that a stub received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `get`, `list`, `store` or `erase`.
    pub verb: String,
    /// What was on its stdin.
    pub stdin: String,
}

/// A `docker-credential-NAME` shell script in a folder of the test's choice.
#[derive(Debug)]
pub struct StubHelper {
    program: PathBuf,
    log: PathBuf,
    cases: String,
}

impl StubHelper {
    /// Writes the stub into `folder`. Until it is told otherwise it answers "not found" to everything.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let program = folder.join(format!("docker-credential-{name}"));
        let stub = Self { log: program.with_extension("calls"), program, cases: String::new() };
        stub.write();
        stub
    }

    /// Answers `get` for exactly `server` with `reply`.
    #[must_use]
    pub fn get(self, server: &str, reply: &Reply) -> Self {
        self.case(&quoted(&format!("get {server}")), reply)
    }

    /// Answers every call of `verb`, whatever is on its stdin, with `reply`.
    #[must_use]
    pub fn on(self, verb: &str, reply: &Reply) -> Self {
        self.case(&format!("{}*", quoted(&format!("{verb} "))), reply)
    }

    /// The script's path.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The calls that it has received so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        // A call is one record that ends with the record separator, because a request may hold line feeds.
        let records = log.split_terminator('\u{1e}');
        let call = |record: &str| {
            let (verb, stdin) = record.split_once(' ').expect("a verb and its stdin");
            Call { verb: verb.to_owned(), stdin: stdin.to_owned() }
        };
        records.map(call).collect()
    }

    fn case(mut self, pattern: &str, reply: &Reply) -> Self {
        let (stdout, stderr) = (quoted(&reply.stdout), quoted(&reply.stderr));
        writeln!(self.cases, "{pattern}) printf %s {stdout}; printf %s {stderr} >&2; exit {};;", reply.code)
            .expect("a string takes everything");
        self.write();
        self
    }

    fn write(&self) {
        let not_found = quoted(&Reply::not_found().stdout);
        let script = format!(
            "#!/bin/sh\nstdin=$(cat)\nprintf '%s %s\\036' \"$1\" \"$stdin\" >>{log}\n\
             case \"$1 $stdin\" in\n{cases}*) printf %s {not_found}; exit 1;;\nesac\n",
            log = quoted(&self.log.to_string_lossy()),
            cases = self.cases,
        );
        // A new file each time: a script that still runs must not change, or the kernel says "text file busy".
        let draft = self.program.with_extension("draft");
        std::fs::write(&draft, script).expect("the stub's script");
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        std::fs::rename(&draft, &self.program).expect("the stub's place");
    }
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    #[test]
    fn it_answers_as_told_and_remembers_who_asked() {
        let sandbox = Sandbox::new();
        let helper = StubHelper::new(&sandbox.bin(), "stub")
            .get("it's.example", &Reply::credentials("it's.example", "AWS", "p$(x)'\\"))
            .on("list", &Reply::failure("no list"));
        let ask = |verb: &str, stdin: &str| {
            let output =
                sandbox.command("docker-credential-stub").arg(verb).write_stdin(stdin).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };

        let (code, stdout) = ask("get", "it's.example");
        assert_eq!(code, Some(0));
        let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(answer["Secret"], "p$(x)'\\");
        assert_eq!(ask("list", "unused"), (Some(1), "no list\n".to_owned()));
        assert_eq!(ask("get", "other").0, Some(1));
        let calls: Vec<_> = helper.calls().into_iter().map(|call| (call.verb, call.stdin)).collect();
        let expected = [("get", "it's.example"), ("list", "unused"), ("get", "other")];
        assert_eq!(calls, expected.map(|(verb, stdin)| (verb.to_owned(), stdin.to_owned())));
    }
}
