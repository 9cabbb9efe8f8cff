//! What `ecru` exits with. These numbers are a promise: see `docs/EXIT_CODES.md`.
//!
//! `ecru run` passes the script's own exit code on, so its own failures stay in a block (80 to 99) that scripts
//! rarely use and that neither the shell (126 to 165) nor clap (2) uses.
//!
//! What stands above a number here, the commands before the first colon and the meaning after it, is the table of
//! that page: `cargo xtask gen` writes it.

/// all: It worked.
pub const OK: u8 = 0;
/// `ecru check`: an image cannot be had, or a job cannot be read; what could not be checked is no failure.
pub const CHECK_FAILED: u8 = 1;
/// `ecru doctor`: a check failed; risks are no failures.
pub const UNHEALTHY: u8 = 1;
/// `ecru demo`: a step failed.
pub const DEMO_STEP_FAILED: u8 = 1;
/// `ecru explain`: nothing has credentials for the image, so that its pull is anonymous.
pub const NO_CREDENTIALS: u8 = 3;
/// `ecru explain`: the runner, or `docker`, ends with an error before it pulls.
pub const RESOLUTION_ABORTED: u8 = 4;
/// `ecru setup`: changes were shown, and not made.
pub const NOT_APPLIED: u8 = 5;
/// `ecru`: a file could not be read or says something wrong (`.gitlab-ci.yml`, `config.toml`, ecru's configuration).
pub const BAD_CONFIGURATION: u8 = 80;
/// `ecru run`: the pipeline has no such job, or the job has no image.
pub const NO_SUCH_JOB: u8 = 81;
/// `ecru run`: no Docker engine answered.
pub const NO_ENGINE: u8 = 82;
/// `ecru run`: the registry has no such image.
pub const IMAGE_NOT_FOUND: u8 = 83;
/// `ecru run`: the registry refused the pull: no credentials, or not allowed to.
pub const PULL_DENIED: u8 = 84;
/// `ecru run`: a service stopped, or none of its ports was ever open.
pub const SERVICE_NOT_READY: u8 = 85;
/// `ecru run`: the engine could not run the job for another reason.
pub const ENGINE_FAILED: u8 = 86;
/// `ecru run`: the job took longer than `--timeout`.
pub const TIMED_OUT: u8 = 87;
/// `ecru emulate`, `ecru demo`: the emulator could not start.
pub const EMULATOR_FAILED: u8 = 88;
/// `ecru emulate`: variables of a real AWS identity are set, such as `AWS_PROFILE`; nothing was started.
pub const REAL_AWS_VARIABLES: u8 = 89;
/// `ecru token`, `ecru whoami`: no token or no identity could be had from AWS; standard error says why.
pub const NO_TOKEN: u8 = 90;
/// `ecru token`, `ecru whoami`, `ecru cache clear`: what was named is no registry of Amazon ECR and no alias.
pub const NOT_A_REGISTRY: u8 = 91;
/// `ecru token`, `ecru whoami`: the policy of this machine forbids the registry.
pub const FORBIDDEN: u8 = 92;
/// `ecru cache`: the token cache has no place, or its folder cannot be trusted or read.
pub const CACHE_UNUSABLE: u8 = 93;
/// `ecru setup`: no GitLab Runner was found, or no place for the helper.
pub const NOTHING_TO_SET_UP: u8 = 94;
/// `ecru setup`: the changes could not be made, or not be taken back; the files are as they were.
pub const SETUP_FAILED: u8 = 95;
/// `ecru doctor`: this is neither a runner nor a job host nor a job.
pub const NO_CONTEXT: u8 = 96;
/// `ecru check`, `ecru completions`, `ecru doctor`, `ecru emit`, `ecru explain`, `ecru man`: what was asked for could not be
/// written, as on a full disk.
pub const NOT_WRITTEN: u8 = 97;
/// `ecru emulate -- COMMAND`: the command cannot be run, as shells say it.
pub const COMMAND_NOT_RUN: u8 = 126;
/// `ecru emulate -- COMMAND`: there is no such command, as shells say it.
pub const NO_SUCH_COMMAND: u8 = 127;
/// `ecru run`, `ecru check`, `ecru demo`: stopped by Ctrl-C or SIGTERM (128 + SIGINT, as shells report it); everything
/// that was made has been removed. `ecru emulate` ends that way by design, with 0.
pub const INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests {
    use ecru_testkit::{assert_generated, table};

    /// Number, commands and meaning of each constant in this file.
    fn rows() -> Vec<(u8, String, String)> {
        let mut rows = vec![(2, "`ecru`".to_owned(), "the command line is wrong.".to_owned())];
        let mut explanation = String::new();
        for line in include_str!("exit_code.rs").lines() {
            if let Some(words) = line.strip_prefix("/// ") {
                explanation = format!("{explanation} {words}").trim().to_owned();
            } else if let Some(constant) = line.strip_prefix("pub const ") {
                let number = constant.split(['=', ';']).nth(1).unwrap().trim().parse().expect(line);
                let (commands, meaning) =
                    explanation.split_once(": ").unwrap_or_else(|| panic!("{line}: who?"));
                rows.push((number, commands.to_owned(), meaning.to_owned()));
                explanation.clear();
            }
        }
        rows.sort();
        rows
    }

    #[test]
    fn the_table_of_exit_codes_is_up_to_date() {
        let rows = rows().into_iter().map(|(code, from, meaning)| [code.to_string(), from, meaning]);
        let other = [
            "other".to_owned(),
            "`ecru run`, `ecru emulate -- COMMAND`".to_owned(),
            "the script's or the command's own exit code; 128 and the signal's number if a signal ended the command."
                .to_owned(),
        ];
        let table = table(["code", "from", "meaning"], rows.chain([other]));
        assert_generated("docs/EXIT_CODES.md", "exit codes", &table);
    }

    #[test]
    fn every_number_names_its_commands_and_no_command_has_two_meanings_for_one() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, from, meaning) in rows() {
            assert!(from == "all" || from.starts_with("`ecru"), "{code}: {from}");
            assert!(meaning.ends_with('.'), "{code}: {meaning}");
            for command in from.split(", ") {
                assert!(seen.insert((code, command.to_owned())), "{command} has two meanings for {code}");
            }
        }
    }
}
