//! Pulls and pushes with a registry that asks for a password.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ecru_executor::{
    CredentialLookup, ImageError, LookupFuture, RegistryCredential, RunError, TransferProgress,
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::workbench::{Anonymous, Layer, Recorder, Workbench, local_job};

/// In the standard base64 alphabet this user and password give `+` and `/`: a header in it would not be understood.
const USER: &str = "user~~~???";
const PASSWORD: &str = "ecru-emulator ~~~???ÿÿÿ";

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
/// Long enough that the engine reports on the way: it does so a few times a second.
const LAYER_LENGTH: usize = 32 * 1024 * 1024;
const LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A registry of one image, `app:1`, that answers as Amazon ECR does.
struct OneImageRegistry {
    manifest: Vec<u8>,
    blobs: Vec<(String, Vec<u8>)>,
}

impl OneImageRegistry {
    fn new(platform: &str) -> Self {
        let (os, architecture) = platform.split_once('/').unwrap();
        let mut layer = Layer::new();
        layer.file("file", 0o644, &vec![b'x'; LAYER_LENGTH]);
        let layer = layer.into_bytes().to_vec();
        let config = serde_json::to_vec(&serde_json::json!({
            "os": os,
            "architecture": architecture,
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        }))
        .unwrap();
        let manifest = serde_json::to_vec(&serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": { "mediaType": CONFIG_TYPE, "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": LAYER_TYPE, "size": layer.len(), "digest": digest(&layer) }],
        }))
        .unwrap();
        Self { manifest, blobs: vec![(digest(&config), config), (digest(&layer), layer)] }
    }

    fn answer(&self, path: &str, authorization: Option<&str>) -> Response {
        let challenge =
            [("www-authenticate", r#"Basic realm="https://registry.test/",service="ecr.amazonaws.com""#)];
        match authorization {
            None => return (StatusCode::UNAUTHORIZED, challenge, "Not Authorized\n").into_response(),
            Some(authorization) if authorization != expected_authorization() => {
                return denial(StatusCode::FORBIDDEN, "DENIED", "Your authorization token has expired.");
            }
            Some(_) => {}
        }
        if path == "/v2/" {
            return "{}".into_response();
        }
        if let Some(digest) = path.strip_prefix("/v2/app/blobs/") {
            return match self.blobs.iter().find(|(known, _)| known == digest) {
                Some((_, blob)) => blob.clone().into_response(),
                None => denial(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "no such blob"),
            };
        }
        let is_manifest = path == "/v2/app/manifests/1"
            || path.strip_prefix("/v2/app/manifests/") == Some(&digest(&self.manifest));
        if is_manifest {
            let headers = [
                ("content-type", MANIFEST_TYPE.to_owned()),
                ("docker-content-digest", digest(&self.manifest)),
            ];
            return (headers, self.manifest.clone()).into_response();
        }
        if path.starts_with("/v2/app/") {
            return denial(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found");
        }
        denial(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "The repository does not exist in the registry")
    }

    /// Serves on a loopback port until the test ends, and returns `host:port`.
    async fn serve(self) -> String {
        async fn respond(State(registry): State<Arc<OneImageRegistry>>, request: Request) -> Response {
            let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
            registry.answer(request.uri().path(), authorization)
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(respond).with_state(Arc::new(self));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn expected_authorization() -> String {
    use base64::Engine as _;
    let pair = format!("{USER}:{PASSWORD}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

fn denial(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string();
    (status, [("content-type", "application/json")], body).into_response()
}

/// The same credential for every image.
struct Fixed(&'static str);

impl Fixed {
    fn credential(&self) -> RegistryCredential {
        RegistryCredential {
            username: USER.to_owned(),
            password: SecretString::from(self.0),
            server_address: "registry.test".to_owned(),
        }
    }
}

impl CredentialLookup for Fixed {
    fn credential_for<'a>(&'a self, _image: &'a str) -> LookupFuture<'a> {
        Box::pin(async { Ok(Some(self.credential())) })
    }
}

async fn set_up() -> (Workbench, String) {
    let bench = Workbench::set_up().await;
    let registry = OneImageRegistry::new(&bench.engine.describe().platform).serve().await;
    (bench, registry)
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_credential_opens_the_registry() {
    let (mut bench, registry) = set_up().await;
    let image = format!("{registry}/app:1");
    let mut steps: Vec<TransferProgress> = Vec::new();

    let mut progress = |step| steps.push(step);
    bench.engine.pull_image(&image, None, Some(&Fixed(PASSWORD).credential()), &mut progress).await.unwrap();

    bench.remove_at_end(&image);
    assert!(bench.engine.image_exists(&image).await.unwrap());
    let images = bench.engine.inventory().await.unwrap().images;
    assert!(images.iter().any(|listed| listed.ends_with(&format!(" {image}"))), "{images:?}");
    let last = steps.last().expect("a pull reports its progress");
    assert_eq!(last.bytes, last.total);
    assert!(last.total >= LAYER_LENGTH as u64, "{last:?}");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn denied_and_missing_images_are_told_apart() {
    let (bench, registry) = set_up().await;
    let pull = async |path: &str, credential: Option<&RegistryCredential>| {
        let image = format!("{registry}/{path}");
        bench.engine.pull_image(&image, None, credential, &mut |_| {}).await.unwrap_err()
    };

    let error = pull("app:1", None).await;
    assert!(matches!(&error, ImageError::Denied { with_credential: false, .. }), "{error:?}");
    assert!(error.to_string().contains(&registry), "{error}");

    let error = pull("app:1", Some(&Fixed("ecru-emulator-wrong").credential())).await;
    assert!(matches!(&error, ImageError::Denied { with_credential: true, .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("region")), "{:?}", error.hint());
    assert!(!format!("{error:?} {error}").contains("ecru-emulator-wrong"));

    let credential = Fixed(PASSWORD).credential();
    let error = pull("app:2", Some(&credential)).await;
    assert!(matches!(&error, ImageError::NotFound { .. }), "{error:?}");
    let error = pull("other:1", Some(&credential)).await;
    assert!(matches!(&error, ImageError::NotFound { .. }), "{error:?}");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_refused_push_is_a_denial() {
    let (mut bench, registry) = set_up().await;
    let image = format!("{registry}/app:3");
    let source = bench.busybox_image("job", &[]).await;
    bench.engine.tag_image(&source, &image).await.unwrap();
    bench.remove_at_end(&image);

    let error = bench.engine.push_image(&image, None, &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, ImageError::Denied { with_credential: false, .. }), "{error:?}");
    let missing = format!("{registry}/missing:1");
    let error = bench.engine.push_image(&missing, None, &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, ImageError::NotPresent { .. }), "{error:?}");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_job_asks_for_a_credential_right_before_its_pull() {
    let (mut bench, registry) = set_up().await;
    let image = format!("{registry}/app:1");
    let mut job = local_job(&image, "true");
    job.image.pull_policy = Vec::new();
    let mut recorder = Recorder::default();
    let cancel = tokio_util::sync::CancellationToken::new();

    let outcome = ecru_executor::run_job(&bench.engine, &job, &Fixed(PASSWORD), &mut recorder, &cancel).await;

    // The image holds one file and no shell: it was pulled, and could not be used.
    bench.remove_at_end(&image);
    assert!(matches!(outcome, Err(RunError::NoShell { .. })), "{outcome:?}");
    let recording = recorder.recording();
    assert!(recording.has_event("PullFinished"), "{:?}", recording.events);
    assert!(recording.events.iter().any(|event| event.contains(r#"credential_for: Some("registry.test")"#)));
    assert!(!recording.events.iter().any(|event| event.contains(PASSWORD)));

    bench.engine.remove_image(&image).await.unwrap();
    let outcome = ecru_executor::run_job(&bench.engine, &job, &Anonymous, &mut recorder, &cancel).await;
    let Err(RunError::Image { source: ImageError::Denied { .. }, .. }) = &outcome else {
        panic!("{outcome:?}")
    };
    bench.tear_down().await;
}

/// A look-up that fails, or never answers.
struct Broken {
    answers: bool,
}

impl CredentialLookup for Broken {
    fn credential_for<'a>(&'a self, _image: &'a str) -> LookupFuture<'a> {
        Box::pin(async {
            if self.answers { Err("the helper is missing".into()) } else { std::future::pending().await }
        })
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_failed_or_silent_look_up_ends_the_run() {
    let bench = Workbench::set_up().await;
    let mut job = local_job("127.0.0.1:1/app:1", "true");
    job.image.pull_policy = Vec::new();
    job.limits.credential_lookup = std::time::Duration::from_millis(100);
    let cancel = tokio_util::sync::CancellationToken::new();
    for (answers, cause) in [(true, "the helper is missing"), (false, "no answer within")] {
        let lookup = Broken { answers };
        let outcome =
            ecru_executor::run_job(&bench.engine, &job, &lookup, &mut Recorder::default(), &cancel).await;
        let Err(RunError::CredentialLookup { source, .. }) = &outcome else { panic!("{outcome:?}") };
        assert!(source.to_string().contains(cause), "{source}");
    }
    bench.tear_down().await;
}
