//! The peer's credential helper, `docker-credential-ecr-login` at ECRU_PEER, against the emulator: an ECR client that
//! nobody here wrote, with the AWS SDK for Go.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions that help tests fail as tests do"
)]

#[path = "../over_http/client.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod client;
#[path = "../over_http/signer.rs"]
mod signer;
#[path = "../over_http/stage.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod stage;

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use client::Call;
use ecru_emulator::{AccountId, Options};
use ecru_testkit::Sandbox;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use stage::Stage;

const HOME: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const OTHER: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";
const DEADLINE: Duration = Duration::from_secs(30);

/// The peer as somebody runs it who has these variables besides the emulator's endpoints.
struct Peer {
    sandbox: Sandbox,
    program: PathBuf,
    variables: Vec<(String, String)>,
}

impl Peer {
    #[expect(clippy::disallowed_methods, reason = "the peer for tests is named by the environment")]
    fn of(stage: &Stage, variables: &[(&str, &str)]) -> Self {
        let program = std::env::var_os("ECRU_PEER").expect("ECRU_PEER names the peer's program").into();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables = stage.emulator.environment().into_iter().chain(variables).collect();
        Self { sandbox: Sandbox::new(), program, variables }
    }

    /// The peer with the keys of the default account's user.
    fn with_keys(stage: &Stage) -> Self {
        let keys = stage.emulator.user_keys(AccountId::default()).unwrap();
        let secret = keys.secret_access_key.expose_secret();
        Self::of(stage, &[("AWS_ACCESS_KEY_ID", &keys.access_key_id), ("AWS_SECRET_ACCESS_KEY", secret)])
    }

    fn run(&self, verb: &str, stdin: &str) -> Output {
        let mut command = self.sandbox.command(&self.program);
        command.arg(verb).write_stdin(stdin).timeout(DEADLINE).envs(self.variables.clone());
        // Whatever is not meant for the emulator ends at a proxy that is none.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1");
        command.output().unwrap()
    }

    /// What it answers as JSON.
    fn answer(&self, verb: &str, stdin: &str) -> Value {
        let output = self.run(verb, stdin);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The header that its credentials for a registry make.
    fn basic(&self, registry: &str) -> String {
        let answer = self.answer("get", registry);
        assert_eq!(answer["Username"], "AWS");
        let secret = answer["Secret"].as_str().unwrap();
        assert!(secret.starts_with("ecru-emulator."));
        format!("Basic {}", BASE64.encode(format!("AWS:{secret}")))
    }
}

/// How the registry with this host name answers to these credentials.
async fn status_at(stage: &Stage, registry: &str, basic: &str) -> u16 {
    let call = Call::get(stage.main(), "/v2/").header("host", registry);
    call.header("authorization", basic).send().await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the peer (cargo xtask test downloads Debian's)"]
async fn its_credentials_open_the_registry_of_their_region() {
    let stage = Stage::with_second_registry(Options::default()).await;
    let peer = Peer::with_keys(&stage);
    for registry in [HOME, OTHER] {
        let basic = peer.basic(registry);
        assert_eq!(status_at(&stage, registry, &basic).await, 200);
    }
    assert_eq!(status_at(&stage, OTHER, &peer.basic(HOME)).await, 403);
    // It keeps what it got: three questions, two tokens.
    assert_eq!(stage.emulator.calls().get("ecr:GetAuthorizationToken"), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the peer (cargo xtask test downloads Debian's)"]
async fn it_lists_what_it_has_credentials_for() {
    let stage = Stage::new().await;
    let mut peer = Peer::with_keys(&stage);
    peer.variables.push(("AWS_REGION".to_owned(), "us-east-1".to_owned()));
    peer.basic(HOME);
    let listed = peer.answer("list", "");
    assert_eq!(listed[format!("https://{HOME}")], "AWS", "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the peer (cargo xtask test downloads Debian's)"]
async fn it_finds_the_role_of_the_emulated_instance() {
    let stage = Stage::new().await;
    let peer = Peer::of(&stage, &[("AWS_EC2_METADATA_DISABLED", "false")]);
    assert_eq!(status_at(&stage, HOME, &peer.basic(HOME)).await, 200);
    assert_eq!(stage.emulator.calls().get("imds:GetRoleCredentials"), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the peer (cargo xtask test downloads Debian's)"]
async fn a_wrong_key_gets_no_credentials() {
    let stage = Stage::new().await;
    let keys = stage.emulator.user_keys(AccountId::default()).unwrap();
    let wrong = [("AWS_ACCESS_KEY_ID", keys.access_key_id.as_str()), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    let peer = Peer::of(&stage, &wrong);
    let output = peer.run("get", HOME);
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"credentials not found in native keychain\n");
    assert_eq!(stage.emulator.calls().get("ecr:GetAuthorizationToken"), 1);
}
