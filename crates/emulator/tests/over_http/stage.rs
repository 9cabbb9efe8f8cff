//! An emulator for one test, and what tests ask of it again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecru_emulator::{AccountId, Clock, Emulator, Options, Region, RegistryAt};
use hyper::Method;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::client::{Answer, Call};
use crate::signer::Signer;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    clock: Clock,
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let seconds = self.0.clone();
        Clock::from_fn(move || {
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed).unsigned_abs())
        })
    }

    pub(crate) fn advance(&self, hours: i64) {
        self.0.fetch_add(hours * 3600, Ordering::Relaxed);
    }
}

pub(crate) fn account(number: u8) -> AccountId {
    AccountId::new(number).expect("an emulated account")
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// A stage on which account 1 has a registry of its own in eu-west-1.
    pub(crate) async fn with_second_registry(options: Options) -> Self {
        let second = RegistryAt { account: account(1), region: region("eu-west-1"), port: 0 };
        Self::with(Options { registries: vec![second], ..options }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let clock = options.clock.clone();
        Self { emulator: Emulator::start(options).await.expect("an emulator"), clock }
    }

    pub(crate) fn main(&self) -> SocketAddr {
        self.emulator.addresses().main
    }

    /// The address of the registry with this host name.
    pub(crate) fn registry(&self, host: &str) -> SocketAddr {
        let address = &self.emulator.addresses().registries[host];
        address.replace("localhost", "127.0.0.1").parse().expect("an address")
    }

    pub(crate) fn create(&self, name: &str) {
        self.emulator
            .create_repository(AccountId::default(), &Region::default(), name)
            .expect("a repository");
    }

    pub(crate) async fn ecr(&self, operation: &str, body: &str) -> Answer {
        let signer = self.signer(0, "us-east-1", "ecr");
        self.json_call("AmazonEC2ContainerRegistry_V20150921", operation, &signer, body).await
    }

    pub(crate) async fn json_call(
        &self,
        prefix: &str,
        operation: &str,
        signer: &Signer,
        body: &str,
    ) -> Answer {
        Call::new(Method::POST, self.main(), "/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", &format!("{prefix}.{operation}"))
            .body(body.to_owned())
            .signed(signer)
            .send()
            .await
    }

    pub(crate) async fn sts(&self, signer: &Signer, body: &str) -> Answer {
        Call::new(Method::POST, self.main(), "/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("Version=2011-06-15&{body}"))
            .signed(signer)
            .send()
            .await
    }

    /// The user of an account, signing now.
    pub(crate) fn signer(&self, number: u8, region: &str, service: &str) -> Signer {
        let keys = self.emulator.user_keys(account(number)).expect("a user");
        Signer {
            access_key_id: keys.access_key_id,
            secret_access_key: keys.secret_access_key.expose_secret().to_owned(),
            session_token: None,
            region: region.into(),
            service: service.into(),
            time: self.clock.read(),
        }
    }

    /// The role session that `assumed` has the keys of, signing now.
    pub(crate) fn session_signer(&self, assumed: &Answer, region: &str, service: &str) -> Signer {
        Signer {
            access_key_id: assumed.element("AccessKeyId").into(),
            secret_access_key: assumed.element("SecretAccessKey").into(),
            session_token: Some(assumed.element("SessionToken").into()),
            ..self.signer(0, region, service)
        }
    }

    /// The `Authorization` header for a registry in `region`, of the user of an account.
    pub(crate) async fn basic(&self, number: u8, region: &str) -> String {
        self.basic_of(&self.signer(number, region, "ecr")).await
    }

    /// The `Authorization` header for a registry, of whoever signs.
    pub(crate) async fn basic_of(&self, signer: &Signer) -> String {
        let answer = self
            .json_call("AmazonEC2ContainerRegistry_V20150921", "GetAuthorizationToken", signer, "{}")
            .await;
        let token = answer.json()["authorizationData"][0]["authorizationToken"].clone();
        format!("Basic {}", token.as_str().expect("a token"))
    }

    /// The `Authorization` header for the default registry, of its own user.
    pub(crate) async fn own_basic(&self) -> String {
        self.basic(0, "us-east-1").await
    }

    /// A request to the default registry by its own user.
    pub(crate) async fn registry_call(&self, method: Method, path: &str) -> Call {
        Call::new(method, self.main(), path).header("authorization", &self.own_basic().await)
    }

    /// Opens an upload and gives its location.
    pub(crate) async fn open_upload(&self, repository: &str) -> String {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.registry_call(Method::POST, &path).await.send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("location").to_owned()
    }

    /// Uploads a blob by one PUT and gives its digest.
    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        let (location, digest) = (self.open_upload(repository).await, digest_of(content));
        let target = format!("{location}?digest={digest}");
        let answer = self.registry_call(Method::PUT, &target).await.body(content.to_vec()).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        digest
    }

    /// Pushes an image of one layer by a tag, and gives the manifest.
    pub(crate) async fn push_image(&self, repository: &str, tag: &str) -> String {
        let config = self.push_blob(repository, b"{}").await;
        let layer = self.push_blob(repository, b"layer").await;
        let manifest = image(&config, &layer);
        let answer = self.put_manifest(repository, tag, IMAGE, &manifest).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        manifest
    }

    pub(crate) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        text: &str,
    ) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let call = self.registry_call(Method::PUT, &path).await.header("content-type", media_type);
        call.body(text.to_owned()).send().await
    }
}

pub(crate) fn digest_of(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

pub(crate) fn image(config: &str, layer: &str) -> String {
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 5 }],
    })
    .to_string()
}

/// The user and password inside a `Basic` header.
pub(crate) fn credential_in(basic: &str) -> String {
    let encoded = basic.strip_prefix("Basic ").expect("a basic header");
    String::from_utf8(BASE64.decode(encoded).expect("base64")).expect("text")
}
