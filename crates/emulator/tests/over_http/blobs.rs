//! Blobs: uploaded in every way that clients have, and downloaded by redirect.

use std::net::SocketAddr;

use ecru_emulator::{Options, Quirks};
use hyper::Method;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Answer, Call};
use crate::stage::{Hands, Stage, digest_of};

async fn patch(stage: &Stage, location: &str, chunk: &str) -> Answer {
    stage.registry_call(Method::PATCH, location).await.body(chunk.to_owned()).send().await
}

async fn finish(stage: &Stage, location: &str, digest: &str, rest: &str) -> Answer {
    let target = format!("{location}?digest={}", digest.replace(':', "%3A"));
    stage.registry_call(Method::PUT, &target).await.body(rest.to_owned()).send().await
}

/// The link that a blob's download is redirected to, as address and target.
async fn link(stage: &Stage, repository: &str, digest: &str) -> (SocketAddr, String) {
    let path = format!("/v2/{repository}/blobs/{digest}");
    let answer = stage.registry_call(Method::GET, &path).await.send().await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (307, 0), "{answer:?}");
    let (address, target) =
        answer.header("location").strip_prefix("http://").unwrap().split_once('/').unwrap();
    (address.parse().unwrap(), format!("/{target}"))
}

fn conforming() -> Options {
    Options {
        quirks: Quirks { chunk_is_created: false, later_chunks_are_dropped: false },
        ..Options::default()
    }
}

#[tokio::test]
async fn an_upload_in_one_chunk_is_finished_by_its_digest() {
    let stage = Stage::new().await;
    stage.create("app");
    let location = stage.open_upload("app").await;
    let chunk = patch(&stage, &location, "content").await;
    assert_eq!(chunk.status, 201);
    assert_eq!(chunk.header("location"), location);
    assert_eq!(chunk.header("range"), "0-6");
    assert!(location.ends_with(chunk.header("docker-upload-uuid")));
    let digest = digest_of(b"content");
    let answer = finish(&stage, &location, &digest, "").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(answer.header("location"), format!("/v2/app/blobs/{digest}"));
    assert_eq!(finish(&stage, &location, &digest, "").await.error_code(), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn later_chunks_are_dropped_as_ecr_does_unless_switched_off() {
    let digest = digest_of(b"content");
    let upload = async |options| {
        let stage = Stage::with(options).await;
        stage.create("app");
        let location = stage.open_upload("app").await;
        let first = patch(&stage, &location, "con").await;
        let second = patch(&stage, &location, "tent").await;
        let end = finish(&stage, &location, &digest, "").await;
        [first, second, end].map(|answer| answer.status.as_u16())
    };
    assert_eq!(upload(Options::default()).await, [201, 201, 400]);
    assert_eq!(upload(conforming()).await, [202, 202, 201]);
}

#[tokio::test]
async fn the_last_request_may_carry_content() {
    let stage = Stage::new().await;
    stage.create("app");
    let whole = stage.push_blob("app", b"content").await;
    assert_eq!(whole, digest_of(b"content"));
    let location = stage.open_upload("app").await;
    patch(&stage, &location, "con").await;
    assert_eq!(finish(&stage, &location, &digest_of(b"content"), "tent").await.status, 201);
    stage.push_blob("app", b"").await;
}

#[tokio::test]
async fn content_that_is_not_of_its_digest_is_refused() {
    let stage = Stage::new().await;
    stage.create("app");
    for digest in [digest_of(b"other"), "sha256:0".into(), "sha256:../../lock".into(), String::new()] {
        let location = stage.open_upload("app").await;
        assert_eq!(finish(&stage, &location, &digest, "content").await.error_code(), "DIGEST_INVALID");
    }
    let head = format!("/v2/app/blobs/{}", digest_of(b"other"));
    assert_eq!(stage.registry_call(Method::HEAD, &head).await.send().await.status, 404);
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository_and_can_be_cancelled() {
    let stage = Stage::new().await;
    stage.create("app");
    stage.create("other");
    let location = stage.open_upload("app").await;
    let elsewhere = location.replace("/app/", "/other/");
    assert_eq!(patch(&stage, &elsewhere, "x").await.status, 404);
    let status = stage.registry_call(Method::GET, &location).await.send().await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, "0-0"));
    assert_eq!(stage.registry_call(Method::DELETE, &location).await.send().await.status, 204);
    assert_eq!(patch(&stage, &location, "x").await.error_code(), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn abandoned_uploads_are_forgotten() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    stage.create("app");
    let abandoned = stage.open_upload("app").await;
    hands.advance(2);
    stage.open_upload("app").await;
    assert_eq!(patch(&stage, &abandoned, "x").await.status, 404);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = || std::fs::read_dir(folder.path().join("uploads")).unwrap().count();
    let stage = Stage::with(Options { state_dir: Some(folder.path().into()), ..Options::default() }).await;
    stage.create("app");
    let location = stage.open_upload("app").await;
    assert_eq!(uploads(), 1);
    let mut stream = tokio::net::TcpStream::connect(stage.main()).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-length: 9\r\n\r\npart",
        stage.own_basic().await
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    let gone = async {
        while uploads() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.unwrap();
    assert_eq!(patch(&stage, &location, "x").await.status, 404);
}

#[tokio::test]
async fn blobs_of_one_repository_can_be_mounted_in_another() {
    let stage = Stage::new().await;
    stage.create("app");
    stage.create("other");
    stage.push_image("app", "v1").await;
    let (digest, loose) = (digest_of(b"layer"), stage.push_blob("app", b"loose").await);
    let head = format!("/v2/other/blobs/{digest}");
    assert_eq!(stage.registry_call(Method::HEAD, &head).await.send().await.status, 404);

    let mount = async |query: &str| {
        let target = format!("/v2/other/blobs/uploads/?{query}");
        stage.registry_call(Method::POST, &target).await.send().await
    };
    let good = format!("mount={digest}&from=app");
    assert_eq!(mount(&good).await.status, 202, "the registry does not mount until it is set to");
    let setting = |value: &str| format!(r#"{{"name":"BLOB_MOUNTING","value":"{value}"}}"#);
    let enabled = stage.ecr("PutAccountSetting", &setting("ENABLED")).await;
    assert_eq!(enabled.json()["value"], "ENABLED");
    assert_eq!(stage.ecr("GetAccountSetting", &setting("")).await.json(), enabled.json());
    assert_eq!(stage.ecr("PutAccountSetting", &setting("PERHAPS")).await.status, 400);
    for query in [
        format!("mount={digest}&from=missing"),
        format!("mount={digest}"),
        "mount=x&from=app".into(),
        format!("mount={loose}&from=app"),
    ] {
        let fallback = mount(&query).await;
        assert_eq!(fallback.status, 202, "{query}");
        assert!(fallback.header("location").starts_with("/v2/other/blobs/uploads/"));
    }
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:GetDownload*","Principal":"*"}}"#;
    let policy = serde_json::json!({ "repositoryName": "app", "policyText": deny }).to_string();
    assert_eq!(stage.ecr("SetRepositoryPolicy", &policy).await.status, 200);
    assert_eq!(mount(&good).await.status, 202, "whoever may not download may not mount");
    stage.ecr("DeleteRepositoryPolicy", r#"{"repositoryName":"app"}"#).await;
    let mounted = mount(&good).await;
    assert_eq!(mounted.status, 201);
    assert_eq!(mounted.header("location"), head);
    assert_eq!(mounted.header("docker-content-digest"), digest);
    let head = stage.registry_call(Method::HEAD, &head).await.send().await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "5"));
}

#[tokio::test]
async fn a_blob_is_downloaded_from_elsewhere_without_a_password() {
    let stage = Stage::new().await;
    stage.create("app");
    let digest = stage.push_blob("app", b"content").await;
    let (address, target) = link(&stage, "app", &digest).await;
    assert_eq!(address, stage.emulator.addresses().blob);
    let answer = Call::get(address, &target).send().await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, b"content".as_slice()));

    let leaked = Call::get(address, &target).header("authorization", &stage.own_basic().await).send().await;
    assert_eq!((leaked.status.as_u16(), leaked.element("Code")), (400, "InvalidArgument"));
    assert!(leaked.element("Message").starts_with("Only one auth mechanism allowed"));
}

#[tokio::test]
async fn parts_of_a_blob_can_be_downloaded() {
    let stage = Stage::new().await;
    stage.create("app");
    let digest = stage.push_blob("app", b"content").await;
    let (address, target) = link(&stage, "app", &digest).await;
    let part = async |range: &str| Call::get(address, &target).header("range", range).send().await;
    let answer = part("bytes=3-").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (206, "tent"));
    assert_eq!(answer.header("content-range"), "bytes 3-6/7");
    assert_eq!(part("bytes=0-2").await.text(), "con");
    assert_eq!(part("bytes=7-").await.element("Code"), "InvalidRange");
    assert_eq!(part("pages=1").await.status, 200);
}

#[tokio::test]
async fn links_cannot_be_made_up_altered_or_kept() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    stage.create("app");
    let digest = stage.push_blob("app", b"content").await;
    let other = stage.push_blob("app", b"other").await;
    let (address, target) = link(&stage, "app", &digest).await;
    let code = async |target: &str| {
        let answer = Call::get(address, target).send().await;
        assert_eq!(answer.header("content-type"), "application/xml");
        (answer.status.as_u16(), answer.element("Code").to_owned())
    };
    let (path, query) = target.split_once('?').unwrap();
    let hex = |digest: &str| digest.replace("sha256:", "");
    assert_eq!(code(path).await, (403, "AccessDenied".into()));
    let swapped = target.replace(&hex(&digest), &hex(&other));
    assert_eq!(code(&swapped).await, (403, "SignatureDoesNotMatch".into()));
    let prolonged = target.replace("expires=1", "expires=2");
    assert_eq!(code(&prolonged).await, (403, "SignatureDoesNotMatch".into()));
    let repeated = format!("{path}?{query}&signature=00");
    assert_eq!(code(&repeated).await, (403, "SignatureDoesNotMatch".into()));
    assert_eq!(code(&format!("/sha256/..%2f..%2flock?{query}")).await, (404, "NoSuchKey".into()));
    assert_eq!(code("/").await, (404, "NoSuchKey".into()));
    let put = Call::new(Method::PUT, address, &target).send().await;
    assert_eq!(put.status, 405);
    hands.advance(1);
    let expired = Call::get(address, &target).send().await;
    assert_eq!((expired.status.as_u16(), expired.element("Message")), (403, "Request has expired"));
}

#[tokio::test]
async fn a_large_blob_comes_back_as_it_went() {
    let stage = Stage::new().await;
    stage.create("app");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).take(9_999_999).collect();
    let digest = stage.push_blob("app", &content).await;
    let (address, target) = link(&stage, "app", &digest).await;
    assert!(Call::get(address, &target).send().await.body == content);
}
