//! One request on many connections, again and again.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::answer::Head;

/// How long the last answers may take once no more is asked.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// More than an answer.
const BUFFER: usize = 64 * 1024;

/// How it went.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Answers with status 200.
    pub(crate) good: u64,
    /// Other answers, connections that broke, and requests that were never answered.
    pub(crate) bad: u64,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

/// Sends `request` for some seconds on so many connections, on each as soon as it has the answer to the last one.
pub(crate) fn tally(address: SocketAddr, connections: usize, seconds: u64, request: &[u8]) -> Result<Tally> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut clients = Vec::with_capacity(connections);
    for index in 0..connections {
        let stream = TcpStream::connect(address).with_context(|| format!("connection {index}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
        clients.push(Client { stream, partial: Vec::new() });
    }

    let (started, time) = (Instant::now(), Duration::from_secs(seconds));
    let (mut tally, mut open) = (Tally { good: 0, bad: 0, took: time }, 0);
    for client in &mut clients {
        client.stream.write_all(request)?;
        open += 1;
    }
    let (mut events, mut buffer) = (Vec::with_capacity(connections), vec![0; BUFFER]);
    while open > 0 && started.elapsed() < time + LAST_ANSWERS {
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&TICK))?;
        let is_over = started.elapsed() >= time;
        for event in events.drain(..) {
            let client = &mut clients[usize::try_from(event.data.u64())?];
            match client.status(&mut buffer) {
                Ok(None) => continue,
                Ok(Some(200)) => tally.good += 1,
                Ok(Some(_)) => tally.bad += 1,
                Err(_) => {
                    tally.bad += 1;
                    open -= 1;
                    epoll::delete(&epoll, &client.stream)?;
                    continue;
                }
            }
            if is_over || client.stream.write_all(request).is_err() {
                open -= 1;
            }
        }
    }
    tally.bad += open;
    tally.took = started.elapsed();
    Ok(tally)
}

struct Client {
    stream: TcpStream,
    /// What has arrived of an answer that is not complete.
    partial: Vec<u8>,
}

impl Client {
    /// The status of an answer that has arrived completely.
    fn status(&mut self, buffer: &mut [u8]) -> Result<Option<u16>> {
        let read = match self.stream.read(buffer) {
            Ok(0) => anyhow::bail!("the server closed the connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // As a rule an answer comes in one piece, which need not be copied.
        let is_first = self.partial.is_empty();
        if !is_first {
            self.partial.extend_from_slice(&buffer[..read]);
        }
        let arrived = if is_first { &buffer[..read] } else { self.partial.as_slice() };
        let head = Head::of(arrived)?
            .filter(|head| arrived.len() as u64 >= head.length as u64 + head.content_length);
        match head {
            Some(head) => {
                self.partial.clear();
                Ok(Some(head.status))
            }
            None => {
                if is_first {
                    self.partial.extend_from_slice(&buffer[..read]);
                }
                Ok(None)
            }
        }
    }
}
