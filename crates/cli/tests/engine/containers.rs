//! `ecru setup runner` and `ecru doctor` in real containers: with busybox, with a Debian shell, and with nothing at all.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{MutexGuard, PoisonError};

use serde_json::Value;

use crate::stage::{ECRU, TURN, docker_host};

const HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// Where `ecru` is mounted: nobody's PATH.
const PROGRAM: &str = "/opt/ecru";

/// A runner that pulls from [`HOST`].
const CONFIG: &str = "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\n[runners.docker]\nimage = \
     \"000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/build:1\"\n";

/// The variables of what is run in the container: its AWS is the emulator in it, which is its first process.
const VARIABLES: [&str; 8] = [
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "HOME=/root",
    "AWS_REGION=us-east-1",
    "AWS_ENDPOINT_URL_ECR=http://127.0.0.1:5000",
    "AWS_ENDPOINT_URL_ECR_PUBLIC=http://127.0.0.1:5000",
    "AWS_ENDPOINT_URL_STS=http://127.0.0.1:5000",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:5000",
    "KUBERNETES_SERVICE_HOST=192.0.2.1",
];

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn with_busybox() {
    let busybox = on_path("busybox");
    assert!(libraries(&busybox).is_empty(), "{} is not static", busybox.display());
    let mut root = Root::new();
    root.file("bin/busybox", &busybox);
    root.link("bin/sh", "busybox");
    root.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    root.text("etc/group", "root:x:0:\n");
    let container = Container::start("busybox", root);
    assert_eq!(text(&container.run(&["/bin/sh", "-c", "echo a shell"])), "a shell\n");
    container.is_set_up_and_taken_back();
}

#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn with_the_shell_and_accounts_of_this_machine() {
    let shell = on_path("sh");
    let mut root = Root::new();
    root.file("bin/sh", &shell);
    for library in libraries(&shell) {
        root.file(library.to_str().unwrap().trim_start_matches('/'), &library);
    }
    for file in ["/etc/os-release", "/etc/passwd", "/etc/group"] {
        root.file(file.trim_start_matches('/'), Path::new(file));
    }
    let container = Container::start("debian", root);
    assert_eq!(text(&container.run(&["/bin/sh", "-c", "echo a shell"])), "a shell\n");
    container.is_set_up_and_taken_back();
}

/// No shell, no accounts, no folder but those that the runner needs.
#[test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
fn with_nothing() {
    let container = Container::start("nothing", Root::new());
    assert!(!container.run(&["/bin/sh", "-c", "true"]).status.success(), "there is a shell");
    container.is_set_up_and_taken_back();
}

/// The files of an image.
struct Root(tar::Builder<Vec<u8>>);

impl Root {
    /// What every runner has.
    fn new() -> Self {
        let mut root = Self(tar::Builder::new(Vec::new()));
        root.folder("usr/local/bin");
        root.text("etc/gitlab-runner/config.toml", CONFIG);
        root
    }

    fn folder(&mut self, name: &str) {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        self.0.append_data(&mut header, name, std::io::empty()).unwrap();
    }

    fn text(&mut self, name: &str, text: &str) {
        let mut header = header(tar::EntryType::Regular, 0o644, text.len());
        self.0.append_data(&mut header, name, text.as_bytes()).unwrap();
    }

    fn file(&mut self, name: &str, from: &Path) {
        let content = std::fs::read(from).unwrap();
        let mut header = header(tar::EntryType::Regular, 0o755, content.len());
        self.0.append_data(&mut header, name, content.as_slice()).unwrap();
    }

    fn link(&mut self, name: &str, target: &str) {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, name, target).unwrap();
    }
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header
}

/// A container that has `ecru emulate` as its first process, so that it needs neither a shell nor a network.
struct Container {
    name: String,
    _turn: MutexGuard<'static, ()>,
}

impl Container {
    fn start(kind: &str, root: Root) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("ecru-test-{kind}-{}", std::process::id());
        let mut import = docker(&["import", "-", &name]);
        let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        import.stdin.take().unwrap().write_all(&root.0.into_inner().unwrap()).unwrap();
        assert!(import.wait().unwrap().success(), "the image is imported");
        let container = Self { name, _turn: turn };
        let mount = format!("{ECRU}:{PROGRAM}:ro");
        let mut arguments = vec!["run", "--detach", "--network", "none", "--name", &container.name];
        // The emulator's, and of no image.
        arguments.extend(["--tmpfs", "/tmp"]);
        arguments.extend(["--volume", &mount]);
        arguments.extend([container.name.as_str(), PROGRAM, "emulate", "--port", "5000"]);
        let started = docker(&arguments).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        // It tells its variables when it listens, and not before.
        let mut log = docker(&["logs", "--follow", &container.name]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(log.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("AWS_ENDPOINT_URL_STS")), "the emulator listens");
        let _ = log.kill();
        let _ = log.wait();
        container
    }

    fn run(&self, command: &[&str]) -> Output {
        let variables: Vec<&str> = VARIABLES.iter().flat_map(|variable| ["--env", variable]).collect();
        docker(&[&["exec"], variables.as_slice(), &[&self.name], command].concat()).output().unwrap()
    }

    fn ecru(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(&[&[PROGRAM], arguments].concat());
        let (stdout, stderr) = (text(&output), String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(output.status.code(), Some(code), "ecru {}: {stdout}{stderr}", arguments.join(" "));
        stdout
    }

    fn first_failure(&self, code: i32) -> Value {
        let said = self.ecru(&["doctor", "--context", "runner", "--format", "json"], code);
        serde_json::from_str::<Value>(&said).unwrap()["first_failure"].clone()
    }

    /// What changed of the image.
    fn changes(&self) -> BTreeSet<String> {
        let changes = docker(&["diff", &self.name]).output().unwrap();
        let changes = text(&changes);
        changes.lines().map(str::to_owned).collect()
    }

    fn is_set_up_and_taken_back(&self) {
        assert_eq!(self.first_failure(1), "runner.settings.named");
        let before = self.changes();

        let plan = self.ecru(&["setup", "runner", "--registry", HOST, "--dry-run"], 5);
        assert!(plan.contains("/root/.docker/config.json"), "{plan}");
        assert_eq!(self.changes(), before, "--dry-run changes nothing");

        self.ecru(&["setup", "runner", "--registry", HOST, "--yes"], 0);
        assert_eq!(self.first_failure(0), Value::Null);
        self.ecru(&["setup", "runner", "--registry", HOST, "--yes"], 0);

        self.ecru(&["setup", "runner", "--undo", "--yes"], 0);
        assert_eq!(self.first_failure(1), "runner.settings.named");
        let left = self.changes();
        let files = ["/usr/local/bin/docker-credential-ecr-login", "/root/.docker/config.json"];
        assert!(files.iter().all(|file| !left.iter().any(|line| line.ends_with(file))), "{left:?}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.name]).stdout(Stdio::null()).status();
        let _ = docker(&["rmi", "--force", &self.name]).stdout(Stdio::null()).status();
    }
}

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).env("DOCKER_HOST", docker_host()).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program of this machine.
fn on_path(name: &str) -> PathBuf {
    let folders = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
    folders.into_iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("`{name}` is not installed"))
}

/// The libraries and the loader that `ldd` says that a program needs.
fn libraries(program: &Path) -> BTreeSet<PathBuf> {
    let listing = Command::new("ldd").arg(program).env("LC_ALL", "C").output().unwrap();
    let listing = text(&listing);
    let paths = listing.lines().filter_map(|line| line.split("=>").last()?.trim().split_once(" (0x"));
    paths.map(|(path, _)| PathBuf::from(path)).filter(|path| path.is_absolute()).collect()
}
