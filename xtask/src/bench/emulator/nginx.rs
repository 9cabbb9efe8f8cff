//! nginx, for comparison: it serves a folder, and takes files into another.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::{outside, process_group};

pub(super) const PROGRAM: &str = "nginx";
const START_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// For `timeout`(1), in seconds.
const DOWNLOAD_DEADLINE: &str = "300";

/// The program: the machine's own, or that of Debian's package, unpacked where nothing starts it as a service.
///
/// # Errors
/// Says why there is none.
pub(super) fn program() -> Result<PathBuf> {
    if let Some(installed) = outside::program(PROGRAM) {
        return Ok(installed);
    }
    let cache = outside::cache_folder()?.join(PROGRAM);
    let program = cache.join("root/usr/sbin").join(PROGRAM);
    if !program.is_file() {
        ensure!(outside::is_debian(), "it is not installed, and this is not Debian");
        std::fs::create_dir_all(cache.join("root"))?;
        let mut apt_get = outside::command("timeout");
        apt_get.args([DOWNLOAD_DEADLINE, "apt-get", "-qq", "-o", "APT::Sandbox::User=root"]);
        run(apt_get.args(["download", PROGRAM]).current_dir(&cache)).context("cannot download it")?;
        let unpack = "dpkg -x nginx_*.deb root";
        run(outside::command("sh").args(["-c", unpack]).current_dir(&cache))?;
    }
    version(&program)?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(said)
}

/// What nginx calls itself, such as `1.22.1`.
///
/// # Errors
/// Fails when it does not run, such as for want of a library.
pub(super) fn version(program: &Path) -> Result<String> {
    let said = run(outside::command(program).arg("-v")).context("nginx does not run")?;
    Ok(said.rsplit('/').next().unwrap_or_default().to_owned())
}

/// A running nginx; it ends with this value.
#[derive(Debug)]
pub(super) struct Nginx {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// Starts one whose files are all below `folder`: it serves `folder/files`, and takes PUT into
    /// `folder/files/taken`.
    ///
    /// # Errors
    /// Fails when it does not accept connections within ten seconds.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder.join("files/taken"))?;
        std::fs::create_dir_all(folder.join("temporary"))?;
        // Free a moment ago. Nobody else on a machine that measures takes ports in between.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.join("nginx.conf");
        std::fs::write(&config, configuration(folder, address))?;
        let child = outside::command(program)
            .args([Path::new("-p"), folder, Path::new("-c"), &config])
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start nginx")?;
        let mut nginx = Self { child, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = nginx.child.try_wait()?;
            ensure!(ended.is_none() && started.elapsed() < START_DEADLINE, "nginx does not answer");
            std::thread::sleep(POLL);
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Err(error) = process_group::end(&mut self.child) {
            println!("bench: nginx: {error:#}");
        }
    }
}

/// As Debian's own configuration has it where it matters: a worker for each processor, sendfile, tcp_nopush.
fn configuration(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    // A worker changes to an unprivileged user if its master is root's, and the folder is only for us.
    let user = if outside::is_root() { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;\nworker_processes auto;\npid {folder}/pid;\n\
         events {{ worker_connections 768; }}\n\
         http {{\n\
         sendfile on;\ntcp_nopush on;\naccess_log off;\nclient_max_body_size 0;\n\
         client_body_temp_path {folder}/temporary/body;\nproxy_temp_path {folder}/temporary/proxy;\n\
         fastcgi_temp_path {folder}/temporary/fastcgi;\nuwsgi_temp_path {folder}/temporary/uwsgi;\n\
         scgi_temp_path {folder}/temporary/scgi;\n\
         server {{ listen {address}; root {folder}/files; location /taken/ {{ dav_methods PUT; }} }}\n\
         }}\n"
    )
}
