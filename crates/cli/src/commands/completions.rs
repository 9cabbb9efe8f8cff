//! `ecru completions`: what a shell needs to complete commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::{Cli, CompletionsArgs};
use crate::error::CommandError;
use crate::exit_code;
use crate::terminal::hand_out;

/// Prints the completions for the shell.
pub(super) fn run(args: &CompletionsArgs) -> Result<u8, CommandError> {
    hand_out(text(args.shell))?;
    Ok(exit_code::OK)
}

fn text(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ecru", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn bash_completes_commands_and_options() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ecru");
        std::fs::write(&file, text(Shell::Bash)).unwrap();
        let completed = |words: &str| {
            let script = format!(
                ". \"$0\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
                 _ecru ecru \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
                 printf '%s ' \"${{COMPREPLY[@]}}\""
            );
            let output = Command::new("bash").args(["-c", &script]).arg(&file).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(completed("ecru doc").trim(), "doctor");
        assert_eq!(completed("ecru doctor --html").trim(), "--html");
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in Shell::value_variants() {
            let text = String::from_utf8(text(*shell)).unwrap();
            assert!(text.contains("doctor"), "{shell}");
        }
    }
}
