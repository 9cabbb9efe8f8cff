//! What the demo's containers run: a service, a question to it, and a way to the emulated AWS.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::args::GuestRole;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// The variable whose value the service answers with; only the service's container has it.
pub(crate) const ANSWER_VARIABLE: &str = "DEMO_ANSWER";

const QUESTION_DEADLINE: Duration = Duration::from_secs(10);

/// Plays `role`; returns the exit code.
pub(super) fn run(role: &GuestRole, outside: &Outside) -> Result<u8, CommandError> {
    match role {
        GuestRole::Serve { port } => serve(*port, outside.text(ANSWER_VARIABLE).unwrap_or_default()),
        GuestRole::Ask { address } => ask(address),
        GuestRole::Metadata { addresses } => metadata(addresses),
        GuestRole::Tar { file } => tar(file),
        GuestRole::WithAws { port, socket, command } => with_aws(*port, socket.clone(), command),
    }
    .map_err(|error| CommandError::new(exit_code::ENGINE_FAILED, format!("demo guest: {error}")))
}

fn serve(port: u16, answer: &str) -> io::Result<u8> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    for connection in listener.incoming() {
        // A visitor who only looks whether the port is open is none of the service's concern.
        let _ = connection.and_then(|mut connection| writeln!(connection, "{answer}"));
    }
    Ok(exit_code::OK)
}

fn ask(address: &str) -> io::Result<u8> {
    let resolved = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let connection = TcpStream::connect_timeout(&resolved, QUESTION_DEADLINE)?;
    connection.set_read_timeout(Some(QUESTION_DEADLINE))?;
    let mut answer = String::new();
    BufReader::new(connection.take(4096)).read_line(&mut answer)?;
    io::stdout().write_all(answer.as_bytes())?;
    Ok(exit_code::OK)
}

/// What `ecru doctor` has a container look at.
fn metadata(addresses: &[std::net::SocketAddr]) -> io::Result<u8> {
    let seen = serde_json::to_string(&ecru_doctor::checks::job_host::sight::sights(addresses))?;
    writeln!(io::stdout(), "{seen}")?;
    Ok(exit_code::OK)
}

fn tar(file: &Path) -> io::Result<u8> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut archive = tar::Builder::new(io::stdout().lock());
    archive.append_path_with_name(file, name)?;
    archive.into_inner()?.flush()?;
    Ok(exit_code::OK)
}

/// The emulator listens on this machine's loopback only, which a container cannot reach; its socket is mounted
/// instead, and a port on the container's own loopback leads there.
fn with_aws(port: u16, socket: PathBuf, command: &[String]) -> io::Result<u8> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let socket = socket.clone();
            std::thread::spawn(move || relay(&connection, &socket));
        }
    });
    let [program, arguments @ ..] = command else { return Err(io::ErrorKind::InvalidInput.into()) };
    let status = Command::new(program).args(arguments).status()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

fn relay(connection: &TcpStream, socket: &Path) -> io::Result<()> {
    let upstream = UnixStream::connect(socket)?;
    let (mut request, mut request_to) = (connection.try_clone()?, upstream.try_clone()?);
    let forward = std::thread::spawn(move || {
        let copied = io::copy(&mut request, &mut request_to);
        let _ = request_to.shutdown(Shutdown::Write);
        copied
    });
    let copied = io::copy(&mut &upstream, &mut &*connection);
    let _ = connection.shutdown(Shutdown::Both);
    let _ = forward.join();
    copied.map(drop)
}
