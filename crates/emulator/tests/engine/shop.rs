//! An emulator, an engine, and people with a docker client each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ecru_emulator::{Identity, Options};
use ecru_testkit::{Sandbox, assert_no_leak};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::signer::Signer;
use crate::stage::{Hands, Stage, credential_in, digest_of};

/// Tests compare the images of the whole engine, so they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

const COMMAND_DEADLINE: Duration = Duration::from_secs(120);
/// How many images of a test are built on one another at most.
const MOST_GENERATIONS: usize = 3;

pub(crate) const PULL: [&str; 3] =
    ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];

pub(crate) struct Shop {
    pub(crate) stage: Stage,
    pub(crate) hands: Hands,
    sandbox: Sandbox,
    host: String,
    before: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

/// Somebody with a docker client, who may be logged in.
pub(crate) struct Person<'a> {
    shop: &'a Shop,
    config: PathBuf,
    password: String,
}

/// How a command of docker ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shop {
    /// With the repositories `team/app` and `team/other`, and these roles besides those that may do everything.
    pub(crate) async fn open(roles: Vec<Identity>) -> Self {
        let turn = TURN.lock().await;
        let hands = Hands::new();
        let stage = Stage::with(Options { roles, clock: hands.clock(), ..Options::default() }).await;
        stage.create("team/app");
        stage.create("team/other");
        let (sandbox, host) = (Sandbox::new(), docker_host());
        let mut shop = Self { stage, hands, sandbox, host, before: Vec::new(), _turn: turn };
        shop.before = shop.images_of_the_engine();
        shop
    }

    /// The name of an image in the emulated registry.
    pub(crate) fn image(&self, rest: &str) -> String {
        format!("localhost:{}/{rest}", self.stage.main().port())
    }

    /// The user of the account, logged in.
    pub(crate) async fn owner(&self) -> Person<'_> {
        self.person("owner", &self.stage.signer(0, "us-east-1", "ecr")).await
    }

    /// A session of a role, logged in; `rest` are further parameters of AssumeRole.
    pub(crate) async fn session(&self, role: &str, rest: &[(&str, &str)]) -> Person<'_> {
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", "AssumeRole"), ("RoleArn", &arn), ("RoleSessionName", "job")]);
        form.extend_pairs(rest);
        let assumed = self.stage.sts(&self.stage.signer(0, "us-east-1", "sts"), &form.finish()).await;
        assert_eq!(assumed.status, 200, "{assumed:?}");
        self.person(role, &self.stage.session_signer(&assumed, "us-east-1", "ecr")).await
    }

    async fn person(&self, name: &str, signer: &Signer) -> Person<'_> {
        let credential = credential_in(&self.stage.basic_of(signer).await);
        let password = credential.strip_prefix("AWS:").unwrap().to_owned();
        let person = Person { password, ..self.stranger(name) };
        let said = person.log_in(&person.password);
        assert!(said.success && said.stdout.contains("Login Succeeded"), "{said:?}");
        person
    }

    /// Somebody who is not logged in.
    pub(crate) fn stranger(&self, name: &str) -> Person<'_> {
        let config = self.sandbox.home().join(name);
        std::fs::create_dir_all(&config).unwrap();
        Person { shop: self, config, password: String::new() }
    }

    /// Fails unless the engine holds the images that it held before.
    pub(crate) fn close(self) {
        self.remove_images();
        assert_eq!(self.images_of_the_engine(), self.before);
    }

    /// Takes all images of the registry from the engine, with all their names.
    pub(crate) fn remove_images(&self) {
        let person = self.stranger("cleaner");
        let mine = format!("reference={}", self.image("*/*"));
        // An image that another was built on goes only after that one, and images of one second have no order.
        for _ in 0..MOST_GENERATIONS {
            let listed = person.docker(&["image", "ls", "--quiet", "--filter", &mine]);
            for image in listed.stdout.lines() {
                person.docker(&["image", "rm", "--force", image]);
            }
        }
    }

    fn images_of_the_engine(&self) -> Vec<String> {
        let listed = self.stranger("cleaner").did(&["image", "ls", "--all", "--quiet", "--no-trunc"]);
        let mut images: Vec<String> = listed.lines().map(ToOwned::to_owned).collect();
        images.sort_unstable();
        images.dedup();
        images
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Also after a test that failed.
        self.remove_images();
    }
}

impl Person<'_> {
    pub(crate) fn log_in(&self, password: &str) -> Said {
        let registry = format!("localhost:{}", self.shop.stage.main().port());
        self.run(&["login", "--username", "AWS", "--password-stdin", &registry], password)
    }

    /// Runs `docker`, which must not say the password.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Said {
        self.run(arguments, "")
    }

    /// Runs `docker`, which must succeed, and returns what it prints.
    pub(crate) fn did(&self, arguments: &[&str]) -> String {
        let said = self.docker(arguments);
        assert!(said.success, "docker {arguments:?}: {said:?}");
        said.stdout.trim().to_owned()
    }

    /// Runs `docker`, which must fail, and returns what it complains of.
    pub(crate) fn failed(&self, arguments: &[&str]) -> String {
        let said = self.docker(arguments);
        assert!(!said.success, "docker {arguments:?}: {said:?}");
        said.stderr.trim().to_owned()
    }

    /// Makes an image whose layers hold one small file each.
    pub(crate) fn build(&self, image: &str, layers: usize) {
        let folder = self.config.join(format!("{layers} layers"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut dockerfile = "FROM scratch\n".to_owned();
        for layer in 0..layers {
            std::fs::write(folder.join(layer.to_string()), format!("{image} {layer}\n")).unwrap();
            dockerfile += &format!("COPY {layer} /\n");
        }
        std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        self.did(&["build", "--quiet", "--tag", image, &folder.to_string_lossy()]);
        let made = self.did(&["image", "inspect", "--format", "{{len .RootFS.Layers}}", image]);
        assert_eq!(made, layers.to_string());
    }

    /// Makes an image of one layer for a platform, by an archive as `docker save` writes it: `docker import` of old
    /// engines knows only their own architecture.
    pub(crate) fn load(&self, image: &str, platform: &str) {
        let (os, architecture) = platform.split_once('/').unwrap();
        let folder = self.config.join(architecture);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write("file", format!("{platform}\n"));
        self.tar(&folder, "layer.tar", &["file"]);
        let layer = digest_of(&std::fs::read(folder.join("layer.tar")).unwrap());
        let rootfs = json!({ "type": "layers", "diff_ids": [layer] });
        write("config.json", json!({ "os": os, "architecture": architecture, "rootfs": rootfs }).to_string());
        let manifest = json!([{ "Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"] }]);
        write("manifest.json", manifest.to_string());
        self.tar(&folder, "image.tar", &["manifest.json", "config.json", "layer.tar"]);
        self.did(&["load", "--input", &folder.join("image.tar").to_string_lossy()]);
    }

    fn tar(&self, folder: &Path, archive: &str, files: &[&str]) {
        let mut tar = self.shop.sandbox.command("tar");
        tar.current_dir(folder).args(["-cf", archive]).args(files).assert().success();
    }

    /// Takes an image from the engine, so that the next pull has to get it.
    pub(crate) fn forget(&self, image: &str) {
        self.did(&["image", "rm", "--force", image]);
        assert!(!self.docker(&["image", "inspect", image]).success, "{image} is gone");
    }

    /// What the engine says that it holds under a name.
    pub(crate) fn inspect(&self, image: &str, format: &str) -> String {
        self.did(&["image", "inspect", "--format", format, image])
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Said {
        let mut command = self.shop.sandbox.command("docker");
        command.args(arguments).write_stdin(stdin).timeout(COMMAND_DEADLINE);
        command.env("DOCKER_HOST", &self.shop.host).env("DOCKER_CONFIG", &self.config);
        // The engine's own builder: the other one is a program that need not be installed.
        command.env("DOCKER_BUILDKIT", "0");
        let output = command.output().unwrap();
        if !self.password.is_empty() {
            assert_no_leak(&output.stdout, &[&self.password]);
            assert_no_leak(&output.stderr, &[&self.password]);
        }
        Said {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn role(name: &str, policies: Vec<String>) -> Identity {
    Identity { name: name.into(), policies, ..Identity::default() }
}

pub(crate) fn policy(statements: Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// May ask for a token, and do these things with one repository.
pub(crate) fn may(actions: &[&str], repository: &str) -> String {
    let arn = format!("arn:aws:ecr:us-east-1:000000000000:repository/{repository}");
    policy(json!([
        { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
        { "Effect": "Allow", "Action": actions, "Resource": arn },
    ]))
}

#[expect(clippy::disallowed_methods, reason = "the engine for tests is named by the environment")]
fn docker_host() -> String {
    std::env::var("DOCKER_HOST").expect("DOCKER_HOST names the engine")
}
