//! An `ecru emulate` process with the example images, and an engine that must look the same afterwards.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecru_executor::{Engine, Inventory};
use ecru_testkit::Sandbox;

/// Tests compare what the engine has before and after, so they take turns.
pub(crate) static TURN: Mutex<()> = Mutex::new(());

/// The program under test.
pub(crate) const ECRU: &str = env!("CARGO_BIN_EXE_ecru");

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    /// The registry in which `team/job:1` and `team/catalog:1` lie, as `localhost:PORT`.
    pub(crate) registry: String,
    registries: BTreeMap<String, String>,
    emulator: Child,
    variables: BTreeMap<String, String>,
    before: Inventory,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Starts the emulator with `arguments` besides its usual ones.
    pub(crate) fn set(arguments: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inventory();
        let sandbox = Sandbox::new();
        let mut emulator = Command::new(ECRU)
            .args(["emulate", "--format", "json", "--port", "0", "--example-images"])
            .args(arguments)
            .env_clear()
            .envs(sandbox.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(emulator.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            emulator.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
            panic!("no emulator: {said}");
        }
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let variables = texts(&told["environment"]);
        let registries = texts(&told["addresses"]["registries"]);
        let registry = registries["000000000000.dkr.ecr.us-east-1.amazonaws.com"].clone();
        Self { sandbox, registry, registries, emulator, variables, before, _turn: turn }
    }

    /// The `localhost:PORT` of an emulated registry, by its ECR host name.
    pub(crate) fn local_registry(&self, host: &str) -> String {
        self.registries[host].clone()
    }

    /// The same with a variable more for its commands.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes a file into the folder that commands start in; `REGISTRY` becomes the registry's address.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let text = text.replace("REGISTRY", &self.registry);
        std::fs::write(self.sandbox.home().join(name), text).unwrap();
    }

    /// An `ecru` that finds the emulator and the engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ECRU);
        command.args(arguments).env_clear().envs(self.sandbox.environment());
        command.env_remove("AWS_EC2_METADATA_DISABLED").envs(&self.variables);
        command.env("DOCKER_HOST", docker_host()).current_dir(self.sandbox.home()).stdin(Stdio::null());
        command
    }

    /// What `ecru` prints and how it ends.
    pub(crate) fn ecru(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Fails if the engine has anything that it did not have before, but for the images that were pulled, which go.
    pub(crate) fn strike(mut self) {
        for image in ["team/job:1", "team/catalog:1"] {
            remove_image(&format!("{}/{image}", self.registry));
        }
        let asked = Command::new("kill").arg(self.emulator.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.emulator.wait().unwrap().success(), "the emulator ends well when it is asked to");
        assert_eq!(inventory(), self.before, "the engine looks as before");
    }
}

fn texts(object: &serde_json::Value) -> BTreeMap<String, String> {
    let members = object.as_object().unwrap().iter();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the engine for tests is named by the environment")]
pub(crate) fn docker_host() -> String {
    std::env::var("DOCKER_HOST").expect("DOCKER_HOST names the engine")
}

fn in_runtime<T>(work: impl AsyncFnOnce(Engine) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(Engine::connect(Some(&docker_host())).await.unwrap()).await })
}

fn inventory() -> Inventory {
    in_runtime(async |engine| engine.inventory().await.unwrap())
}

fn remove_image(image: &str) {
    in_runtime(async |engine| engine.remove_image(image).await.unwrap());
}
