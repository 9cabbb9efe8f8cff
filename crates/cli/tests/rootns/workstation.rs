//! Whoever makes the images: an engine, docker and our helper, and somebody who is known to AWS.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use ecru_testkit::{Sandbox, assert_no_leak};

use crate::aws::{Aws, HOME_REGISTRY, OTHER_REGISTRY};
use crate::engine::Engine;

pub(crate) const HELPER: &str = "docker-credential-ecr-login";
pub(crate) const STEP_DEADLINE: Duration = Duration::from_secs(60);

/// What services say.
pub(crate) const ANSWER: &str = "three loaves of bread";

/// An engine with its clients, and somebody who is known to AWS.
pub(crate) struct Workstation {
    pub(crate) sandbox: Sandbox,
    pub(crate) aws: Aws,
    pub(crate) engine: Engine,
    /// What no program may print: the key, and the registries' passwords.
    secrets: Vec<String>,
}

impl Workstation {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let aws = Aws::start();
        let helper = Path::new(env!("CARGO_BIN_EXE_ecru")).with_file_name(HELPER);
        assert!(helper.exists(), "{} is missing: `cargo build -p ecru-helper` makes it", helper.display());
        std::os::unix::fs::symlink(helper, sandbox.bin().join(HELPER)).unwrap();

        let home = sandbox.home();
        let write = |path: &str, text: String| {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let helpers = format!(
            r#"{{"credHelpers": {{"{HOME_REGISTRY}": "ecr-login", "{OTHER_REGISTRY}": "ecr-login"}}}}"#
        );
        write("job/config.json", helpers);
        // `list` names them, so that a `credsStore` is asked for them.
        write(
            ".config/ecru/config.toml",
            format!("registries = [\"{HOME_REGISTRY}\", \"{OTHER_REGISTRY}\"]\n"),
        );

        let engine = Engine::start(&sandbox);
        let secrets = vec![aws.secret_key()];
        let mut workstation = Self { sandbox, aws, engine, secrets };
        let passwords = [HOME_REGISTRY, OTHER_REGISTRY].map(|registry| workstation.password(registry));
        workstation.secrets.extend(passwords);
        workstation
    }

    /// The password that the helper gives for a registry.
    fn password(&self, registry: &str) -> String {
        let mut helper = self.command(HELPER);
        let result = helper.arg("get").write_stdin(registry).assert().success();
        let answer: serde_json::Value = serde_json::from_slice(&result.get_output().stdout).unwrap();
        answer["Secret"].as_str().unwrap().to_owned()
    }

    /// A command with an identity in AWS, and with the helper for both registries.
    pub(crate) fn command(&self, program: &str) -> Command {
        let config = self.sandbox.home().join("job");
        let mut command = self.sandbox.command(program);
        command.env("DOCKER_HOST", &self.engine.host);
        command.env("DOCKER_CONFIG", &config);
        command.env("REGISTRY_AUTH_FILE", config.join("config.json"));
        command.envs(self.aws.identity()).timeout(STEP_DEADLINE);
        command
    }

    /// Runs it, shows what it says, and returns what it printed.
    pub(crate) fn output_of(&self, mut command: Command) -> String {
        let result = command.assert().success();
        let output = result.get_output();
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
        assert_no_leak(&output.stdout, &secrets);
        assert_no_leak(&output.stderr, &secrets);
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        println!("docker {}", arguments.join(" "));
        let mut command = self.command("docker");
        command.args(arguments);
        self.output_of(command).trim().to_owned()
    }

    pub(crate) fn forget(&self, image: &str) {
        self.docker(&["image", "rm", "--force", image]);
    }

    /// A shell, what else busybox can do, and docker.
    pub(crate) fn job_image(&self) -> String {
        self.image(&format!("{HOME_REGISTRY}/team/job:1"), &["busybox", "docker"], &[r#"CMD ["/bin/sh"]"#])
    }

    /// A service in `registry` that says one sentence over HTTP.
    pub(crate) fn service_image(&self, registry: &str) -> String {
        let command = r#"CMD ["/bin/httpd", "-f", "-p", "8080", "-h", "/www"]"#;
        self.image(&format!("{registry}/team/catalog:1"), &["busybox"], &[command, "EXPOSE 8080"])
    }

    /// An image of `programs` of this machine with the libraries that they link, and of busybox's other names.
    fn image(&self, name: &str, programs: &[&str], settings: &[&str]) -> String {
        let rootfs = self.sandbox.root().join(name.replace(['/', ':'], "-"));
        let make = format!(
            "mkdir -p {0}/bin {0}/tmp {0}/www\n\
             for program in {programs}; do\n\
               program=$(command -v $program)\n\
               cp \"$program\" {0}/bin/\n\
               for library in $(ldd \"$program\" 2>/dev/null | grep -o '/[^ ]*'); do\n\
                 mkdir -p {0}/\"$(dirname \"$library\")\" && cp -L \"$library\" {0}/\"$library\"\n\
               done\n\
             done\n\
             for name in sh httpd wget cat echo mkdir tar; do ln -s busybox {0}/bin/$name; done\n\
             echo '{ANSWER}' >{0}/www/index.html && tar -C {0} -cf {0}.tar .",
            rootfs.display(),
            programs = programs.join(" "),
        );
        self.sandbox.command("sh").args(["-ec", &make]).timeout(STEP_DEADLINE).assert().success();
        let archive = format!("{}.tar", rootfs.display());
        let settings = settings.iter().chain(&["ENV PATH=/usr/local/bin:/bin"]);
        let changes: Vec<_> = settings.flat_map(|setting| ["--change", setting]).collect();
        self.docker(&[&["import"], changes.as_slice(), &[&archive, name]].concat());
        name.to_owned()
    }

    pub(crate) fn end(self) {
        drop(self.engine);
        self.aws.stop();
    }
}
