//! A root directory with the program alone in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::stage::program;

/// The name of the program in the root.
const PROGRAM: &str = "docker-credential-ecr-login";

/// Runs `$3` in the root `$1` as `$2`; what a container's runtime does, without one.
const WRITABLE: &str = r#"exec chroot --userspec="$2" "$1" "/$3" "$4""#;
const READ_ONLY: &str = r#"
    mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec chroot --userspec="$2" "$1" "/$3" "$4"
"#;

/// A root directory, and what becomes of the program there.
pub(crate) struct EmptyRoot {
    folder: tempfile::TempDir,
    script: &'static str,
    user: u32,
    program: String,
}

impl EmptyRoot {
    /// One that belongs to root, who runs the program there.
    pub(crate) fn new(is_writable: bool) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program(), folder.path().join(PROGRAM)).unwrap();
        let script = if is_writable { WRITABLE } else { READ_ONLY };
        Self { folder, script, user: 0, program: PROGRAM.to_owned() }
    }

    /// The same with another user.
    pub(crate) fn with_user(mut self, user: u32) -> Self {
        self.user = user;
        self
    }

    /// Calls the program by its name with this behind it from now on.
    pub(crate) fn call_as(&mut self, suffix: &str) {
        let name = format!("{PROGRAM}-{suffix}");
        fs::hard_link(self.path(PROGRAM), self.path(&name)).unwrap();
        self.program = name;
    }

    /// Where something in it is for the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that belongs to root, as do the folders that it needs.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs the program, which hears of nothing but `variables`.
    pub(crate) fn run(&self, variables: &[(String, String)], verb: &str, request: &str) -> Output {
        let mut shell = Command::new("unshare");
        let user = format!("{0}:{0}", self.user);
        shell.args(["--mount", "sh", "-c", self.script, "sh"]).arg(self.folder.path());
        shell.args([&user, &self.program, verb]);
        shell.env_clear().envs(variables.iter().cloned()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut child =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(request.as_bytes());
        child.wait_with_output().unwrap()
    }
}
