//! A Docker engine inside the namespaces.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ecru_testkit::Sandbox;

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Where clients look for an engine if nobody tells them; in the namespaces, `/run` is empty and ours.
const HOST: &str = "unix:///var/run/docker.sock";

/// A `dockerd` with its files in a sandbox; it ends with this value.
pub(crate) struct Engine {
    dockerd: Child,
    /// Its address, in the form of `DOCKER_HOST`.
    pub(crate) host: String,
}

impl Engine {
    /// Starts one and waits until it answers.
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        let folder = sandbox.root().join("engine");
        // In memory: the layers of a container must not lie on an overlay, which /tmp may be in a container.
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&folder).status().unwrap();
        assert!(mounted.success());
        let at = |name: &str| folder.join(name);
        let log = File::create(at("log")).unwrap();
        let dockerd = Command::new("dockerd")
            .args(["--host", HOST])
            .args([Path::new("--data-root"), &at("data"), Path::new("--exec-root"), &at("exec")])
            .args([Path::new("--pidfile"), &at("pid")])
            .env_clear()
            .envs(sandbox.environment())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut engine = Self { dockerd, host: HOST.to_owned() };
        engine.wait_until_it_answers(sandbox, &at("log"));
        engine
    }

    fn wait_until_it_answers(&mut self, sandbox: &Sandbox, log: &Path) {
        let started = Instant::now();
        let answers = || sandbox.command("docker").args(["--host", &self.host, "version"]).ok().is_ok();
        while !answers() {
            let ended = self.dockerd.try_wait().unwrap();
            let is_late = started.elapsed() > START_DEADLINE;
            assert!(ended.is_none() && !is_late, "no engine: {}", std::fs::read_to_string(log).unwrap());
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Its own signal to end, so that it removes the control groups of its containers.
        let _ = Command::new("kill").arg(self.dockerd.id().to_string()).status();
        let asked = Instant::now();
        while asked.elapsed() < STOP_DEADLINE && matches!(self.dockerd.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
    }
}
