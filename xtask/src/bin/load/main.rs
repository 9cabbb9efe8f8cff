//! `load` asks a server on this machine for as much as it can give: a part of `cargo xtask bench emulator`.
//!
//! It is a program of its own so that it can be built with optimisations: it shares the processors with the server,
//! and what it needs itself counts against that. It knows nothing of what it sends: a request is read from its
//! standard input as the bytes that go over the wire.
//!
//! * `load requests ADDRESS CONNECTIONS SECONDS` sends the request again and again on many connections, and prints how
//!   many answers were good, how many were not, and the nanoseconds that it took.
//! * `load transfer ADDRESS [FILE]` sends the request once, followed by the file, reads the answer to its end, and
//!   prints its status, the length of its body, and the nanoseconds that it took.
#![expect(clippy::print_stdout, reason = "the numbers are its output")]

mod answer;
mod requests;
mod transfer;

use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;
    match arguments.as_slice() {
        ["requests", address, connections, seconds] => {
            let tally = requests::tally(address.parse()?, connections.parse()?, seconds.parse()?, &request)?;
            println!("{} {} {}", tally.good, tally.bad, tally.took.as_nanos());
        }
        ["transfer", address, file @ ..] => {
            let file = file.first().map(File::open).transpose().context("the file to send")?;
            let transfer = transfer::of(address.parse()?, &request, file)?;
            println!("{} {} {}", transfer.status, transfer.length, transfer.took.as_nanos());
        }
        _ => bail!("usage: load requests ADDRESS CONNECTIONS SECONDS | load transfer ADDRESS [FILE]"),
    }
    Ok(())
}
