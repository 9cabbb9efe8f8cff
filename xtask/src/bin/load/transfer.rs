//! One request with a large body, or a large answer.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::answer::Head;

/// How long the other side may be silent.
const SILENCE: Duration = Duration::from_secs(120);
/// Small enough to stay in a processor's cache.
const BUFFER: usize = 256 * 1024;
const MAX_HEAD: usize = 64 * 1024;

/// How it went.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) status: u16,
    /// Bytes of the answer's body.
    pub(crate) length: u64,
    /// From the first byte of the request to the last one of the answer.
    pub(crate) took: Duration,
}

/// Sends the request's head, and the file if there is one, which the kernel does by itself; reads the answer.
pub(crate) fn of(address: SocketAddr, head: &[u8], file: Option<File>) -> Result<Transfer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let started = Instant::now();
    stream.write_all(head)?;
    if let Some(mut file) = file {
        std::io::copy(&mut file, &mut stream).context("the server takes no more")?;
    }

    let (mut buffer, mut filled) = (vec![0; BUFFER], 0);
    let head = loop {
        let read = stream.read(&mut buffer[filled..])?;
        filled += read;
        if let Some(head) = Head::of(&buffer[..filled])? {
            break head;
        }
        ensure!(read > 0 && filled < MAX_HEAD, "the answer has no head");
    };
    let mut length = (filled - head.length) as u64;
    while length < head.content_length {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the answer ends after {length} of {} bytes", head.content_length);
        length += read as u64;
    }
    Ok(Transfer { status: head.status, length, took: started.elapsed() })
}
