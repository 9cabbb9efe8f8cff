//! The text that a job's shell reads on standard input.
//!
//! As the runner's (`shells/bash.go`, `shells/abstract.go` in GitLab Runner v19.3.0): all commands in one shell,
//! each shown before it runs, and the first that fails ends the script. It is plain POSIX shell, for bash, dash
//! and busybox alike, and shows commands without colour.

/// How a job's container is started so that it runs scripts from standard input: with bash if the image has one,
/// else with sh, looked for where the runner looks. Without either it says so and ends with exit code 1.
pub fn shell_command() -> [String; 3] {
    let script = "for shell in /usr/local/bin/bash /usr/bin/bash /bin/bash \
                  /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do \
                  if [ -x \"$shell\" ]; then exec \"$shell\"; fi; \
                  done; \
                  echo 'the image has neither bash nor sh' >&2; exit 1";
    ["sh", "-c", script].map(str::to_owned)
}

/// The script of a job: `pre_build_script` of the runner, then `before_script` and `script`.
///
/// Its exit code is that of the command that failed, else 0.
pub fn job_script<'a>(
    project_dir: &str,
    pre_build_script: Option<&'a str>,
    commands: impl IntoIterator<Item = &'a str>,
) -> String {
    script(project_dir, pre_build_script.into_iter().chain(commands))
}

/// The script of `after_script`, for a shell of its own. Its exit code does not fail the job.
pub fn after_script<'a>(project_dir: &str, commands: impl IntoIterator<Item = &'a str>) -> String {
    script(project_dir, commands)
}

fn script<'a>(project_dir: &str, commands: impl IntoIterator<Item = &'a str>) -> String {
    let mut body = format!("cd {}\n", quote(project_dir));
    for command in commands {
        push_command(&mut body, command.trim());
    }
    // The options come first, because not every shell has `pipefail`, and an unknown option would end dash. The
    // commands get an empty standard input, or they would read the rest of the script; and evaluated as one text
    // they run as they are read, so that a syntax error stops the script where it stands. The subshell is the
    // runner's FF_USE_NEW_BASH_EVAL_STRATEGY: without it bash turns some exit codes into 1.
    format!(
        "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n\
         set -o errexit\n\
         set +o noclobber\n\
         : | (eval {})\n\
         exit 0\n",
        quote(&body)
    )
}

/// Shows a command and runs it; of several lines only the first is shown.
fn push_command(body: &mut String, command: &str) {
    let shown = match command.split_once('\n') {
        Some((first, _)) => format!("$ {first} # collapsed multi-line command"),
        None if command.is_empty() => String::new(),
        None => format!("$ {command}"),
    };
    body.push_str(&format!("printf '%s\\n' {}\n{command}\n", quote(&shown)));
}

/// `text` as one word of a shell, whatever is in it but NUL.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
