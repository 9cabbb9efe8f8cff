//! `ecru setup runner` as a program: the plan on a fresh machine and on a set-up one, with and without units, undo to
//! the byte, and no secret in any of it.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ecru_testkit::{Entry, Sandbox, assert_no_leak, snapshot_settings, tree};

const UNIT: &str =
    "[Service]\nExecStart=/usr/bin/gitlab-runner run --config /etc/gitlab-runner/config.toml\n";
const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const SECOND: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
const ROLE: &str = "444455556666.dkr.ecr.us-east-1.amazonaws.com=arn:aws:iam::444455556666:role/pull";
/// In the files below, as they are or in base64.
const SECRETS: &[&str] = &[
    "hunter2-password",
    "identity-token-1",
    "glrt-runner-token",
    "old-token-in-comment",
    "S3-secret-key-1",
    "other-env-secret",
];

struct Machine {
    sandbox: Sandbox,
}

impl Machine {
    fn with(files: &[(&str, &str)]) -> Self {
        let machine = Self { sandbox: Sandbox::new() };
        for folder in ["usr/local/bin", "usr/bin", "root", "etc"] {
            std::fs::create_dir_all(machine.root().join(folder)).expect("a folder");
        }
        for (path, text) in files {
            let path = machine.path(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        machine
    }

    fn root(&self) -> PathBuf {
        self.sandbox.root().join("root")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn setup(&self, arguments: &[&str]) -> (i32, String) {
        let root = self.root();
        let mut all = vec!["setup", "runner", "--root", root.to_str().expect("text")];
        all.extend(arguments);
        if !arguments.contains(&"--undo") {
            all.extend(["--helper", "/proc/self/exe"]);
        }
        let output =
            self.sandbox.command(env!("CARGO_BIN_EXE_ecru")).args(&all).output().expect("the program starts");
        let text =
            [&b"--- standard output\n"[..], &output.stdout, b"--- standard error\n", &output.stderr].concat();
        assert_no_leak(&text, SECRETS);
        let text = String::from_utf8(text).expect("text");
        (output.status.code().expect("it ends by itself"), text)
    }

    fn shows(&self, name: &str, arguments: &[&str]) {
        let (code, text) = self.setup(arguments);
        let text = format!("$ ecru setup runner {}\n--- exit code\n{code}\n{text}", arguments.join(" "));
        let mut settings = snapshot_settings(self.sandbox.root());
        settings.add_filter(r"program of \d+ bytes", "program of [N] bytes");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }

    /// Everything but the records.
    fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        tree(&self.root(), &self.path("/var"))
    }
}

fn with_unit() -> Machine {
    Machine::with(&[("/etc/systemd/system/gitlab-runner.service", UNIT)])
}

/// A machine in use, whose files hold secrets.
fn in_use() -> Machine {
    let auth = "dXNlcjpodW50ZXIyLXBhc3N3b3Jk"; // user:hunter2-password
    Machine::with(&[
        ("/etc/systemd/system/gitlab-runner.service", UNIT),
        (
            "/root/.docker/config.json",
            &format!(
                "{{\n\t\"auths\": {{\n\t\t\"h.example\": {{\n\t\t\t\"auth\": \"{auth}\",\n\t\t\t\"identitytoken\": \"identity-token-1\"\n\t\t}}\n\t}},\n\t\"credHelpers\": {{\n\t\t\"gcr.io\": \"gcloud\"\n\t}}\n}}\n"
            ),
        ),
        (
            "/etc/gitlab-runner/config.toml",
            &format!(
                "concurrent = 4\n\n[[runners]]\n  name = \"one\"\n  token = \"glrt-runner-token\"\n  # token = \"old-token-in-comment\"\n  environment = [\"A=other-env-secret\", \"DOCKER_AUTH_CONFIG={{\\\"auths\\\":{{\\\"h.example\\\":{{\\\"auth\\\":\\\"{auth}\\\"}}}}}}\"]\n  executor = \"docker\"\n  [runners.cache.s3]\n    SecretKey = \"S3-secret-key-1\"\n"
            ),
        ),
    ])
}

#[test]
fn a_fresh_machine() {
    let machine = with_unit();
    let before = machine.everything();
    machine.shows("fresh", &["--registry", FIRST, "--registry", "public.ecr.aws", "--dry-run"]);
    assert_eq!(machine.everything(), before, "nothing is changed");
}

#[test]
fn roles_and_variables() {
    with_unit().shows(
        "roles_and_variables",
        &[
            "--registry",
            FIRST,
            "--registry",
            SECOND,
            "--role-arn",
            ROLE,
            "--aws-env",
            "AWS_PROFILE=ci",
            "--creds-store",
        ],
    );
}

#[test]
fn a_machine_in_use_shows_no_secret() {
    in_use().shows("in_use", &["--registry", FIRST]);
    in_use().shows("in_use_config_toml", &["--registry", FIRST, "--in", "config-toml"]);
}

#[test]
fn applied_then_nothing_to_do_then_undone_to_the_byte() {
    for outlet in ["docker-config", "config-toml"] {
        let machine = in_use();
        let before = machine.everything();
        let arguments = ["--registry", FIRST, "--in", outlet, "--aws-env", "AWS_REGION=eu-west-1"];
        let (code, text) = machine.setup(&[&arguments[..], &["--yes"]].concat());
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("systemctl daemon-reload"), "{text}");
        let helper = machine.path("/usr/local/bin/docker-credential-ecr-login");
        assert_eq!(helper.metadata().expect("the helper").permissions().mode() & 0o7777, 0o755);

        let applied = machine.everything();
        let (code, text) = machine.setup(&arguments);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("Nothing to do"), "{text}");
        assert_eq!(machine.everything(), applied);

        let (code, text) = machine.setup(&["--undo"]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(machine.everything(), before);
        assert_eq!(machine.setup(&["--undo"]).0, 95, "there is nothing left to take back");
    }
}

#[test]
fn the_way_back_is_shown_first() {
    let machine = with_unit();
    assert_eq!(machine.setup(&["--registry", FIRST, "--yes"]).0, 0);
    let applied = machine.everything();
    let (code, text) = machine.setup(&["--undo", "--dry-run"]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("would be as it was: /root/.docker/config.json\n"), "{text}");
    assert_eq!(machine.everything(), applied);
}

#[test]
fn variables_that_would_have_no_effect_are_refused() {
    let variable = ["--registry", FIRST, "--aws-env", "AWS_REGION=eu-west-1", "--yes"];
    let unit = format!("{UNIT}EnvironmentFile=/etc/default/gitlab-runner\n");
    let later = "/etc/systemd/system/gitlab-runner.service.d/99-x.conf";
    for (path, text) in [
        ("/etc/default/gitlab-runner", "AWS_REGION=us-east-1\n"),
        (later, "[Service]\nEnvironment=AWS_REGION=us-east-1\n"),
    ] {
        let machine =
            Machine::with(&[("/etc/systemd/system/gitlab-runner.service", unit.as_str()), (path, text)]);
        let before = machine.everything();
        let (code, text) = machine.setup(&variable);
        assert_eq!(code, 80, "{text}");
        assert!(text.contains(&format!("`AWS_REGION` would have no effect: `{path}`")), "{text}");
        assert_eq!(machine.everything(), before);
    }
    let (code, text) = with_unit().setup(&[&variable[..], &["--aws-env", "AWS_REGION=b"]].concat());
    assert_eq!(code, 80, "{text}");
    assert!(text.contains("`AWS_REGION` is given twice"), "{text}");
}

#[test]
fn the_helper_that_is_put_there_answers() {
    let machine = with_unit();
    assert_eq!(machine.setup(&["--registry", FIRST, "--yes"]).0, 0);
    let helper = machine.path("/usr/local/bin/docker-credential-ecr-login");
    machine.sandbox.command(&helper).arg("version").assert().success();
}

#[test]
fn a_helper_of_others_beside_ecru_is_not_taken_for_its_own() {
    let machine = with_unit();
    let folder = machine.sandbox.root().join("programs");
    std::fs::create_dir(&folder).expect("a folder");
    let (ecru, stranger) = (folder.join("ecru"), folder.join("docker-credential-ecr-login"));
    std::fs::copy(env!("CARGO_BIN_EXE_ecru"), &ecru).expect("a copy");
    std::fs::copy("/bin/true", &stranger).expect("a copy");
    let root = machine.root();
    let root = root.to_str().expect("text");
    let arguments = ["setup", "runner", "--root", root, "--registry", FIRST, "--yes"];
    let setup = || machine.sandbox.command(&ecru).args(arguments).output().expect("the program starts");

    let output = setup();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let note = format!("note: `{}` is not the helper of this ecru", stranger.display());
    assert!(String::from_utf8_lossy(&output.stdout).contains(&note), "{output:?}");
    let put = machine.path("/usr/local/bin/docker-credential-ecr-login");
    let version = format!("docker-credential-ecr-login {}\n", env!("CARGO_PKG_VERSION"));
    machine.sandbox.command(&put).arg("version").assert().success().stdout(version);

    // What it has put there is its own, wherever it is found.
    std::fs::copy(&put, &stranger).expect("a copy");
    let output = setup();
    assert!(String::from_utf8_lossy(&output.stdout).contains("Nothing to do"), "{output:?}");
}

#[test]
fn refusals() {
    let malformed = Machine::with(&[
        ("/etc/systemd/system/gitlab-runner.service", UNIT),
        ("/root/.docker/config.json", "{\"auths\": {\"h\": {\"auth\": \"hunter2-password\"},}}"),
    ]);
    malformed.shows("malformed", &["--registry", FIRST, "--yes"]);
    with_unit().shows(
        "secret_variable",
        &["--registry", FIRST, "--aws-env", "AWS_SECRET_ACCESS_KEY=hunter2-password"],
    );
    with_unit().shows("no_registry_of_ecr", &["--registry", "registry.example"]);
    Machine::with(&[]).shows("no_runner", &["--registry", FIRST]);
}

#[test]
fn without_a_unit() {
    Machine::with(&[
        ("/proc/42/comm", "gitlab-runner\n"),
        ("/proc/42/cmdline", "gitlab-runner\0run\0"),
        ("/proc/42/environ", "PATH=/usr/local/bin:/usr/bin\0HOME=/root\0SECRET=hunter2-password\0"),
        ("/proc/42/status", "Uid:\t0\t0\t0\t0\n"),
    ])
    .shows("process", &["--registry", FIRST]);
    let container = Machine::with(&[("/.dockerenv", "")]);
    let (code, text) = container.setup(&["--registry", FIRST]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("gone with it"), "{text}");
}

#[test]
fn a_unit_that_starts_a_script_is_not_guessed_at() {
    let unit = "[Service]\nExecStart=/usr/local/bin/start-runner.sh\n";
    let mut files = vec![("/etc/systemd/system/gitlab-runner.service", unit), ("/srv/runner/.keep", "")];
    let machine = Machine::with(&files);
    let before = machine.everything();
    let (code, text) = machine.setup(&["--registry", FIRST, "--yes"]);
    assert_eq!(code, 94, "{text}");
    assert!(text.contains("--home DIR --config FILE"), "{text}");
    assert_eq!(machine.everything(), before);

    files.extend([
        ("/proc/9/comm", "gitlab-runner\n"),
        ("/proc/9/cmdline", "gitlab-runner\0run\0--config\0/srv/runner/c.toml\0"),
        ("/proc/9/environ", "HOME=/srv/runner\0PATH=/usr/bin\0"),
        ("/proc/9/status", "Uid:\t0\t0\t0\t0\n"),
    ]);
    let machine = Machine::with(&files);
    let (code, text) = machine.setup(&["--registry", FIRST, "--yes"]);
    assert_eq!(code, 0, "{text}");
    assert!(machine.path("/srv/runner/.docker/config.json").exists());
    assert!(machine.path("/usr/bin/docker-credential-ecr-login").exists());
    assert!(!machine.path("/root/.docker").exists());
}

#[test]
fn hints_name_what_the_service_has() {
    let unit = "[Service]\nEnvironment=PATH=/opt/bin ID=%b\nExecStart=/usr/bin/gitlab-runner run\n";
    let machine = Machine::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]);
    let (_, text) = machine.setup(&["--registry", FIRST, "--yes"]);
    let folder = machine.path("/opt/bin");
    assert!(text.contains(&format!("hint: mkdir -p -m 0755 {}\n", folder.display())), "{text}");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    let (_, text) = machine.setup(&["--registry", FIRST, "--yes"]);
    assert!(text.contains(&format!("&& chmod go-w {}\n", folder.display())), "{text}");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    assert_eq!(machine.setup(&["--registry", FIRST, "--yes"]).0, 0);
}

#[test]
fn a_runner_s_process_in_a_container_is_one_of_a_container() {
    let machine = Machine::with(&[
        ("/.dockerenv", ""),
        ("/proc/42/comm", "gitlab-runner\n"),
        ("/proc/42/cmdline", "gitlab-runner\0run\0"),
        ("/proc/42/environ", "PATH=/usr/local/bin\0HOME=/root\0"),
        ("/proc/42/status", "Uid:\t0\t0\t0\t0\n"),
    ]);
    let (code, text) = machine.setup(&["--registry", FIRST]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("a process in a container") && text.contains("gone with it"), "{text}");
}

#[test]
fn a_link_is_read_where_it_is_followed_to() {
    let machine = Machine::with(&[
        ("/etc/systemd/system/gitlab-runner.service", UNIT),
        ("/srv/docker/config.json", "{\"psFormat\":\"x\"}\n"),
    ]);
    std::fs::create_dir_all(machine.path("/root/.docker")).expect("a folder");
    std::os::unix::fs::symlink("/srv/docker/config.json", machine.path("/root/.docker/config.json"))
        .expect("a link");
    let (code, text) = machine.setup(&["--registry", FIRST, "--yes"]);
    assert_eq!(code, 0, "{text}");
    let config = std::fs::read_to_string(machine.path("/srv/docker/config.json")).expect("a file");
    assert!(config.contains("psFormat") && config.contains("ecr-login"), "{config}");
}
