//! Real helper programs, written as shell scripts.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

const SECRET: &str = "hunter2";

/// Long enough for any helper that ends by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a helper `docker-credential-<suffix>` that runs `script`.
fn folder_with(suffix: &str, script: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    write_program(&folder.path().join(format!("docker-credential-{suffix}")), script);
    folder
}

/// Writes the program through another process: were it open for writing here while another test's thread forks,
/// running it would fail with "text file busy".
fn write_program(path: &Path, script: &str) {
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

fn caller(folder: &TempDir) -> Caller {
    let path = OsString::from("/usr/bin:/bin");
    Caller {
        path: folder.path().as_os_str().to_owned(),
        environment: vec![("PATH".into(), path), ("GREETING".into(), "hello".into())],
        deadline: PATIENCE,
    }
}

#[test]
fn the_helper_gets_verb_key_and_environment_and_nothing_else() {
    let folder = folder_with(
        "ok",
        r#"printf '{"Username":"%s %s","Secret":"%s"}' "$*" "$GREETING" "$(cat)"; env >&2"#,
    );
    let completed = caller(&folder).get("ok", "HTTPS://Reg/v1/").unwrap();
    let credential = completed.credential().unwrap().unwrap();
    assert_eq!(credential.username, "get hello");
    assert_eq!(credential.secret.expose_secret(), "HTTPS://Reg/v1/");
    assert!(completed.stderr.contains("GREETING=hello"), "{}", completed.stderr);
    assert!(!completed.stderr.contains("CARGO"), "the environment of the test leaked: {}", completed.stderr);
}

#[test]
fn list_is_asked_as_docker_asks_it() {
    let folder = folder_with("ok", r#"printf '{"%s":"%s"}' "$(cat)" "$1""#);
    let list = caller(&folder).list("ok").unwrap().server_list().unwrap().unwrap();
    assert_eq!(list, ServerList::from([("unused".to_owned(), "list".to_owned())]));
}

#[test]
fn the_magic_line_means_none_and_any_other_failure_is_an_error() {
    let folder = folder_with("none", &format!("echo '  {NOT_FOUND}  '; exit 1"));
    assert!(caller(&folder).get("none", "a").unwrap().credential().unwrap().is_none());

    let folder = folder_with("bad", "printf 'out of \\033[31mcoffee'; exit 3");
    let error = caller(&folder).get("bad", "a").unwrap().credential().unwrap_err();
    assert!(error.to_string().ends_with("get` failed (exit code 3): out of \\u{1b}[31mcoffee"), "{error}");

    let folder = folder_with("killed", "kill -9 $$");
    let error = caller(&folder).get("killed", "a").unwrap().credential().unwrap_err();
    assert!(error.to_string().contains("signal 9"), "{error}");
}

#[test]
fn an_answer_of_a_helper_that_fails_is_not_repeated() {
    let json = r#"{"ServerURL":"a","Username":"u","Secret":"hunter2"}"#;
    let pretty = r#"{\n  "Username": "u",\n  "Secret": "hunter2"\n}\n"#;
    for (script, told) in [
        (format!("echo '{json}'; exit 3"), "get` failed (exit code 3): what it said is not repeated here"),
        (
            format!("printf '{pretty}'; kill -9 $$"),
            "get` failed (signal 9): what it said is not repeated here",
        ),
        (format!("echo 'keychain is locked: {json}'; exit 3"), "(exit code 3): keychain is locked:"),
        (format!("echo 'keychain is locked'; echo '{json}'; exit 3"), "(exit code 3): keychain is locked"),
        ("echo '\"Secret\":\"hunter2\"'; exit 3".to_owned(), "what it said is not repeated here"),
        ("exit 3".to_owned(), "get` failed (exit code 3): it said nothing"),
    ] {
        let folder = folder_with("bad", &script);
        let completed = caller(&folder).get("bad", "a").unwrap();
        let error = completed.credential().unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains(SECRET), "{script}: {error}");
        let error = completed.server_list().unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains(SECRET), "{script}: {error}");
    }
}

#[test]
fn what_a_helper_was_given_to_store_is_not_repeated() {
    let long = format!("{SECRET}-{}", "0123456789abcdef".repeat(75));
    for secret in [SECRET, long.as_str(), r#"hun"t\er2"#, "h\u{e4}u\tser", "x", "<a&b>hunter"] {
        let credential = Credential {
            server_url: "ghcr.io".to_owned(),
            username: "user".to_owned(),
            secret: secret.to_owned().into(),
        };
        let request = String::from_utf8(credential.to_json().unwrap().to_vec()).unwrap();
        let written = &request[request.find("\"Secret\":\"").unwrap() + 10..request.len() - 2];
        for script in [
            "cat",
            "sed 's/.*Secret...//'",
            "echo locked, cannot keep; cat",
            "printf 'cannot keep '; cat",
            "printf 'cannot keep '; sed 's/.*Secret...//' | tr -d '\"}\\\\'",
            "printf 'cannot keep '; sed 's/.*Secret...//' | cut -c 1-300",
        ] {
            let folder = folder_with("bad", &format!("{script}; exit 1"));
            let completed = caller(&folder).invoke("bad", Verb::Store, &request).unwrap();
            let error = completed.done().unwrap_err().to_string();
            let (_, told) = error.split_once("(exit code 1): ").unwrap();
            for piece in [secret, written, &secret[..secret.floor_char_boundary(6)]] {
                assert!(!told.contains(piece), "{script}, {secret}: {told}");
            }
        }
    }
}

#[test]
fn an_empty_or_foreign_answer_is_malformed() {
    for script in ["true", "echo []", "echo '{\"Secret\":1}'"] {
        let folder = folder_with("odd", script);
        let error = caller(&folder).get("odd", "a").unwrap().credential().unwrap_err();
        assert!(matches!(error, InvokeError::Malformed { .. }), "{script}: {error}");
    }
}

#[test]
fn a_helper_that_hangs_is_killed_with_its_children() {
    let folder = TempDir::new().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 600 & echo $! $$ > {}; exec sleep 600", pids.display());
    write_program(&folder.path().join("docker-credential-slow"), &script);
    let written_pids = || -> Vec<String> {
        let text = std::fs::read_to_string(&pids).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let mut caller = caller(&folder);
    // The time limit grows until the helper had the time to write down its processes.
    caller.deadline = Duration::from_millis(100);
    let error = loop {
        let error = caller.get("slow", "a").unwrap_err();
        if written_pids().len() == 2 {
            break error;
        }
        caller.deadline *= 2;
    };
    assert!(matches!(error, InvokeError::TimedOut { .. }), "{error}");
    for pid in written_pids() {
        assert!(ends_soon(&pid), "process {pid} still runs");
    }
}

/// A signal takes its time on a machine that is busy, most of all to a process that is no child of ours.
fn ends_soon(pid: &str) -> bool {
    (0..5_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        has_ended(pid)
    })
}

/// A killed process may stay as a zombie until its parent looks.
fn has_ended(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

#[test]
fn a_child_left_behind_with_the_outputs_open_counts_as_the_helper() {
    let folder = folder_with("left", "sleep 600 & echo '{}'");
    let mut caller = caller(&folder);
    caller.deadline = Duration::from_millis(200);
    assert!(matches!(caller.get("left", "a"), Err(InvokeError::TimedOut { .. })));
}

#[test]
fn a_helper_that_closes_its_outputs_early_is_waited_for() {
    let folder = folder_with("early", "exec >&- 2>&-; sleep 0.05; exit 7");
    assert_eq!(caller(&folder).get("early", "a").unwrap().status.code(), Some(7));
}

#[test]
fn outputs_have_limits() {
    let folder = folder_with("loud", "while :; do echo 0123456789012345678901234567890123456789; done");
    assert!(matches!(caller(&folder).get("loud", "a"), Err(InvokeError::OutputTooLong { .. })));

    let folder = folder_with("chatty", "head -c 1000000 /dev/zero >&2; echo '{}'");
    let completed = caller(&folder).get("chatty", "a").unwrap();
    assert_eq!(completed.stderr.len(), MAX_STDERR_BYTES);
    assert!(completed.credential().unwrap().is_some());

    let folder = folder_with("ok", "echo '{}'");
    let long = "a".repeat(MAX_REQUEST_BYTES + 1);
    assert!(matches!(caller(&folder).get("ok", &long), Err(InvokeError::RequestTooLong { .. })));
}

#[test]
fn a_helper_that_ends_without_reading_is_no_failure() {
    let folder = folder_with("deaf", "exec <&-; echo '{\"Username\":\"AWS\"}'");
    let completed = caller(&folder).get("deaf", &"a".repeat(MAX_REQUEST_BYTES)).unwrap();
    assert_eq!(completed.credential().unwrap().unwrap().username, "AWS");
}

#[test]
fn missing_unusable_and_misplaced_helpers_have_errors_of_their_own() {
    let folder = folder_with("ok", "echo '{}'");
    let caller = caller(&folder);

    let error = caller.get("other", "a").unwrap_err();
    assert!(matches!(error, InvokeError::NotOnPath { .. }), "{error}");
    assert!(error.hint().unwrap().contains("`docker-credential-other`"));

    for suffix in ["", "../ok", "a/b", "a\0b"] {
        assert!(matches!(caller.get(suffix, "a"), Err(InvokeError::PathInSuffix { .. })), "{suffix:?}");
    }

    let program = folder.path().join("docker-credential-ok");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = caller.get("ok", "a").unwrap_err();
    assert_eq!(error.hint().unwrap(), format!("chmod 755 {}", program.display()));

    std::fs::remove_file(&program).unwrap();
    std::fs::create_dir(&program).unwrap();
    assert!(matches!(caller.get("ok", "a"), Err(InvokeError::NotOnPath { .. })));
}

#[test]
fn the_first_executable_on_path_wins() {
    let plain = TempDir::new().unwrap();
    std::fs::write(plain.path().join("docker-credential-ok"), "not a program").unwrap();
    let (first, second) = (folder_with("ok", "exit 11"), folder_with("ok", "exit 12"));
    let mut caller = caller(&first);
    caller.path = std::env::join_paths([plain.path(), first.path(), second.path()]).unwrap();
    assert_eq!(caller.get("ok", "a").unwrap().status.code(), Some(11));
}

#[test]
fn a_program_that_cannot_start_is_told() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("docker-credential-odd");
    write_program(&program, "");
    std::fs::write(&program, "#!/no/such/interpreter\n").unwrap();
    assert!(matches!(caller(&folder).get("odd", "a"), Err(InvokeError::NotStarted { .. })));
}

#[test]
fn debug_output_hides_secrets() {
    let folder = folder_with("ok", &format!("echo '{{\"Secret\":\"{SECRET}\"}}'"));
    let mut caller = caller(&folder);
    caller.environment.push(("AWS_SECRET_ACCESS_KEY".into(), SECRET.into()));
    let completed = caller.get("ok", "a").unwrap();
    assert!(!format!("{caller:?} {completed:?}").contains(SECRET));
}
