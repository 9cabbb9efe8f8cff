//! The checks of a job's container, in folders that stand for one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_doctor::diagnosis::diagnosis;
use ecru_doctor::report::{Check, Context, Fix, Outcome};
use ecru_doctor::surroundings::{Asked, Surroundings};
use ecru_ecr::clock::system_time;
use ecru_ecr::environment::Environment;
use ecru_emulator::{Emulator, Options};
use ecru_testkit::{Reply, Sandbox, StubHelper, assert_no_leak, stub_engine};

const HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const MARKER: &str = "hunter2-hunter2";

/// A job's container, and the AWS that it may ask.
struct Job {
    sandbox: Sandbox,
    emulator: Emulator,
    variables: Vec<(String, String)>,
}

impl Job {
    async fn new() -> Self {
        let emulator = Emulator::start(Options::default()).await.unwrap();
        let sandbox = Sandbox::new();
        let mut variables: Vec<(String, String)> = emulator.environment();
        variables.extend(sandbox.environment().into_iter().map(|(name, value)| (name.to_owned(), value)));
        variables.retain(|(name, _)| name != "AWS_EC2_METADATA_DISABLED" && name != "PATH");
        let job = Self { sandbox, emulator, variables };
        job.write(".config/ecru/config.toml", &format!("[alias]\n\"{}\" = \"{HOST}\"\n", job.registry()));
        let path = job.sandbox.bin().display().to_string();
        job.with("PATH", &path)
    }

    fn registry(&self) -> String {
        self.emulator.addresses().registries.values().next().unwrap().clone()
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.sandbox.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A docker command of this version.
    fn with_docker(self, version: &str) -> Self {
        let program = self.sandbox.bin().join("docker");
        std::fs::write(&program, format!("#!/bin/sh\necho 'Docker version {version}, build 0000000'\n"))
            .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn root(&self) -> PathBuf {
        self.sandbox.root().to_owned()
    }

    async fn checks(&self) -> Vec<Check> {
        let surroundings = Surroundings {
            root: self.root(),
            environment: Environment::from_map(self.variables.clone()),
            uid: rustix::process::geteuid().as_raw(),
            clock: system_time,
            probe: None,
            scratch: None,
            asked: Asked {
                contexts: vec![Context::Job],
                config: None,
                home: None,
                runner: None,
                runner_version: None,
                images: Vec::new(),
                starts_programs: true,
                metadata_wanted: false,
            },
        };
        let report = diagnosis(&surroundings).await;
        let text = serde_json::to_string(&report).unwrap();
        assert_no_leak(&text, &[MARKER, "ecru-emulator."]);
        report.sections.into_iter().flat_map(|section| section.checks).collect()
    }
}

#[track_caller]
fn find<'a>(checks: &'a [Check], id: &str) -> &'a Check {
    let found = checks.iter().find(|check| check.definition.id == id);
    found.unwrap_or_else(|| panic!("no {id} in {checks:#?}"))
}

#[track_caller]
fn reason<'a>(checks: &'a [Check], id: &str) -> &'a str {
    match &find(checks, id).outcome {
        Outcome::Fail(reason) => reason,
        other => panic!("{id} is {other:?}"),
    }
}

/// A password of ECR's form that states this expiry, as Docker stores it.
fn stored(expiration: u64) -> String {
    let password =
        STANDARD.encode(format!(r#"{{"payload":"{MARKER}","type":"DATA_KEY","expiration":{expiration}}}"#));
    STANDARD.encode(format!("AWS:{password}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_job_has_nothing_to_tell() {
    let job = Job::new().await.with_docker("28.3.0").with("DOCKER_HOST", &stub_engine("28.3.0"));
    let registry = job.registry();
    job.write(".docker/config.json", &format!(r#"{{"credHelpers":{{"{registry}":"ecr-login"}}}}"#));
    let _helper = StubHelper::new(&job.sandbox.bin(), "ecr-login")
        .on("get", &Reply::credentials(&registry, "AWS", MARKER));
    let checks = job.checks().await;
    let failed: Vec<_> = checks.iter().filter(|check| matches!(check.outcome, Outcome::Fail(_))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for id in [
        "docker.client",
        "docker.config",
        "helper.found",
        "identity.token",
        "network.route",
        "engine.reachable",
    ] {
        let check = find(&checks, &format!("job.{id}"));
        assert_eq!(check.outcome, Outcome::Pass, "{check:#?}");
    }
    assert!(find(&checks, "job.engine.reachable").evidence[0].contains("28.3.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_container_lacks_docker_and_needs_no_engine() {
    let checks = Job::new().await.checks().await;
    assert!(reason(&checks, "job.docker.client").contains("not on PATH"));
    assert!(matches!(find(&checks, "job.engine.reachable").outcome, Outcome::NotApplicable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_without_an_engine_is_told_both_ways_to_one() {
    let checks = Job::new().await.with_docker("29.0.0").checks().await;
    assert!(reason(&checks, "job.engine.reachable").contains("DOCKER_HOST is not set"));
    assert_eq!(find(&checks, "job.engine.reachable").fixes.len(), 2);
    let gone = Job::new().await.with_docker("29.0.0").with("DOCKER_HOST", "tcp://127.0.0.1:9");
    assert!(reason(&gone.checks().await, "job.engine.reachable").contains("127.0.0.1:9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_shared_are_missed() {
    let job = Job::new().await.with_docker("29.0.0").with("DOCKER_TLS_VERIFY", "1");
    let job = job.with("DOCKER_CERT_PATH", "/certs/client").with("DOCKER_HOST", "tcp://127.0.0.1:9");
    assert!(reason(&job.checks().await, "job.engine.certificates").contains("ca.pem"));
    let folder = job.root().join("certs/client");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.join(file), "").unwrap();
    }
    assert_eq!(find(&job.checks().await, "job.engine.certificates").outcome, Outcome::Pass);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_for_the_runner_is_dropped_by_docker_since_28_3() {
    let value = r#"{"credsStore":"ecr-login"}"#;
    let new = Job::new().await.with_docker("28.3.0").with("DOCKER_AUTH_CONFIG", value);
    assert!(reason(&new.checks().await, "job.docker.auth-config").contains("unknown field"));
    let old = Job::new().await.with_docker("28.2.2").with("DOCKER_AUTH_CONFIG", value);
    let checks = old.checks().await;
    assert!(matches!(find(&checks, "job.docker.auth-config").outcome, Outcome::NotApplicable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_has_expired_is_told_unless_a_helper_is_asked() {
    let job = Job::new().await.with_docker("29.0.0");
    let registry = job.registry();
    let auths = format!(r#""auths":{{"{registry}":{{"auth":"{}"}}}}"#, stored(1_757_147_299));
    job.write(".docker/config.json", &format!("{{{auths}}}"));
    let checks = job.checks().await;
    assert!(reason(&checks, "job.docker.login").contains("2025-09-06"));
    let fix = Fix::Command { command: format!("docker logout {registry}"), by_setup: false };
    assert_eq!(find(&checks, "job.docker.login").fixes, [fix]);

    let helpers = format!(r#""credHelpers":{{"{registry}":"ecr-login"}}"#);
    job.write(".docker/config.json", &format!("{{{auths},{helpers}}}"));
    let checks = job.checks().await;
    assert_eq!(find(&checks, "job.docker.login").outcome, Outcome::Pass);
    assert!(reason(&checks, "job.helper.found").contains("docker-credential-ecr-login"));

    let variable = format!("{{{auths}}}");
    let job = Job::new().await.with_docker("29.0.0").with("DOCKER_AUTH_CONFIG", &variable);
    let registry = job.registry();
    let checks = job.checks().await;
    let [Fix::Advice { text }] = find(&checks, "job.docker.login").fixes.as_slice() else {
        panic!("{checks:#?}")
    };
    assert!(text.contains("unset DOCKER_AUTH_CONFIG"), "`docker logout` changes config.json only: {text}");

    let fresh = format!(r#"{{"auths":{{"{registry}":{{"auth":"{}"}}}}}}"#, stored(4_000_000_000));
    let job = Job::new().await.with_docker("29.0.0").with("DOCKER_AUTH_CONFIG", &fresh);
    assert_eq!(find(&job.checks().await, "job.docker.login").outcome, Outcome::Pass);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_docker_does_not_understand_is_named() {
    let job = Job::new().await.with_docker("29.0.0");
    let registry = job.registry();
    job.write(".docker/config.json", &format!(r#"{{"auths":{{"{registry}":{{"auth":"{MARKER}"}}}}}}"#));
    assert!(reason(&job.checks().await, "job.docker.config").contains("base64"));

    job.write(".docker/config.json", "\u{feff}{}");
    let checks = job.checks().await;
    assert!(reason(&checks, "job.docker.config").contains("byte order mark"));
    let [Fix::Command { command, .. }] = find(&checks, "job.docker.config").fixes.as_slice() else {
        panic!("{checks:#?}")
    };
    let mended = std::process::Command::new("/bin/sh").args(["-c", command]).status().unwrap();
    assert!(mended.success(), "{command}");
    assert_eq!(find(&job.checks().await, "job.docker.config").outcome, Outcome::Pass);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_without_a_route_is_told_apart_from_the_registry() {
    let job = Job::new().await.with_docker("29.0.0");
    let registry = job.registry();
    job.write(".docker/config.json", &format!(r#"{{"auths":{{"{registry}":{{"auth":"{}"}}}}}}"#, stored(1)));
    let job = job.with("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9");
    let checks = job.checks().await;
    let routes: Vec<_> = checks.iter().filter(|check| check.definition.id == "job.network.route").collect();
    let outcome = |subject: &str| {
        let found = routes.iter().find(|check| check.subject.as_deref() == Some(subject));
        &found.unwrap_or_else(|| panic!("no {subject}: {routes:#?}")).outcome
    };
    assert_eq!(outcome(&registry), &Outcome::Pass);
    assert!(matches!(outcome("127.0.0.1:9"), Outcome::Fail(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_would_see_metadata_is_told_without_its_password() {
    let proxy = format!("http://user:{MARKER}@127.0.0.1:9");
    let job = Job::new().await.with("HTTP_PROXY", &proxy).with("NO_PROXY", "localhost,127.0.0.0/8");
    let checks = job.checks().await;
    assert!(reason(&checks, "job.network.proxy").contains("169.254.169.254"));
    let [Fix::Lines { lines, .. }] = find(&checks, "job.network.proxy").fixes.as_slice() else {
        panic!("one fix")
    };
    let value = lines.trim_start_matches("NO_PROXY: ").trim_matches('"').to_owned();
    let mended = Job::new().await.with("HTTP_PROXY", &proxy).with("NO_PROXY", &value);
    assert_eq!(find(&mended.checks().await, "job.network.proxy").outcome, Outcome::Pass);

    // An entry may be for one port, and metadata is asked at that of plain HTTP.
    for (port, is_excepted) in [("80", true), ("443", false)] {
        let entries = format!("localhost,127.0.0.0/8,169.254.169.254:{port},169.254.170.2");
        let job = Job::new().await.with("HTTP_PROXY", &proxy).with("NO_PROXY", &entries);
        let checks = job.checks().await;
        assert_eq!(find(&checks, "job.network.proxy").outcome == Outcome::Pass, is_excepted, "{port}");
    }
}
