//! One file per command: arguments in, library calls, exit code out.

mod cache;
mod check;
mod completions;
pub(crate) mod demo_guest;
mod doctor;
mod emit;
mod emulate;
mod emulate_around;
mod emulate_identity;
mod explain;
mod man;
mod run;
mod setup;
mod token;
mod whoami;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::Command;
use crate::demo;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// Carries out `command` and returns what the process exits with.
pub(crate) fn exit_code_of(command: Command, outside: &Outside) -> Result<u8, CommandError> {
    match &command {
        Command::Run(args) => until_cancelled(async |cancelled| run::run(args, outside, cancelled).await),
        // Its signals are the command's, not ecru's.
        Command::Emulate(args) if !args.command.is_empty() => {
            in_runtime(async || emulate::run_around_command(args, outside).await)
        }
        Command::Check(args) => until_cancelled(async |cancelled| check::run(args, outside, cancelled).await),
        Command::Emulate(args) => {
            until_cancelled(async |cancelled| emulate::run(args, outside, cancelled).await)
        }
        Command::Explain(args) => explain::run(args, outside),
        Command::Setup(args) => setup::run(args, outside),
        Command::Emit(args) => emit::run(args),
        Command::Doctor(args) => {
            until_cancelled(async |cancelled| doctor::run(args, outside, cancelled).await)
        }
        Command::Demo(args) => until_cancelled(async |cancelled| demo::run(args, outside, cancelled).await),
        Command::Token(args) => token::run(args, outside),
        Command::Whoami(args) => whoami::run(args, outside),
        Command::Cache(command) => cache::run(command, outside),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::DemoGuest(args) => demo_guest::run(&args.role, outside),
    }
}

/// Does `work`, which is told of the first Ctrl-C or SIGTERM.
fn until_cancelled(
    work: impl AsyncFnOnce(&CancellationToken) -> Result<u8, CommandError>,
) -> Result<u8, CommandError> {
    in_runtime(async || work(&cancelled_by_signal()).await)
}

fn in_runtime(work: impl AsyncFnOnce() -> Result<u8, CommandError>) -> Result<u8, CommandError> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async { work().await });
    // A look-up of a name cannot be cancelled: its thread is left behind. Dropping the runtime would wait for it, beyond
    // every deadline and deaf to signals, whose handlers stay.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error(exit_code::ENGINE_FAILED, &error))
}

/// Cancelled by the first Ctrl-C or SIGTERM. A second one ends the process as if there were no handler.
fn cancelled_by_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        cancelled.cancel();
        next().await;
        std::process::exit(exit_code::INTERRUPTED.into());
    });
    token
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_still_waits_does_not_keep_the_command_from_ending() {
        let (answer, resolver) = channel::<()>();
        let (ended, end) = channel();
        std::thread::spawn(move || {
            let outcome = in_runtime(async || {
                drop(tokio::task::spawn_blocking(move || resolver.recv()));
                Ok(7)
            });
            let _ = ended.send(outcome.ok());
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(Some(7)));
        drop(answer);
    }
}
