//! A job's container: what `ecru doctor --context job` says of one that works and of some that do not.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_emulator::Options;
use ecru_testkit::{assert_no_leak, snapshot_settings, stub_engine};
use serde_json::Value;

use super::machine::{HOST, Machine, Said, failures};

/// In a password that somebody has stored.
const MARKER: &str = "hunter2-hunter2";

/// A job with docker and an engine, whose settings name the helper for the emulator's registry.
struct Job {
    machine: Machine,
    engine: String,
}

impl Job {
    async fn new() -> Self {
        let machine = Machine::new(Options::default(), "ecru").await;
        machine.write("/bin/docker", "#!/bin/sh\necho 'Docker version 28.2.2, build 0000000'\n");
        let docker = machine.place_of("/bin/docker");
        std::fs::set_permissions(docker, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        machine.write("/root/.docker/config.json", r#"{"credHelpers":{"localhost:5000":"ecr-login"}}"#);
        machine
            .write("/root/.config/ecru/config.toml", &format!("[alias]\n\"localhost:5000\" = \"{HOST}\"\n"));
        Self { machine, engine: stub_engine("28.2.2") }
    }

    async fn with_helper() -> Self {
        let job = Self::new().await;
        job.machine.install_helper("/bin");
        job
    }

    fn doctor(&self, arguments: &[&str]) -> Said {
        let root = self.machine.root().display().to_string();
        let folder = |path: &str| self.machine.place_of(path).display().to_string();
        let own = [
            ("PATH", folder("/bin")),
            ("HOME", folder("/root")),
            ("XDG_CONFIG_HOME", folder("/root/.config")),
            ("XDG_CACHE_HOME", folder("/root/.cache")),
            ("XDG_STATE_HOME", folder("/root/.state")),
            ("DOCKER_HOST", self.engine.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        let variables: Vec<(String, String)> = own.chain(self.machine.emulator.environment()).collect();
        let said = self
            .machine
            .ecru(&[&["doctor", "--root", &root, "--context", "job"], arguments].concat(), &variables);
        assert_no_leak(&said.stdout, &[MARKER]);
        said
    }

    fn diagnosis(&self) -> Value {
        let said = self.doctor(&["--format", "json"]);
        serde_json::from_str(&said.stdout)
            .unwrap_or_else(|_| panic!("no JSON: {}{}", said.stdout, said.stderr))
    }

    /// Holds what is said in `format` against the snapshot `name`.
    fn shows(&self, name: &str, format: &str, code: i32) {
        let said = self.doctor(&["--format", format]);
        let mut settings = snapshot_settings(self.machine.root().parent().expect("a folder"));
        settings.add_filter(r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "until [THEN]");
        settings.bind(|| insta::assert_snapshot!(name, said.stdout));
        assert_eq!(said.code, Some(code), "{}", said.stderr);
    }

    /// What `docker login` would have left there, of a password that says that it works until then.
    fn log_in(&self, expiration: u64) {
        let password = STANDARD.encode(format!(r#"{{"payload":"{MARKER}","expiration":{expiration}}}"#));
        let auth = STANDARD.encode(format!("AWS:{password}"));
        let config = format!(r#"{{"auths":{{"localhost:5000":{{"auth":"{auth}"}}}}}}"#);
        self.machine.write("/root/.docker/config.json", &config);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_works_has_nothing_to_complain_of() {
    let job = Job::with_helper().await;
    assert_eq!(failures(&job.diagnosis()), Vec::<String>::new());
    job.shows("job_healthy_text", "text", 0);
    job.shows("job_healthy_json", "json", 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_the_helper_gets_it_from_the_runner() {
    let job = Job::new().await;
    assert_eq!(job.diagnosis()["first_failure"], "job.helper.found");
    job.shows("job_without_helper", "text", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_yesterday_is_the_cause() {
    let job = Job::with_helper().await;
    job.log_in(1_757_147_299);
    assert_eq!(job.diagnosis()["first_failure"], "job.docker.login");
    job.shows("job_login_of_yesterday", "text", 1);
    job.log_in(4_000_000_000);
    assert_eq!(failures(&job.diagnosis()), Vec::<String>::new());
}

/// Paths as a job has them are those of the root, too, and nothing of this machine counts.
#[tokio::test(flavor = "multi_thread")]
async fn the_root_is_that_of_the_job() {
    let job = Job::with_helper().await;
    let root = job.machine.root().display().to_string();
    let look = |path: &str| {
        let variables =
            [("PATH", path), ("HOME", "/root")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let arguments = ["doctor", "--root", &root, "--context", "job", "--no-exec", "--format", "json"];
        let said = job.machine.ecru(&arguments, &variables);
        let diagnosis: Value = serde_json::from_str(&said.stdout).expect("JSON");
        failures(&diagnosis)
    };
    let missing = |failures: &[String]| failures.iter().any(|failure| failure.contains("job.helper.found"));
    assert!(!missing(&look("/bin")), "{:?}", look("/bin"));
    let of_this_machine = tempfile::tempdir().expect("a folder");
    let helper = of_this_machine.path().join("docker-credential-ecr-login");
    std::fs::copy("/bin/true", &helper).expect("a program");
    let path = of_this_machine.path().display().to_string();
    assert!(missing(&look(&path)), "{:?}", look(&path));
}
