//! The way into namespaces of our own.

use std::path::Path;
use std::process::Command;

const INSIDE: &str = "ECRU_TEST_INSIDE_NAMESPACES";

/// Where the credential helper of others is, for the tests that use it.
const PEER: &str = "ECRU_PEER";

/// The time for everything inside, in seconds; it takes about ten on an idle machine.
const DEADLINE: &str = "300";

/// Whether this process is the one that was started inside.
#[expect(clippy::disallowed_methods, reason = "a test that runs itself again is told so by its environment")]
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

#[expect(clippy::disallowed_methods, reason = "the peer for tests is named by the environment")]
fn peer() -> Option<std::ffi::OsString> {
    std::env::var_os(PEER)
}

/// Runs the test `name` of this program again in new mount, network and process namespaces, and fails if it fails.
pub(crate) fn run_again_inside(name: &str) {
    let stage = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rootns/stage.sh");
    let program = std::env::current_exe().unwrap();
    // Everything inside is below this folder, which goes when all mounts in it have gone with the namespaces.
    let folder = tempfile::Builder::new().prefix("ecru-rootns-").tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["--foreground", "--kill-after=10", DEADLINE])
        .args(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"])
        .args([&stage, &program])
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TMPDIR", folder.path())
        .env(INSIDE, "yes")
        .envs(peer().map(|path| (PEER, path)))
        .output()
        .unwrap();
    folder.close().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{text}", output.status);
    assert!(text.contains("1 passed"), "it did not run inside:\n{text}");
}
