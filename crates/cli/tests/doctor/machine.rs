//! A folder that stands for a machine, an emulator that is its AWS, and `ecru` that looks at it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ecru_emulator::{AccountId, Emulator, Options};
use ecru_testkit::{Sandbox, assert_no_leak};
use secrecy::ExposeSecret as _;
use serde_json::Value;

/// The registry of the emulator's first account.
pub(crate) const HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// The unit of the package.
pub(crate) const UNIT: &str =
    "[Service]\nExecStart=/usr/bin/gitlab-runner run --config /etc/gitlab-runner/config.toml\n";

/// A runner that pulls from [`HOST`].
pub(crate) const CONFIG: &str = "[[runners]]\nname = \"shop\"\nexecutor = \"docker\"\n[runners.docker]\nimage = \
     \"000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/build:1\"\n";

/// In files of the examples, as they are or in base64.
const SECRETS: &[&str] = &["example-password", "example-secret-key"];

pub(crate) struct Machine {
    sandbox: Sandbox,
    pub(crate) emulator: Emulator,
    user: String,
}

/// What `ecru` said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) async fn new(options: Options, user: &str) -> Self {
        // By its usual name the role looks like what is secret of the emulator.
        let options = Options { instance_role: "runner".to_owned(), ..options };
        let emulator = Emulator::start(options).await.expect("an emulator");
        let machine = Self { sandbox: Sandbox::new(), emulator, user: user.to_owned() };
        std::fs::create_dir(machine.root()).expect("the machine's root");
        machine
    }

    /// A machine with systemd, a folder for the helper, and the emulator in the service's environment.
    pub(crate) async fn with_unit() -> Self {
        let machine = Self::new(Options::default(), "ecru").await;
        machine.write("/etc/systemd/system/gitlab-runner.service", UNIT);
        machine.write("/etc/systemd/system/gitlab-runner.service.d/aws.conf", &machine.drop_in());
        machine.write("/etc/gitlab-runner/config.toml", CONFIG);
        machine.write("/usr/local/bin/.keep", "");
        machine
    }

    /// The emulator's variables, for systemd.
    pub(crate) fn drop_in(&self) -> String {
        let lines = self.emulator.environment().into_iter();
        let lines: String = lines.map(|(name, value)| format!("Environment={name}={value}\n")).collect();
        format!("[Service]\nEnvironment=AWS_REGION=us-east-1\n{lines}")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.sandbox.root().join("machine")
    }

    pub(crate) fn place_of(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.place_of(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, self.with_addresses(text)).expect("a file");
    }

    /// Copies `folder` to the machine's `/`. The addresses of an emulator on its usual port become those of this one.
    pub(crate) fn copy(&self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(from) = folders.pop() {
            let to = self.root().join(from.strip_prefix(folder).expect("below the folder"));
            std::fs::create_dir_all(&to).expect("a folder");
            for entry in std::fs::read_dir(&from).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    // What the helper leaves behind where somebody looks at an example by hand.
                    if !path.ends_with(".cache") {
                        folders.push(path);
                    }
                    continue;
                }
                let mode = path.metadata().expect("metadata").permissions().mode();
                let file = to.join(path.file_name().expect("a name"));
                let text = std::fs::read_to_string(&path).expect("a text");
                std::fs::write(&file, self.with_addresses(&text)).expect("a file");
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
            }
        }
    }

    /// Puts ecru's helper into a folder of the machine.
    pub(crate) fn install_helper(&self, folder: &str) {
        let folder = self.place_of(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(env!("CARGO_BIN_EXE_ecru"), folder.join("docker-credential-ecr-login"))
            .expect("the helper");
    }

    /// `text` with this emulator's addresses and the keys of its user.
    pub(crate) fn with_addresses(&self, text: &str) -> String {
        let addresses = self.emulator.addresses();
        let registry = addresses.registries.values().next().expect("a registry");
        let (key, secret) = self.keys();
        text.replace("127.0.0.1:5000", &addresses.main.to_string())
            .replace("localhost:5000", registry)
            .replace("EMULATED_KEY", &key)
            .replace("EMULATED_SECRET", &secret)
    }

    pub(crate) fn keys(&self) -> (String, String) {
        let keys = self.emulator.keys_of_user(AccountId::default(), &self.user).expect("a user");
        (keys.access_key_id.clone(), keys.secret_access_key.expose_secret().to_owned())
    }

    /// Runs `ecru` with nothing of the outside, and sees that it tells no secret.
    pub(crate) fn ecru(&self, arguments: &[&str], environment: &[(String, String)]) -> Said {
        let output = self
            .sandbox
            .command(env!("CARGO_BIN_EXE_ecru"))
            // Where lines end must not hang on the lengths of this machine's names.
            .env("COLUMNS", "1000")
            .envs(environment.iter().cloned())
            .args(arguments)
            .output()
            .expect("the program starts");
        let (_, secret) = self.keys();
        for stream in [&output.stdout, &output.stderr] {
            assert_no_leak(stream, &[&[secret.as_str(), "ecru-emulator"], SECRETS].concat());
        }
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs `ecru doctor` on this machine.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> Said {
        let root = self.root();
        let arguments = [&["doctor", "--root", root.to_str().expect("text")], arguments].concat();
        self.ecru(&arguments, &[])
    }

    /// The same, as the JSON that it prints.
    pub(crate) fn diagnosis(&self, arguments: &[&str]) -> Value {
        let said = self.doctor(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&said.stdout)
            .unwrap_or_else(|_| panic!("no JSON: {}{}", said.stdout, said.stderr))
    }

    /// Makes it a machine on which everything is as `ecru setup runner` leaves it.
    pub(crate) fn set_up(&self) {
        let root = self.root();
        let setup = ["setup", "runner", "--root", root.to_str().expect("text"), "--registry", HOST, "--yes"];
        let said = self.ecru(&setup, &[]);
        assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    }
}

/// The checks of a diagnosis that failed, risks aside.
pub(crate) fn failures(diagnosis: &Value) -> Vec<String> {
    let checks = checks(diagnosis).into_iter();
    let failed = checks.filter(|check| check["outcome"] == "fail" && check["weight"] == "error");
    failed.map(|check| format!("{} {}: {}", check["id"], check["subject"], check["reason"])).collect()
}

/// All checks of a diagnosis.
pub(crate) fn checks(diagnosis: &Value) -> Vec<Value> {
    let sections = diagnosis["sections"].as_array().expect("sections").iter();
    sections.flat_map(|section| section["checks"].as_array().expect("checks").clone()).collect()
}

pub(crate) fn check(diagnosis: &Value, id: &str) -> Value {
    checks(diagnosis).into_iter().find(|check| check["id"] == id).expect("the check")
}
