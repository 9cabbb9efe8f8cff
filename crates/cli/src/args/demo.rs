//! `ecru demo`, and the guests in its containers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `ecru demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Plain lines instead of progress bars
    #[arg(long)]
    pub plain: bool,
    /// Tell the story without a Docker engine even where there is one
    #[arg(long)]
    pub no_engine: bool,
}

/// `ecru demo-guest`
#[derive(Debug, Args)]
pub struct GuestArgs {
    /// What the guest does.
    #[command(subcommand)]
    pub role: GuestRole,
}

/// What a container of the demo does.
#[derive(Debug, Subcommand)]
pub enum GuestRole {
    /// The service: answers each connection with one line
    Serve {
        /// The port to listen on
        port: u16,
    },
    /// The job's question to the service: prints the answer
    Ask {
        /// The service, as `alias:port`
        address: String,
    },
    /// Prints what is seen of the instance metadata at each address, as JSON
    Metadata {
        /// The addresses, with ports
        #[arg(required = true)]
        addresses: Vec<std::net::SocketAddr>,
    },
    /// Writes a tar archive with one file to standard output, for `docker import -`
    Tar {
        /// The file
        file: PathBuf,
    },
    /// Runs a command that finds the emulated AWS on 127.0.0.1
    WithAws {
        /// The port on 127.0.0.1 at which the command finds AWS
        port: u16,
        /// The emulator's socket
        socket: PathBuf,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}
