//! From a hint, which is written for people, to what puts a check right.

use std::path::Path;

use crate::report::Fix;
use crate::shell::shell_word;

/// The programs with which the commands of hints begin.
const PROGRAMS: [&str; 8] =
    ["aws", "chmod", "chown", "ecru", "gitlab-runner", "ls", "systemctl", "timedatectl"];

/// A hint as a command, where it is one or ends with its only one between backticks; else in words.
pub(super) fn fix(hint: &str) -> Fix {
    command(hint).map_or_else(|| Fix::advice(hint), Fix::command)
}

/// The same, where it is about what is in the home directory `home` of another user: the AWS CLI keeps its logins there.
pub(super) fn fix_as(home: Option<&Path>, hint: &str) -> Fix {
    match (command(hint), home) {
        (Some(command), Some(home)) if command.starts_with("aws ") => Fix::command(as_user_of(home, command)),
        _ => fix(hint),
    }
}

/// `command` with another home directory.
pub(super) fn as_user_of(home: &Path, command: &str) -> String {
    format!("HOME={} {command}", shell_word(&home.display().to_string()))
}

fn command(hint: &str) -> Option<&str> {
    let is_command =
        |text: &&str| text.split_whitespace().next().is_some_and(|word| PROGRAMS.contains(&word));
    match hint.split('`').collect::<Vec<_>>().as_slice() {
        [whole] => Some(*whole).filter(is_command),
        [_, command, ""] => Some(*command).filter(is_command),
        _ => None,
    }
}

/// What takes the byte order mark from a file. jq passes over it, and lines are written behind it as a rule.
pub(super) fn without_mark(place: &str) -> Fix {
    Fix::command(format!(r"sed -i '1s/^\xEF\xBB\xBF//' {}", shell_word(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_words() {
        for (hint, expected) in [
            ("ls -l /etc/ecru/config.toml", Some("ls -l /etc/ecru/config.toml")),
            ("log in again: `aws sso login --profile corp`", Some("aws sso login --profile corp")),
            ("register a runner with `gitlab-runner register`", Some("gitlab-runner register")),
            ("run this as root", None),
            ("choose one with `--runner NAME`: the names are `a`, `b`", None),
            ("check with `aws sts get-caller-identity`, as the user of this process", None),
            ("", None),
        ] {
            assert_eq!(command(hint), expected, "{hint}");
        }
    }
}
