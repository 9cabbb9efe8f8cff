//! The policies of `ecru emit iam-policy`, enforced by emulated IAM: with exactly these actions it works, with any one of
//! them less it does not, and in other repositories it does not either.
//!
//! The requests are those that a Docker engine makes of a registry, in its order.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecru_emulator::{AccountId, Emulator, Identity, Options, Region, Seed};
use ecru_testkit::Sandbox;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const PUBLIC: &str = "public.ecr.aws";
const USER: &str = "emitted";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Emulated AWS with an image, and a user whose policy changes.
struct Stage {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    emulator: Emulator,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its listeners end with the runtime.
        let _guard = self.runtime.enter();
    }
}

/// The first answer that is no success: what was asked, and the status.
type Refusal = String;

struct Answer {
    location: Option<String>,
    body: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/emulator/seed.toml");
        let seed = Seed::read(&seed).expect("the example");
        let mut options = Options {
            users: vec![Identity { name: USER.to_owned(), ..Identity::default() }],
            ..Options::default()
        };
        seed.add_to(&mut options);
        let emulator = runtime.block_on(Emulator::start(options)).expect("an emulator");
        runtime.block_on(emulator.apply(&seed)).expect("the example's images");
        for name in ["pushed/here", "elsewhere"] {
            emulator.create_repository(AccountId::default(), &Region::default(), name).expect("a repository");
        }
        Self { sandbox: Sandbox::new(), runtime, emulator }
    }

    fn ecru(&self, arguments: &[&str]) -> std::process::Output {
        let keys = self.emulator.keys_of_user(AccountId::default(), USER).expect("the user");
        let endpoints =
            self.emulator.environment().into_iter().filter(|(name, _)| name.contains("ENDPOINT_URL"));
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        command
            .envs(endpoints)
            .env("AWS_ECR_DISABLE_CACHE", "1")
            .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.expose_secret())
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    fn policy(&self, arguments: &[&str]) -> Value {
        let output = self.ecru(&[&["emit", "iam-policy"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn allow(&self, policy: &Value) {
        let user =
            Identity { name: USER.to_owned(), policies: vec![policy.to_string()], ..Identity::default() };
        self.emulator.set_user(&user).expect("a policy");
    }

    /// Basic authorization by a password that the user gets now.
    fn authorization(&self, host: &str) -> Result<String, Refusal> {
        let output = self.ecru(&["token", host]);
        if !output.status.success() {
            return Err(format!("token: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let password = String::from_utf8(output.stdout).expect("text");
        Ok(BASE64.encode(format!("AWS:{}", password.trim_end())))
    }

    fn registry(&self, host: &str) -> String {
        self.emulator.addresses().registries.get(host).expect("a registry").clone()
    }

    fn pull(&self, repository: &str, tag: &str) -> Result<(), Refusal> {
        let authorization = format!("Basic {}", self.authorization(HOST)?);
        pulled(&self.registry(HOST), &authorization, repository, tag)
    }

    fn pull_from_public(&self) -> Result<(), Refusal> {
        let authorization = format!("Bearer {}", self.authorization(PUBLIC)?);
        pulled(&self.registry(PUBLIC), &authorization, "hello-team/hello", "latest")
    }

    /// Puts an image into a repository of ECR Public, from which nobody has pulled yet.
    fn publish(&self, name: &str) {
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/emulator/hello");
        let text = format!(
            "[[repository]]\naccount = \"000000000001\"\nname = \"{name}\"\npublic = true\n\
             [[repository.image]]\nfrom = '{}'\ntags = [\"1\"]\n",
            image.display()
        );
        let path = self.sandbox.home().join("published.toml");
        std::fs::write(&path, text).expect("a file");
        let seed = Seed::read(&path).expect("a seed");
        self.runtime.block_on(self.emulator.apply(&seed)).expect("an image");
    }

    /// Pushes an image that nobody has pushed yet.
    fn push(&self, repository: &str, content: &str) -> Result<(), Refusal> {
        let authorization = format!("Basic {}", self.authorization(HOST)?);
        let registry = self.registry(HOST);
        let ask = |method: &str, path: &str, body: &[u8], statuses: &[u16]| {
            asked(&registry, method, path, Some(&authorization), body, statuses)
        };
        let upload = |blob: &[u8]| -> Result<String, Refusal> {
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(blob)));
            ask("HEAD", &format!("/v2/{repository}/blobs/{digest}"), b"", &[404])?;
            let started = ask("POST", &format!("/v2/{repository}/blobs/uploads/"), b"", &[202])?;
            let place = started.location.expect("a place for the upload");
            let written = ask("PATCH", &place, blob, &[201, 202])?;
            let place = written.location.expect("a place for its end");
            ask("PUT", &format!("{place}?digest={digest}"), b"", &[201])?;
            Ok(digest)
        };
        let layer = format!("layer {content}");
        let settings =
            json!({ "os": "linux", "architecture": "amd64", "config": {}, "note": content }).to_string();
        let descriptor = |kind: &str, digest: String, size: usize| json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("config.v1+json", upload(settings.as_bytes())?, settings.len()),
            "layers": [descriptor("layer.v1.tar", upload(layer.as_bytes())?, layer.len())],
        });
        let path = format!("/v2/{repository}/manifests/{content}");
        ask("HEAD", &path, b"", &[404])?;
        ask("PUT", &path, manifest.to_string().as_bytes(), &[201])?;
        Ok(())
    }

    /// `works` with `policy`, and with none of its actions left out.
    #[track_caller]
    fn assert_exact(&self, policy: &Value, works: impl Fn(&str) -> Result<(), Refusal>) {
        self.allow(policy);
        works("whole").expect("the policy is enough");
        let actions = actions(policy);
        assert!(!actions.is_empty());
        for action in actions {
            self.allow(&without(policy, &action));
            let name = action.replace(':', "-").to_ascii_lowercase();
            let refusal = works(&format!("without-{name}")).expect_err(&format!("{action} is not needed"));
            assert!(is_refusal_for(&action, &refusal), "{action}: {refusal}");
        }
        self.allow(policy);
    }
}

fn pulled(registry: &str, authorization: &str, repository: &str, tag: &str) -> Result<(), Refusal> {
    let ask = |path: &str, statuses: &[u16]| {
        asked(registry, "GET", &format!("/v2/{repository}/{path}"), Some(authorization), b"", statuses)
    };
    let manifest: Value =
        serde_json::from_slice(&ask(&format!("manifests/{tag}"), &[200])?.body).expect("a manifest");
    let layers = manifest["layers"].as_array().expect("layers");
    for blob in layers.iter().chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().expect("a digest");
        let elsewhere = ask(&format!("blobs/{digest}"), &[307])?.location.expect("a link");
        let link = elsewhere.strip_prefix("http://").expect("a link to loopback");
        let (host, path) = link.split_once('/').expect("a path");
        let content = asked(host, "GET", &format!("/{path}"), None, b"", &[200])?.body;
        assert_eq!(digest, format!("sha256:{}", hex::encode(Sha256::digest(content))));
    }
    Ok(())
}

/// Whether a request is refused as one is that lacks this permission. Who may not fill a cache reads that there is nothing
/// in it ("Troubleshooting pull through cache issues in Amazon ECR", Amazon ECR user guide).
fn is_refusal_for(action: &str, refusal: &str) -> bool {
    match action {
        "ecr:BatchImportUpstreamImage" | "ecr:CreateRepository" => refusal.contains("404 "),
        "ecr:GetAuthorizationToken" | "ecr-public:GetAuthorizationToken" | "sts:GetServiceBearerToken" => {
            refusal.starts_with("token:")
        }
        _ => refusal.contains("403 "),
    }
}

fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |statement: &Value| statement["Action"].as_array().expect("actions").clone();
    statements.iter().flat_map(of).map(|action| action.as_str().expect("text").to_owned()).collect()
}

fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().expect("statements");
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().expect("actions").retain(|other| other != action);
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// One request on a connection of its own.
fn asked(
    host: &str,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: &[u8],
    statuses: &[u16],
) -> Result<Answer, Refusal> {
    let mut connection = TcpStream::connect(host).expect("a connection");
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let kind = if path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: {MANIFEST}\r\n{authorization}\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(&[head.as_bytes(), body].concat()).expect("a request");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location").then(|| value.to_owned())
    });
    let body = answer.split_off(end + 4);
    if statuses.contains(&status) {
        return Ok(Answer { location, body });
    }
    Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body)))
}

#[test]
fn pulls_need_exactly_the_policy_for_pulls() {
    let stage = Stage::new();
    let policy = stage.policy(&["pull", "--registry", HOST]);
    stage.assert_exact(&policy, |_| stage.pull("team/app", "1"));
    assert!(stage.push("pushed/here", "by-a-puller").is_err());

    let narrow = stage.policy(&["pull", "--registry", HOST, "--repository", "elsewhere", "other/*"]);
    stage.allow(&narrow);
    let refusal = stage.pull("team/app", "1").expect_err("another repository");
    assert!(refusal.contains("403") && refusal.contains("repository/team/app"), "{refusal}");
    let family = stage.policy(&["pull", "--registry", HOST, "--repository", "team/*"]);
    stage.assert_exact(&family, |_| stage.pull("team/app", "1"));
}

#[test]
fn pushes_need_exactly_the_policy_for_pushes() {
    let stage = Stage::new();
    let policy = stage.policy(&["push", "--registry", HOST, "--repository", "pushed/here"]);
    stage.assert_exact(&policy, |content| stage.push("pushed/here", content));
    let refusal = stage.push("elsewhere", "by-a-pusher").expect_err("another repository");
    assert!(refusal.starts_with("HEAD /v2/elsewhere/") && refusal.contains("403"), "{refusal}");
}

#[test]
fn first_pulls_through_a_cache_need_exactly_the_policy_for_them() {
    let stage = Stage::new();
    let first_pull = |name: &str| {
        stage.publish(name);
        stage.pull(&format!("ecr-public/hello-team/{name}"), "1")
    };
    let policy = stage.policy(&["pull-through", "--registry", HOST, "--repository", "ecr-public/*"]);
    stage.assert_exact(&policy, first_pull);
    let refusal = stage.pull("team/app", "1").expect_err("another repository");
    assert!(refusal.contains("403") && refusal.contains("repository/team/app"), "{refusal}");

    let pull = stage.policy(&["pull", "--registry", HOST, "--repository", "ecr-public/*"]);
    stage.allow(&pull);
    stage.pull("ecr-public/hello-team/whole", "1").expect("the second pull is like any other");
    let refusal = first_pull("by-a-puller").expect_err("a first pull");
    assert!(refusal.contains("does not exist in the registry"), "{refusal}");
}

#[test]
fn passwords_of_ecr_public_need_exactly_the_policy_for_public_pulls() {
    let stage = Stage::new();
    let policy = stage.policy(&["public"]);
    stage.assert_exact(&policy, |_| stage.pull_from_public());
    assert!(stage.pull("team/app", "1").is_err(), "it opens no private registry");
}

/// IAM has no smaller resource for passwords: a policy that names a registry's repositories gives none.
#[test]
fn passwords_cannot_be_narrowed_to_repositories() {
    let stage = Stage::new();
    let mut policy = stage.policy(&["pull", "--registry", HOST, "--repository", "team/app"]);
    stage.allow(&policy);
    stage.pull("team/app", "1").expect("the policy is enough");
    let repositories = policy["Statement"][1]["Resource"].clone();
    policy["Statement"][0]["Resource"] = repositories;
    stage.allow(&policy);
    assert!(stage.pull("team/app", "1").expect_err("no password").starts_with("token:"));
}
