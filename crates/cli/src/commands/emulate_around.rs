//! `ecru emulate -- COMMAND`: a command on emulated AWS, with an emulated identity and no other.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::stage::Stage;

/// Variables that give an AWS client an identity, with the start of every value that is the emulator's own.
const IDENTITY_VARIABLES: [(&str, &[&str]); 11] = [
    ("AWS_ACCESS_KEY_ID", &["AKIAECRU", "ASIAECRU"]),
    ("AWS_SECRET_ACCESS_KEY", &["ecru-emulator/"]),
    ("AWS_SESSION_TOKEN", &["ecru-emulator-session-"]),
    ("AWS_PROFILE", &[]),
    ("AWS_DEFAULT_PROFILE", &[]),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", &[]),
    ("AWS_ROLE_ARN", &["arn:aws:iam::0000000000"]),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", &[]),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &["http://127.0.0.1:", "http://localhost:"]),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &["ecru-emulator"]),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &[]),
];
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const DEFAULT_REGION: &str = "us-east-1";
/// A proxy of the command's would look for the emulator on its own machine.
const LOOPBACK: &str = "127.0.0.1,localhost";

/// What is passed on to the command. The terminal itself sends the first two to everything in the foreground.
const SIGNALS: [(SignalKind, Signal, bool); 4] = [
    (SignalKind::interrupt(), Signal::INT, true),
    (SignalKind::quit(), Signal::QUIT, true),
    (SignalKind::terminate(), Signal::TERM, false),
    (SignalKind::hangup(), Signal::HUP, false),
];

/// The names of the set variables that stand for an identity which is not the emulator's.
pub(super) fn identity_variables(outside: &Outside) -> Vec<&'static str> {
    let is_real = |name: &str, own: &[&str]| {
        outside.variable(name).is_some_and(|value| {
            let value = value.to_string_lossy();
            !own.iter().any(|start| value.starts_with(start))
        })
    };
    IDENTITY_VARIABLES.iter().filter(|(name, own)| is_real(name, own)).map(|(name, _)| *name).collect()
}

/// The environment of the command: this process' own, with these variables of emulated AWS in place of every other AWS
/// setting but the region.
pub(super) fn environment(
    stage: &Stage,
    variables: Vec<(String, String)>,
    outside: &Outside,
    folder: &Path,
) -> Outside {
    let region = REGION_VARIABLES.iter().find_map(|name| outside.variable(name)).map(OsStr::to_owned);
    let region = region.unwrap_or_else(|| DEFAULT_REGION.into());
    let mut path = stage.programs().as_os_str().to_owned();
    path.push(":");
    path.push(outside.search_path());
    let clean = outside.clone().without_prefix("AWS_").without_prefix("ECRU_").with("PATH", path);
    // Files that do not exist, so that nobody's own come before the emulated identity.
    let clean = clean
        .with("AWS_CONFIG_FILE", folder.join("no-aws-config"))
        .with("AWS_SHARED_CREDENTIALS_FILE", folder.join("no-aws-credentials"));
    let direct = ["NO_PROXY", "no_proxy"].iter().fold(clean, |outside, name| {
        let mut hosts = outside.variable(name).map(OsStr::to_owned).unwrap_or_default();
        if !hosts.is_empty() {
            hosts.push(",");
        }
        hosts.push(LOOPBACK);
        outside.with(name, hosts)
    });
    let placed = REGION_VARIABLES.iter().fold(direct, |outside, name| outside.with(name, region.clone()));
    variables.into_iter().fold(placed, |outside, (name, value)| outside.with(&name, value))
}

/// Runs the command to its end and returns its exit code, 128 more than its signal if one ended it.
pub(super) async fn exit_code_of(
    command: &[OsString],
    stage: &Stage,
    environment: &Outside,
) -> Result<u8, CommandError> {
    let Some((program, arguments)) = command.split_first() else { return Ok(exit_code::OK) };
    // The listeners come first, so that no signal finds a command without them.
    let mut signals = Signals::listen().map_err(|error| not_run(program, &error))?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.variables())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_run(program, &error))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map(code_of).map_err(|error| not_run(program, &error));
            }
            signal = signals.next() => send(&child, signal),
            () = stage.emulator().stop_requested() => {
                send(&child, Signal::TERM);
                return child.wait().await.map(code_of).map_err(|error| not_run(program, &error));
            }
        }
    }
}

fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn send(child: &Child, signal: Signal) {
    // A child that has ended but was not waited for keeps its number, so nobody else gets the signal.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

fn not_run(program: &OsStr, error: &std::io::Error) -> CommandError {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => exit_code::NO_SUCH_COMMAND,
        _ => exit_code::COMMAND_NOT_RUN,
    };
    CommandError::new(code, format!("cannot run {}", program.display())).because(error.to_string())
}

/// The signals that this process gets in place of the command.
struct Signals([tokio::signal::unix::Signal; 4]);

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let [interrupt, quit, terminate, hangup] = SIGNALS.map(|(kind, _, _)| signal(kind));
        Ok(Self([interrupt?, quit?, terminate?, hangup?]))
    }

    /// The next one that the command would not get otherwise.
    async fn next(&mut self) -> Signal {
        loop {
            let Self([interrupt, quit, terminate, hangup]) = self;
            let index = tokio::select! {
                _ = interrupt.recv() => 0,
                _ = quit.recv() => 1,
                _ = terminate.recv() => 2,
                _ = hangup.recv() => 3,
            };
            let (_, signal, from_terminal) = SIGNALS[index];
            if !(from_terminal && std::io::stdin().is_terminal()) {
                return signal;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_own_identity_is_not_a_real_one() {
        let own = Outside::default()
            .with("AWS_ACCESS_KEY_ID", "AKIAECRUEMULATOR0000")
            .with("AWS_SECRET_ACCESS_KEY", "ecru-emulator/not-real-keys/000000000000")
            .with("AWS_REGION", "eu-west-1")
            .with("AWS_PROFILE", "");
        assert_eq!(identity_variables(&own), [""; 0]);
        let real = own.with("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").with("AWS_PROFILE", "work");
        assert_eq!(identity_variables(&real), ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]);
    }

    #[test]
    fn an_exit_code_is_passed_on_and_a_signal_is_told_as_shells_do() {
        assert_eq!(code_of(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code_of(ExitStatus::from_raw(15)), 143);
    }
}
