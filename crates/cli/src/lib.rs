//! The face of the house: parses arguments, calls the libraries, prints, chooses exit codes.

pub mod args;
mod commands;
mod demo;
mod ecr_access;
pub mod error;
mod example_images;
pub mod exit_code;
mod job;
mod outside;
mod stage;
mod terminal;
mod wanted_registries;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

/// Runs the program with this process' arguments, environment and standard streams.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if called_as_credential_helper(arguments.first()) {
        return ecru_helper::main();
    }
    let cli = args::Cli::parse_from(as_command_line(arguments));
    let outside = outside::Outside::of_this_process();
    ecru_helper::log::start(&outside.environment(), &mut std::io::stderr());
    let exit_code = match commands::exit_code_of(cli.command, &outside) {
        Ok(exit_code) => exit_code,
        Err(error) => {
            let _ = std::io::stderr().write_all(error.report().as_bytes());
            error.exit_code()
        }
    };
    ExitCode::from(exit_code)
}

/// A copy of `ecru` that is called `demo-guest`, as in the example images, is that command.
fn as_command_line(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let called_as_guest = arguments.first().is_some_and(|program| {
        std::path::Path::new(program).file_name().is_some_and(|name| name == example_images::GUEST_NAME)
    });
    if called_as_guest {
        arguments.insert(1, OsString::from("demo-guest"));
    }
    arguments
}

/// Docker runs `docker-credential-<suffix>`; a link of that name to `ecru` is the helper.
fn called_as_credential_helper(program: Option<&OsString>) -> bool {
    program
        .map(std::path::Path::new)
        .and_then(std::path::Path::file_name)
        .is_some_and(|name| name.to_string_lossy().starts_with("docker-credential-"))
}
