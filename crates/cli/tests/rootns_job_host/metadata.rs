//! Emulated instance metadata behind a network of its own, so that packets from containers to it are forwarded.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use ecru_testkit::Sandbox;

/// Where it answers.
pub(crate) const ADDRESS: &str = "192.0.2.254";

/// Makes the network; its arguments are where the emulator listens in it.
const NETWORK: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rootns/metadata_network.sh"), "127.0.0.1:80"];

/// As with a hop limit of 1: what carries an answer does not survive being forwarded, the rest of a connection does.
const HOP_LIMIT_1: &str = "
add table ip hops
add chain ip hops out { type filter hook postrouting priority -150 ; }
add rule ip hops out ip length > 100 ip ttl set 1
";

pub(crate) struct Metadata {
    emulator: Child,
}

impl Metadata {
    /// Starts it; there is one in each stage.
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        sandbox.command("bash").args(NETWORK).assert().success();
        let mut emulator = Command::new("ip")
            .args(["netns", "exec", "metadata", env!("CARGO_BIN_EXE_ecru")])
            .args(["emulate", "--format", "json", "--port", "80"])
            .env_clear()
            .envs(sandbox.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(emulator.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with('{'), "no emulator: {ready}");
        Self { emulator }
    }

    /// From now on answers reach the host and no container.
    pub(crate) fn limit_hops(&self, sandbox: &Sandbox) {
        let mut nft = sandbox.command("ip");
        nft.args(["netns", "exec", "metadata", "nft", "-f", "-"]).write_stdin(HOP_LIMIT_1).assert().success();
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}
