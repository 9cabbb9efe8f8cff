//! A panic, wherever it happens, is answered by the line that makes callers go on.

use std::process::Command;
use std::thread;

use ecru_docker::credential_helper::message::{NOT_FOUND, Verb};
use ecru_helper::panics::answer_panics;

/// The variable by which the test tells the process that it starts to panic, and at which verb.
const VERB: &str = "ECRU_TEST_PANIC";

#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts itself, and tells it so by a variable")]
fn a_panic_on_any_thread_is_answered() {
    if let Some(verb) = std::env::var_os(VERB) {
        let _locked = std::io::stderr().lock();
        answer_panics(verb.to_str().and_then(Verb::parse));
        let _ = thread::spawn(|| panic!("secret-NEVER-SHOWN")).join();
        return;
    }
    for (verb, code, answer) in [("get", 1, NOT_FOUND), ("list", 0, "{}"), ("", 1, NOT_FOUND)] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", "a_panic_on_any_thread_is_answered"]).env(VERB, verb).output();
        let output = output.unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{verb}: {stdout} {stderr}");
        assert!(stdout.ends_with(&format!("\n{answer}\n")), "{verb}: {stdout}");
        assert!(stderr.contains("an internal error at helper/tests/panics.rs:"), "{verb}: {stderr}");
        assert!(
            !stdout.contains("NEVER-SHOWN") && !stderr.contains("NEVER-SHOWN"),
            "{verb}: {stdout} {stderr}"
        );
    }
}
