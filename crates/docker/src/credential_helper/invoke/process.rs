//! Running a helper's program within its limits.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;

use super::{Completed, InvokeError, MAX_STDERR_BYTES, MAX_STDOUT_BYTES, Output, User, given};
use crate::credential_helper::message::Verb;

/// How often the end of a helper is looked for that has already closed its outputs.
const EXIT_POLL: Duration = Duration::from_millis(2);

/// How much is read at once; no answer with a registry password is longer.
const CHUNK_BYTES: usize = 8 * 1024;

/// What a helper is asked, and as whom it is started.
pub(super) struct Asked<'a> {
    pub(super) verb: Verb,
    pub(super) request: &'a str,
    pub(super) user: Option<User>,
}

/// Runs `program verb` with the request on its stdin until its end, or kills it at the deadline.
///
/// # Errors
/// If it could not be started, did not end in time, or wrote too much.
pub(super) fn run(
    program: PathBuf,
    asked: Asked<'_>,
    environment: &[(OsString, OsString)],
    deadline: Duration,
) -> Result<Completed, InvokeError> {
    let Asked { verb, request, user } = asked;
    let started = Instant::now();
    let mut command = Command::new(&program);
    if let Some(User { uid, gid }) = user {
        // The standard library gives up root's further groups with the user's number.
        command.uid(uid).gid(gid);
    }
    let child = command
        .arg(verb.as_str())
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| InvokeError::NotStarted { program: program.clone(), source })?;
    let mut running = Running { child, program, verb, started, deadline };
    let ended = running.communicate(request);
    if ended.is_err() {
        running.kill();
    }
    let Ended { status, stdout, stderr } = ended?;
    Ok(Completed {
        program: running.program,
        verb,
        status,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        duration: started.elapsed(),
        stdout: Output(stdout),
        given: given(verb, request),
    })
}

/// A started helper, which leads a process group of its own.
struct Running {
    child: Child,
    program: PathBuf,
    verb: Verb,
    started: Instant,
    deadline: Duration,
}

struct Ended {
    status: ExitStatus,
    stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

impl Running {
    fn communicate(&mut self, request: &str) -> Result<Ended, InvokeError> {
        self.write_request(request).map_err(|source| self.unreadable(source))?;
        let [stdout, stderr] = self.read_outputs()?;
        let status = self.wait()?;
        Ok(Ended { status, stdout, stderr })
    }

    /// Writes the request and closes stdin. A helper may end without reading it: no failure.
    fn write_request(&mut self, request: &str) -> io::Result<()> {
        let Some(mut stdin) = self.child.stdin.take() else { return Ok(()) };
        match stdin.write_all(request.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn read_outputs(&mut self) -> Result<[Zeroizing<Vec<u8>>; 2], InvokeError> {
        let mut stdout = Stream::new(self.child.stdout.take().map(OwnedFd::from));
        let mut stderr = Stream::new(self.child.stderr.take().map(OwnedFd::from));
        while stdout.is_open() || stderr.is_open() {
            let remaining = self.remaining()?;
            read_ready([&mut stdout, &mut stderr], remaining).map_err(|source| self.unreadable(source))?;
            if stdout.bytes.len() > MAX_STDOUT_BYTES {
                return Err(self.output_too_long());
            }
            stderr.bytes.truncate(MAX_STDERR_BYTES);
        }
        Ok([stdout.bytes, stderr.bytes])
    }

    fn wait(&mut self) -> Result<ExitStatus, InvokeError> {
        loop {
            if let Some(status) = self.child.try_wait().map_err(|source| self.unreadable(source))? {
                return Ok(status);
            }
            std::thread::sleep(self.remaining()?.min(EXIT_POLL));
        }
    }

    /// The time that is left.
    fn remaining(&self) -> Result<Duration, InvokeError> {
        let remaining = self.deadline.saturating_sub(self.started.elapsed());
        if remaining.is_zero() {
            return Err(InvokeError::TimedOut {
                program: self.program.clone(),
                verb: self.verb,
                deadline: self.deadline,
            });
        }
        Ok(remaining)
    }

    fn output_too_long(&self) -> InvokeError {
        InvokeError::OutputTooLong { program: self.program.clone(), verb: self.verb, limit: MAX_STDOUT_BYTES }
    }

    fn unreadable(&self, source: io::Error) -> InvokeError {
        InvokeError::Unreadable { program: self.program.clone(), verb: self.verb, source }
    }

    /// Kills the whole process group and takes the helper's remains away.
    fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// One output of the helper.
struct Stream {
    /// `None` once it is closed.
    pipe: Option<File>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Stream {
    fn new(pipe: Option<OwnedFd>) -> Self {
        Self { pipe: pipe.map(File::from), bytes: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)) }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads once; blocks unless the pipe is known to be ready.
    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
        match pipe.read(&mut *chunk) {
            Ok(0) => self.pipe = None,
            Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Waits until an open stream can be read or `timeout` has passed, and reads from those that can.
fn read_ready(streams: [&mut Stream; 2], timeout: Duration) -> io::Result<()> {
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    for stream in ready(streams, &timeout)? {
        stream.read()?;
    }
    Ok(())
}

fn ready<'a>(streams: [&'a mut Stream; 2], timeout: &Timespec) -> io::Result<Vec<&'a mut Stream>> {
    let mut fds: Vec<_> = streams
        .iter()
        .filter_map(|stream| stream.pipe.as_ref())
        .map(|pipe| PollFd::new(pipe, PollFlags::IN))
        .collect();
    match poll(&mut fds, Some(timeout)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let events: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
    let open = streams.into_iter().filter(|stream| stream.is_open());
    Ok(open.zip(events).filter_map(|(stream, is_ready)| is_ready.then_some(stream)).collect())
}
