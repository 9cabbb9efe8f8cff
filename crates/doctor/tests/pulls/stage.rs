//! Emulated AWS with registries on ports of their own, and somebody who pulls from them.

use std::fmt::Write as _;
use std::path::PathBuf;

use ecru_doctor::checks::pulls;
use ecru_doctor::report::{Check, Context, Fix, Outcome};
use ecru_doctor::surroundings::{ImageChoice, Puller, Target};
use ecru_ecr::access::Access;
use ecru_ecr::clock::system_time;
use ecru_ecr::config::{Config, Source};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_emulator::{AccessKeys, AccountId, Emulator, Options, Region, RegistryAt, Seed};
use ecru_testkit::{Sandbox, assert_no_leak};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) emulator: Emulator,
    pub(crate) context: Context,
    /// `localhost:PORT` of each registry, in the order of their accounts.
    pub(crate) registries: Vec<String>,
    /// Variables beside those that lead to the emulator.
    pub(crate) variables: Vec<(String, String)>,
    /// What stands in ecru's configuration beside the aliases.
    pub(crate) config: String,
    aliases: String,
}

pub(crate) fn account(number: u8) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

impl Stage {
    /// A world with registries of the accounts 0 to `accounts - 1` in one region.
    pub(crate) async fn new(accounts: u8, options: Options) -> Self {
        let registries = (1..accounts)
            .map(|number| RegistryAt { account: account(number), region: Region::default(), port: 0 })
            .collect();
        let emulator = Emulator::start(Options { registries, ..options }).await.unwrap();
        let (mut aliases, mut names) = ("[alias]\n".to_owned(), Vec::new());
        for (host, address) in &emulator.addresses().registries {
            writeln!(aliases, "\"{address}\" = \"{host}\"").unwrap();
            names.push(address.clone());
        }
        Self {
            sandbox: Sandbox::new(),
            emulator,
            context: Context::Runner,
            registries: names,
            variables: Vec::new(),
            config: String::new(),
            aliases,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn keys(&self, user: &str) -> AccessKeys {
        self.emulator.keys_of_user(AccountId::default(), user).unwrap()
    }

    pub(crate) fn use_keys(&mut self, user: &str) {
        let keys = self.keys(user);
        self.set("AWS_ACCESS_KEY_ID", &keys.access_key_id);
        self.set("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.expose_secret());
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.sandbox.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// An image in the registry of `account`.
    pub(crate) async fn add_image(&self, account: u8, repository: &str) {
        let layout = self.sandbox.root().join(format!("layout-{account}"));
        write_layout(&layout);
        let seed = format!(
            "[[repository]]\naccount = \"{account:012}\"\nname = \"{repository}\"\n[[repository.image]]\nfrom = \
             \"{}\"\ntags = [\"1\"]\n",
            layout.display()
        );
        let file = self.sandbox.root().join("seed.toml");
        std::fs::write(&file, seed).unwrap();
        self.emulator.apply(&Seed::read(&file).unwrap()).await.unwrap();
    }

    pub(crate) fn puller(&self) -> Puller {
        let config = self.write("ecru.toml", &format!("{}\n{}", self.aliases, self.config));
        let mut variables: Vec<(String, String)> = self
            .sandbox
            .environment()
            .into_iter()
            .filter(|(name, _)| *name != "AWS_EC2_METADATA_DISABLED")
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        variables.extend(self.emulator.environment());
        variables.extend(self.variables.iter().cloned());
        let environment = Environment::from_map(variables);
        Puller {
            context: self.context,
            target: Target::this_machine(),
            own: environment.clone(),
            environment,
            config_file: "/etc/ecru/config.toml".into(),
            config: Config::load(&[Source { path: config, required: true, owner: None }]).unwrap(),
            deadlines: Deadlines::default(),
            clock: system_time,
            registries: self.registries.clone(),
        }
    }

    /// The credentials that the helper gives for these images.
    pub(crate) fn choices(&self, images: &[String]) -> Vec<ImageChoice> {
        use ecru_ecr::token::TokenSource as _;
        use ecru_gitlab::registry_auth::{ResolvedCredential, Source};
        let puller = self.puller();
        let access = Access { config: &puller.config, environment: &puller.environment, clock: puller.clock };
        let credential = |image: &str| {
            let host = image.split('/').next().unwrap();
            let request = puller.config.request(host).unwrap();
            let choice = puller.config.choice(&request, None, &puller.environment).unwrap();
            let token = access.tokens(&choice, puller.deadlines).token(&request.registry).ok()?;
            Some(ResolvedCredential {
                path: host.to_owned(),
                source: Source::DockerAuthConfig,
                server_address: host.to_owned(),
                username: token.username,
                password: token.secret,
                identity_token: "".into(),
                registry_token: "".into(),
                is_assumed: false,
            })
        };
        let choice = |image: &String| ImageChoice {
            image: image.clone(),
            credential: credential(image),
            obstacles: Vec::new(),
            aborted: None,
            left_to_others: None,
        };
        images.iter().map(choice).collect()
    }

    /// The checks, none of which shows a secret.
    pub(crate) async fn checks(&self, images: &[String]) -> Vec<Check> {
        let (puller, choices) = (self.puller(), async { self.choices(images) });
        let checks = pulls::checks(&puller, true, choices).await;
        let text = serde_json::to_string(&checks).unwrap();
        assert_no_leak(&text, &["ecru-emulator/not-real-keys", "ecru-emulator."]);
        checks
    }

    /// The checks of a puller that has recorded nothing, while `happens`.
    pub(crate) async fn checks_after(&self, happens: impl Fn(&Self)) -> Vec<Check> {
        let puller = self.puller();
        let access = Access { config: &puller.config, environment: &puller.environment, clock: puller.clock };
        let failures = access.failures().unwrap();
        for failure in failures.all().unwrap() {
            failures.forget(&failure.registry).unwrap();
        }
        let choices = async {
            happens(self);
            Vec::new()
        };
        pulls::checks(&puller, true, choices).await
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        let calls = self.emulator.calls();
        calls
            .iter()
            .filter(|(service, name, _)| format!("{service}:{name}") == operation)
            .map(|(_, _, n)| n)
            .sum()
    }
}

/// An OCI image layout with one image of one layer.
fn write_layout(folder: &std::path::Path) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |content: &[u8]| {
        let digest = hex::encode(Sha256::digest(content));
        std::fs::write(blobs.join(&digest), content).unwrap();
        serde_json::json!({ "digest": format!("sha256:{digest}"), "size": content.len() })
    };
    let with_type = |mut descriptor: serde_json::Value, media_type: &str| {
        descriptor["mediaType"] = media_type.into();
        descriptor
    };
    let config = serde_json::json!({ "os": "linux", "architecture": "amd64",
        "rootfs": { "type": "layers", "diff_ids": [] } });
    let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": with_type(blob(config.to_string().as_bytes()), "application/vnd.oci.image.config.v1+json"),
        "layers": [with_type(blob(b"layer"), "application/vnd.oci.image.layer.v1.tar")] });
    let manifest = blob(manifest.to_string().as_bytes());
    let index = serde_json::json!({ "schemaVersion": 2,
        "manifests": [with_type(manifest, "application/vnd.oci.image.manifest.v1+json")] });
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// The first check that failed.
#[track_caller]
pub(crate) fn first_failure(checks: &[Check]) -> (&'static str, &str, &Check) {
    checks
        .iter()
        .find_map(|check| match &check.outcome {
            Outcome::Fail(reason) => Some((check.definition.id, reason.as_str(), check)),
            _ => None,
        })
        .unwrap_or_else(|| panic!("nothing failed: {checks:#?}"))
}

#[track_caller]
pub(crate) fn assert_nothing_failed(checks: &[Check]) {
    let failed: Vec<_> = checks.iter().filter(|check| matches!(check.outcome, Outcome::Fail(_))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The lines of the first fix.
#[track_caller]
pub(crate) fn lines(check: &Check) -> &str {
    match check.fixes.first() {
        Some(Fix::Lines { lines, .. }) => lines,
        other => panic!("the first fix is {other:?}"),
    }
}

/// What the first fix advises.
#[track_caller]
pub(crate) fn advice(check: &Check) -> &str {
    match check.fixes.first() {
        Some(Fix::Advice { text }) => text,
        other => panic!("the first fix is {other:?}"),
    }
}

/// The command of the first fix.
#[track_caller]
pub(crate) fn command(check: &Check) -> &str {
    match check.fixes.first() {
        Some(Fix::Command { command, .. }) => command,
        other => panic!("the first fix is {other:?}"),
    }
}
