//! The forms of a diagnosis stay as they are.

use ecru_testkit::snapshot_settings;

use super::machine::{CONFIG, Machine};

#[tokio::test(flavor = "multi_thread")]
async fn text_json_and_junit_of_a_machine_that_has_nothing() {
    let machine = Machine::with_unit().await;
    let mut settings = snapshot_settings(machine.root().parent().expect("a folder"));
    settings.add_filter(r"after \d+ ms", "after [N] ms");
    for format in ["text", "json", "junit"] {
        let said = machine.doctor(&["--format", format, "--no-exec", "--runner-version", "18.10.0"]);
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        settings.bind(|| insta::assert_snapshot!(format, said.stdout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_lets_a_file_write_the_terminal_from_right_to_left() {
    let machine = Machine::with_unit().await;
    machine.write("/etc/gitlab-runner/config.toml", &CONFIG.replace("\"shop\"", "\"sh\u{202e}op\""));
    for (format, escaped) in [("text", "sh\\u{202e}op"), ("json", "sh\\u202eop"), ("junit", "sh&#x202e;op")] {
        let said = machine.doctor(&["--format", format, "--all", "--no-exec"]);
        assert!(said.stdout.contains(escaped) && !said.stdout.contains('\u{202e}'), "{}", said.stdout);
    }
}
