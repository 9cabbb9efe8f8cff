//! The program `load`, which asks servers for as much as they can give.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::outside;

/// How many requests at a time.
pub(super) const CONNECTIONS: u32 = 1000;
/// How long one round of requests is, in seconds.
const SECONDS: u32 = 3;

/// The program, ready to be run.
#[derive(Debug)]
pub(super) struct Load(pub(super) PathBuf);

/// One round of requests.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) good: u64,
    pub(super) bad: u64,
    pub(super) per_second: f64,
}

impl Load {
    /// Repeats `request` on all connections.
    ///
    /// # Errors
    /// Fails when not all connections can be made.
    pub(super) fn requests(&self, address: SocketAddr, request: &[u8]) -> Result<Requests> {
        let (connections, seconds) = (CONNECTIONS.to_string(), SECONDS.to_string());
        let arguments = ["requests", &address.to_string(), &connections, &seconds];
        let [good, bad, nanoseconds] = self.numbers(&arguments, None, request)?;
        let took = Duration::from_nanos(nanoseconds).as_secs_f64();
        Ok(Requests { good, bad, per_second: good as f64 / took })
    }

    /// Bytes per second of the answer to one request.
    ///
    /// # Errors
    /// Fails when it is not answered with 200 and a body of `length` bytes.
    pub(super) fn download(&self, address: SocketAddr, request: &[u8], length: u64) -> Result<f64> {
        let arguments = ["transfer", &address.to_string()];
        let [status, got, nanoseconds] = self.numbers(&arguments, None, request)?;
        ensure!((status, got) == (200, length), "the answer is {status} with {got} of {length} bytes");
        Ok(length as f64 / Duration::from_nanos(nanoseconds).as_secs_f64())
    }

    /// Bytes per second of a request with a file as its body, until it is answered.
    ///
    /// # Errors
    /// Fails when it is not answered with 201 or 204.
    pub(super) fn upload(&self, address: SocketAddr, head: &[u8], file: &Path) -> Result<f64> {
        let arguments = ["transfer", &address.to_string()];
        let [status, _, nanoseconds] = self.numbers(&arguments, Some(file), head)?;
        ensure!(matches!(status, 201 | 204), "the answer is {status}");
        Ok(file.metadata()?.len() as f64 / Duration::from_nanos(nanoseconds).as_secs_f64())
    }

    fn numbers(&self, arguments: &[&str], file: Option<&Path>, input: &[u8]) -> Result<[u64; 3]> {
        let mut command = outside::command(&self.0);
        command.args(arguments).args(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start `load`")?;
        child.stdin.take().context("it has no stdin")?.write_all(input)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "`load {}` failed", arguments.join(" "));
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        numbers.try_into().ok().with_context(|| format!("`load` says `{text}`"))
    }
}
