//! A Docker engine for the tests: the one that answers, or one of our own.

use std::fs::File;
use std::net::ToSocketAddrs as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::http::Request;
use crate::{outside, process_group};

const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
const START_DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// How much of the log of an engine that failed is shown.
const LOG_LINES: usize = 30;

/// An engine that answers; one that we started ends with this value.
#[derive(Debug)]
pub(super) struct Engine {
    /// Its address, in the form of `DOCKER_HOST`.
    pub(super) host: String,
    own: Option<OwnEngine>,
}

impl Engine {
    /// The engine that `DOCKER_HOST` names or that listens at the usual place, or else a new one.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn find_or_start(stopped: impl Fn() -> bool) -> Result<Self> {
        let named = outside::variable("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned());
        let candidate = named.clone().unwrap_or_else(|| DEFAULT_HOST.to_owned());
        match ping(&candidate) {
            Ok(()) => return Ok(Self { host: candidate, own: None }),
            // Whoever names an engine means that one.
            Err(error) if named.is_some() => {
                return Err(error.context(format!("DOCKER_HOST is `{candidate}`")));
            }
            Err(_) => {}
        }
        ensure!(outside::is_root(), "no engine answers at {DEFAULT_HOST}, and only root can start one");
        let own = OwnEngine::start(stopped)?;
        Ok(Self { host: format!("unix://{}", own.socket().display()), own: Some(own) })
    }

    /// Whether it was started by us.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }
}

/// A `dockerd` with a folder of its own.
#[derive(Debug)]
struct OwnEngine {
    folder: TempDir,
    dockerd: Child,
}

impl OwnEngine {
    fn start(stopped: impl Fn() -> bool) -> Result<Self> {
        let program = outside::program("dockerd").context("`dockerd` is not installed")?;
        // Below /tmp, whatever TMPDIR says: the path of a socket holds 107 bytes (unix(7)).
        let folder = tempfile::Builder::new().prefix("ecru-engine-").tempdir_in("/tmp")?;
        let at = |name: &str| folder.path().join(name);
        let log = File::create(at("log"))?;
        let dockerd = outside::command(program)
            .arg("--host")
            .arg(format!("unix://{}", at("docker.sock").display()))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            // No default network and no routing: containers meet in networks of their own, and nothing that a test
            // does needs the world. Filter rules stay on, for they let containers meet where forwarding is denied.
            .args(["--bridge=none", "--ip-forward=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start `dockerd`")?;
        let mut own = Self { folder, dockerd };
        own.wait_until_it_answers(stopped).inspect_err(|_| own.show_log())?;
        Ok(own)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    fn wait_until_it_answers(&mut self, stopped: impl Fn() -> bool) -> Result<()> {
        let host = format!("unix://{}", self.socket().display());
        let started = Instant::now();
        loop {
            let Err(error) = ping(&host) else { return Ok(()) };
            if let Some(status) = self.dockerd.try_wait()? {
                bail!("`dockerd` ended at its start: {status}");
            }
            ensure!(!stopped(), "stopped by a signal");
            if started.elapsed() > START_DEADLINE {
                return Err(error.context("`dockerd` does not answer"));
            }
            std::thread::sleep(POLL);
        }
    }

    fn show_log(&self) {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
            println!("dockerd: {line}");
        }
    }
}

impl OwnEngine {
    /// Removes what failed tests left behind: a network is a device of this machine, and outlives its engine.
    fn remove_leftovers(&self) {
        const SCRIPT: &str = "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes && \
                              docker network prune --force";
        let host = format!("unix://{}", self.socket().display());
        let mut shell = outside::command("timeout");
        shell.args(["30", "sh", "-c", SCRIPT]).env("DOCKER_HOST", host);
        let _ = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.remove_leftovers();
        if let Err(error) = process_group::end(&mut self.dockerd) {
            println!("test: the engine: {error:#}");
        }
        // Layers and network namespaces that the engine did not get to.
        for mount in mounts_below(self.folder.path()) {
            let _ = outside::command("umount").arg("--lazy").arg(mount).status();
        }
        if let Err(error) = std::fs::remove_dir_all(self.folder.path()) {
            println!("test: cannot remove {}: {error}", self.folder.path().display());
        }
    }
}

/// The mount points below `folder`, the innermost first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // The fifth field is the mount point (proc_pid_mountinfo(5)); our folders have no character that is escaped.
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut below: Vec<_> = points.filter(|point| point.starts_with(folder)).collect();
    below.reverse();
    below
}

/// Asks an engine whether it is there (Docker Engine API, `GET /_ping`).
fn ping(host: &str) -> Result<()> {
    let request = Request { method: "GET", path: "/_ping", headers: &[] };
    let answer = if let Some(path) = host.strip_prefix("unix://") {
        request.send_to_socket(Path::new(path))
    } else if let Some(address) = host.strip_prefix("tcp://") {
        let address =
            address.to_socket_addrs()?.next().with_context(|| format!("`{host}` has no address"))?;
        request.send_to(address)
    } else {
        bail!("`{host}` is neither unix:// nor tcp://")
    };
    answer.map(drop).with_context(|| format!("no engine answers at {host}"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn answered(answer: &'static [u8]) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A connection that is closed with something unread in it is reset, and the answer may be lost.
            let request = BufReader::new(&stream);
            request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(answer).unwrap();
        });
        let result = ping(&host);
        server.join().unwrap();
        result
    }

    #[test]
    fn only_an_engine_that_says_ok_is_one() {
        assert!(answered(b"HTTP/1.0 200 OK\r\n\r\nOK").is_ok());
        assert!(answered(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").is_err());
        assert!(ping("unix:///nonexistent/docker.sock").is_err());
        assert!(ping("ssh://host").is_err());
    }
}
