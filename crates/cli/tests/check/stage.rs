//! An emulator with one image, a runner's home, and `ecru` with its helper on the PATH.

use std::path::PathBuf;

use ecru_emulator::{AccountId, Emulator, Identity, Options, Region};
use ecru_testkit::{Sandbox, assert_no_leak};
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use secrecy::ExposeSecret as _;

const DEFAULT_REGISTRY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// What every helper asks of ECR.
const TOKEN: &str = r#"{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}"#;

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) emulator: Emulator,
    /// `localhost:PORT`
    pub(crate) registry: String,
    environment: Vec<(String, String)>,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
}

/// A user with the permission to get passwords and those to do `actions`.
fn user(name: &str, actions: &[&str]) -> Identity {
    let allowed: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    let rest = match allowed.is_empty() {
        true => String::new(),
        false => {
            format!(r#",{{"Effect":"Allow","Action":[{}],"Resource":"*"}}"#, allowed.join(","))
        }
    };
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{TOKEN}{rest}]}}"#);
    Identity { name: name.to_owned(), policies: vec![policy], ..Identity::default() }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let users = vec![user("no-manifests", &[]), user("no-layers", &["ecr:BatchGetImage"])];
        let emulator = Emulator::start(Options { users, ..options }).await.expect("an emulator");
        let sandbox = Sandbox::new();
        let registry = emulator.addresses().registries[DEFAULT_REGISTRY].clone();
        let alias = format!("[alias]\n\"{registry}\" = \"{DEFAULT_REGISTRY}\"\n");
        let config = sandbox.root().join("ecru.toml");
        std::fs::write(&config, alias).expect("ecru's configuration");
        let helper = sandbox.bin().join("docker-credential-ecr-login");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ecru"), helper).expect("the helper");
        let mut environment = emulator.environment();
        environment.retain(|(name, _)| name != "AWS_EC2_METADATA_SERVICE_ENDPOINT");
        environment.push(("ECRU_CONFIG".to_owned(), config.display().to_string()));
        let stage = Self { sandbox, emulator, registry, environment };
        stage.push("team/app", "1").await;
        stage
    }

    /// The password that the helper gets for the default registry.
    pub(crate) fn password(&self) -> String {
        let mut helper = self.command("docker-credential-ecr-login", "ecru");
        let output = helper.arg("get").write_stdin(self.registry.as_str()).output().expect("the helper runs");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an answer");
        answer["Secret"].as_str().expect("a password").to_owned()
    }

    /// Adds lines to ecru's configuration.
    pub(crate) fn add_to_config(&self, lines: &str) {
        let file = self.sandbox.root().join("ecru.toml");
        let before = std::fs::read_to_string(&file).expect("ecru's configuration");
        std::fs::write(file, format!("{lines}{before}")).expect("ecru's configuration");
    }

    /// What `ecru whoami` says of the identity for the default registry.
    pub(crate) fn whoami(&self) -> serde_json::Value {
        let mut command = self.command("ecru", "ecru");
        let output = command
            .args(["whoami", &self.registry, "--format", "json"])
            .output()
            .expect("the program starts");
        serde_json::from_slice(&output.stdout).expect("an answer")
    }

    /// Does what a hint for a refused token says.
    pub(crate) fn clear_cache(&self) {
        let mut command = self.command("ecru", "ecru");
        command.args(["cache", "clear", &self.registry]).assert().success();
    }

    pub(crate) async fn push(&self, repository: &str, tag: &str) {
        self.push_for(repository, tag, "amd64").await;
    }

    pub(crate) async fn push_for(&self, repository: &str, tag: &str, architecture: &str) {
        self.emulator
            .create_repository(AccountId::default(), &Region::default(), repository)
            .expect("a repository");
        // The client wants a TLS provider even where it speaks HTTP only; an earlier one is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            use_monolithic_push: true,
            no_proxy: Some("localhost".to_owned()),
            ..ClientConfig::default()
        });
        let reference: Reference =
            format!("{}/{repository}:{tag}", self.registry).parse().expect("a reference");
        let settings = format!(r#"{{"os":"linux","architecture":"{architecture}"}}"#);
        client
            .push(
                &reference,
                &[ImageLayer::oci_v1(b"layer".to_vec(), None)],
                Config::oci_v1(settings, None),
                &RegistryAuth::Basic("AWS".to_owned(), self.password()),
                None,
            )
            .await
            .expect("a push");
    }

    fn command(&self, program: &str, user: &str) -> assert_cmd::Command {
        let mut command = self.sandbox.command(match program {
            "ecru" => PathBuf::from(env!("CARGO_BIN_EXE_ecru")),
            other => self.sandbox.bin().join(other),
        });
        command.envs(self.variables(user));
        command
    }

    /// What a user of the emulated AWS has in the environment besides what the sandbox gives.
    pub(crate) fn variables(&self, user: &str) -> Vec<(String, String)> {
        let keys = self.emulator.keys_of_user(AccountId::default(), user).expect("a user");
        let of_user = [
            ("AWS_ACCESS_KEY_ID".to_owned(), keys.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), keys.secret_access_key.expose_secret().to_owned()),
        ];
        self.environment.iter().cloned().chain(of_user).collect()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.sandbox.home().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Runs `ecru check` as a user of the emulated AWS. Neither its key nor a password shows.
    pub(crate) fn check(&self, user: &str, arguments: &[&str]) -> Said {
        self.check_with(user, arguments, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn check_with(&self, user: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = self.command("ecru", user);
        command.arg("check").args(arguments).envs(variables.iter().copied());
        let output = command.output().expect("the program starts");
        let keys = self.emulator.keys_of_user(AccountId::default(), user).expect("a user");
        for stream in [&output.stdout, &output.stderr] {
            assert_no_leak(stream, &[keys.secret_access_key.expose_secret(), "ecru-emulator-"]);
        }
        Said {
            code: output.status.code(),
            stdout: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// The same, as the JSON that it prints.
    pub(crate) fn check_json(&self, user: &str, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
        self.check_json_with(user, arguments, &[])
    }

    pub(crate) fn check_json_with(
        &self,
        user: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (Option<i32>, serde_json::Value) {
        let said = self.check_with(user, &[arguments, &["--format", "json"]].concat(), variables);
        (said.code, serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("no JSON: {}", said.stdout)))
    }
}
