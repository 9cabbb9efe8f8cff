//! A machine with an engine and a runner, as `gitlab-runner install` and `gitlab-runner register` leave it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use ecru_testkit::assert_no_leak;

use crate::aws::{HOME_REGISTRY, names};
use crate::workstation::{HELPER, STEP_DEADLINE, Workstation};

pub(crate) const CONFIG: &str = "/etc/gitlab-runner/config.toml";
pub(crate) const METADATA: &str = "192.0.2.254";
/// The certificate of the authority of emulated AWS.
pub(crate) const AUTHORITY: &str = "/etc/ssl/emulated-aws.pem";
const DROP_IN: &str = "/etc/systemd/system/gitlab-runner.service.d/50-ecru.conf";
const FIREWALL_UNIT: &str = "/etc/systemd/system/ecru-job-firewall.service";

/// What no output may hold: how all passwords and keys of emulated AWS begin, and the runner's own token.
const SECRETS: [&str; 2] = ["ecru-emulator", "glrt-token-of-the-runner"];

/// What systemd gives a service that says nothing else (systemd.exec(5)).
const PATH_OF_SERVICES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const UNIT: &str = r#"[Unit]
Description=GitLab Runner
ConditionFileIsExecutable=/usr/bin/gitlab-runner
After=network.target

[Service]
StartLimitInterval=5
StartLimitBurst=10
ExecStart=/usr/bin/gitlab-runner "run" "--config" "/etc/gitlab-runner/config.toml" "--working-directory" "/home/gitlab-runner" "--service" "gitlab-runner" "--user" "gitlab-runner"
Restart=always
RestartSec=120

[Install]
WantedBy=multi-user.target
"#;

/// The machine that these namespaces have become.
pub(crate) struct Machine<'w> {
    workstation: &'w Workstation,
    id_token: String,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'w> Machine<'w> {
    /// Makes these namespaces one, whose AWS and engine are those of `workstation`.
    pub(crate) fn fresh(workstation: &'w Workstation) -> Self {
        let script = |name: &str, arguments: &[&str]| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rootns").join(name);
            workstation.sandbox.command("bash").arg(path).args(arguments).assert().success();
        };
        let port = workstation.aws.main_port().to_string();
        let ecru = env!("CARGO_BIN_EXE_ecru");
        let helper = Path::new(ecru).with_file_name(HELPER).display().to_string();
        script("metadata_network.sh", &[&format!("198.51.100.1:{port}")]);
        script("setup_page/machine.sh", &[ecru, &helper, &port]);
        let machine = Self { workstation, id_token: workstation.aws.id_token() };
        write("/etc/systemd/system/gitlab-runner.service", UNIT);
        write(CONFIG, &config());
        std::fs::copy(workstation.aws.authority(), AUTHORITY).unwrap();
        machine
    }

    /// Types `command` as root.
    pub(crate) fn types(&self, command: &str) -> Said {
        let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), format!("http://{METADATA}"))];
        self.says(command, variables.into())
    }

    /// Types `command` with the environment of the runner's service, and a job's ID token as GitLab would give it.
    pub(crate) fn types_as_service(&self, command: &str) -> Said {
        let drop_in = std::fs::read_to_string(DROP_IN).unwrap();
        let assignments = drop_in.lines().filter_map(|line| line.strip_prefix("Environment="));
        let pair = |assignment: &str| {
            let (name, value) = assignment.trim_matches('"').split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let mut variables: BTreeMap<_, _> = assignments.map(pair).collect();
        variables.insert("ECRU_IDENTITY_TOKEN".to_owned(), self.id_token.clone());
        self.says(command, variables)
    }

    fn says(&self, command: &str, variables: BTreeMap<String, String>) -> Said {
        println!("# {command}");
        let result = Command::new("sh")
            .args(["-c", command])
            .env_clear()
            .envs([("PATH", PATH_OF_SERVICES), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")])
            .envs(variables)
            .current_dir(self.folder())
            .timeout(STEP_DEADLINE)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&result.stdout), text(&result.stderr));
        println!("{stdout}{stderr}");
        for stream in [&result.stdout, &result.stderr] {
            assert_no_leak(stream, &[&SECRETS[..], &[self.id_token.as_str()]].concat());
        }
        Said { code: result.status.code(), stdout, stderr }
    }

    /// Where commands are typed, and the pipeline is.
    pub(crate) fn folder(&self) -> PathBuf {
        self.workstation.sandbox.home()
    }

    /// Does what `command` makes systemd do, which is not here: starts what the firewall's unit starts.
    pub(crate) fn starts_the_firewall(&self, command: &str) {
        assert_eq!(command, "systemctl daemon-reload && systemctl restart ecru-job-firewall.service");
        let unit = std::fs::read_to_string(FIREWALL_UNIT).unwrap();
        let program = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        assert_eq!(self.types(program).code, Some(0));
    }

    /// All that a set-up may change, with modes and contents.
    pub(crate) fn files(&self) -> String {
        let mut listing = String::new();
        let mut folders =
            ["/etc", "/root/.docker", "/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from).to_vec();
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths {
                let metadata = path.symlink_metadata().unwrap();
                let content = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                let digest = sha256(&content);
                let _ = writeln!(listing, "{} {:?} {digest}", path.display(), metadata.permissions());
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        listing
    }
}

/// As registering leaves it, with options for volumes, addresses and the authority of emulated AWS.
fn config() -> String {
    let hosts = names().map(|(name, address)| format!("\"{name}:{address}\"")).collect::<Vec<_>>().join(", ");
    format!(
        r#"concurrent = 1
check_interval = 0
connection_max_age = "15m0s"
shutdown_timeout = 0

[session_server]
  session_timeout = 1800

[[runners]]
  name = "first"
  url = "https://gitlab.example"
  id = 1
  token = "glrt-token-of-the-runner"
  token_obtained_at = 2026-01-02T03:04:05Z
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "docker"
  environment = ["AWS_CA_BUNDLE={AUTHORITY}"]
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
    [runners.cache.gcs]
    [runners.cache.azure]
  [runners.docker]
    tls_verify = false
    image = "{HOME_REGISTRY}/team/job:1"
    privileged = false
    disable_entrypoint_overwrite = false
    oom_kill_disable = false
    disable_cache = false
    volumes = ["/cache", "{AUTHORITY}:{AUTHORITY}:ro", "/usr/local/lib/ecru/ecru:/usr/local/bin/ecru:ro"]
    extra_hosts = [{hosts}]
    shm_size = 0
    network_mtu = 0
"#
    )
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(content))
}

fn write(path: &str, text: &str) {
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
