//! The bridge from ECR to Docker: the credential helper `docker-credential-ecr-login`.
//!
//! It links nothing but what AWS says and what Docker says. A `get` looks into the token cache before anything
//! else; only where that has nothing fresh, an identity is looked for and AWS is asked.

mod descriptor;
mod fallback;
mod helper;
pub mod log;
pub mod panics;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use ecru_docker::credential_helper::message::Verb;
use ecru_docker::credential_helper::serve::{EXIT_FAILURE, EXIT_SUCCESS, serve};
use ecru_ecr::environment::Environment;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::descriptor::Descriptor;
use crate::helper::EcrHelper;

/// The name of the program, under which Docker finds it as `ecr-login`.
pub const NAME: &str = "docker-credential-ecr-login";

/// What stands in the file of every program that is this helper, in this version, so that it can be told from others of
/// the same name without being run.
pub static SIGNATURE: &str = concat!("docker-credential-ecr-login of ecru ", env!("CARGO_PKG_VERSION"));

/// Serves one request of Docker's or gitlab-runner's, and returns the exit code: 0 with an answer on `stdout`, or 1
/// with one line there that says that there is none, and the reason on `stderr`.
///
/// `arguments` are the program's name, which may choose a profile (see [`profile_of`]), and those after it;
/// `environment` is where configuration and identity come from.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let argument = argument(&arguments);
    let profile = arguments.first().and_then(|program| profile_of(program));
    match Verb::parse(argument) {
        Some(verb) => serve(verb, stdin, stdout, stderr, &EcrHelper::new(environment, profile)),
        None => {
            let is_help = matches!(argument, "help" | "-h" | "--help");
            let is_written = writeln!(stdout, "{}", usage()).and_then(|()| stdout.flush()).is_ok();
            if is_help && is_written { EXIT_SUCCESS } else { EXIT_FAILURE }
        }
    }
}

/// The one argument that a helper has.
fn argument(arguments: &[OsString]) -> &str {
    match arguments {
        [_, argument] => argument.to_str().unwrap_or_default(),
        _ => "",
    }
}

/// The profile of ecru's configuration that a program's name asks for: a link `docker-credential-ecr-login-team-a` to
/// the program is what Docker calls `ecr-login-team-a`, with the identity of `[profile.team-a]`.
#[must_use]
pub fn profile_of(program: &OsStr) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?;
    let profile = name.strip_prefix(NAME)?.strip_prefix('-')?;
    (!profile.is_empty()).then(|| profile.to_owned())
}

/// Is the program: serves the request in this process's arguments and streams.
#[must_use]
pub fn main() -> ExitCode {
    harden_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    panics::answer_panics(Verb::parse(argument(&arguments)));
    let (mut stdin, mut stdout, mut stderr) =
        (io::stdin().lock(), Descriptor(rustix::stdio::stdout()), io::stderr().lock());
    let environment = Environment::from_process();
    log::start(&environment, &mut stderr);
    ExitCode::from(run(arguments, environment, &mut stdin, &mut stdout, &mut stderr))
}

/// Keeps this process's memory, with the secrets in it, out of core dumps and away from debuggers of other users.
/// What cannot be done is left.
pub fn harden_process() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn usage() -> String {
    let verbs: Vec<&str> = Verb::ALL.into_iter().map(Verb::as_str).collect();
    format!("Usage: {NAME} <{}>", verbs.join("|"))
}
