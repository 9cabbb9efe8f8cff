//! One file per command: arguments in, library calls, exit code out.

mod cache;
mod check;
pub(crate) mod demo_guest;
mod doctor;
mod emit;
mod emulate;
mod emulate_around;
mod emulate_identity;
mod explain;
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
        Command::Run(args) => in_runtime(async |cancelled| run::run(args, outside, cancelled).await),
        // Its signals are the command's, not ecru's.
        Command::Emulate(args) if !args.command.is_empty() => {
            runtime()?.block_on(emulate::run_around_command(args, outside))
        }
        Command::Check(args) => in_runtime(async |cancelled| check::run(args, outside, cancelled).await),
        Command::Emulate(args) => in_runtime(async |cancelled| emulate::run(args, outside, cancelled).await),
        Command::Explain(args) => explain::run(args, outside),
        Command::Setup(args) => setup::run(args, outside),
        Command::Emit(args) => emit::run(args),
        Command::Doctor(args) => in_runtime(async |cancelled| doctor::run(args, outside, cancelled).await),
        Command::Demo(args) => in_runtime(async |cancelled| demo::run(args, outside, cancelled).await),
        Command::Token(args) => token::run(args, outside),
        Command::Whoami(args) => whoami::run(args, outside),
        Command::Cache(command) => cache::run(command, outside),
        Command::DemoGuest(args) => demo_guest::run(&args.role, outside),
    }
}

fn in_runtime(
    work: impl AsyncFnOnce(&CancellationToken) -> Result<u8, CommandError>,
) -> Result<u8, CommandError> {
    runtime()?.block_on(async { work(&cancelled_by_signal()).await })
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
