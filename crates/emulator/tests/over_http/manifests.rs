//! Manifests and tags.

use hyper::Method;

use crate::stage::{IMAGE, INDEX, Stage, digest_of, image};

#[tokio::test]
async fn an_image_is_found_by_tag_and_by_digest() {
    let stage = Stage::new().await;
    stage.create("team/app");
    let manifest = stage.push_image("team/app", "v1").await;
    let digest = digest_of(manifest.as_bytes());
    for reference in ["v1", &digest] {
        let path = format!("/v2/team/app/manifests/{reference}");
        let answer = stage.registry_call(Method::GET, &path).await.send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), manifest);
        let head = stage.registry_call(Method::HEAD, &path).await.send().await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        for answer in [answer, head] {
            assert_eq!(answer.header("content-type"), IMAGE);
            assert_eq!(answer.header("docker-content-digest"), digest);
            assert_eq!(answer.header("content-length"), manifest.len().to_string());
        }
    }
    // Another repository of the same registry does not have it.
    stage.create("other");
    let elsewhere = format!("/v2/other/manifests/{digest}");
    assert_eq!(stage.registry_call(Method::GET, &elsewhere).await.send().await.status, 404);
}

#[tokio::test]
async fn a_manifest_needs_what_it_refers_to() {
    let stage = Stage::new().await;
    stage.create("app");
    let config = stage.push_blob("app", b"{}").await;
    let layer = digest_of(b"layer");
    let early = stage.put_manifest("app", "v1", IMAGE, &image(&config, &layer)).await;
    assert_eq!((early.status.as_u16(), early.error_code().as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert!(early.text().contains(&layer));

    let child = digest_of(stage.push_image("app", "v1").await.as_bytes());
    let index = |digest: &str| format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}"}}]}}"#);
    let pushed = stage.put_manifest("app", "all", INDEX, &index(&child)).await;
    assert_eq!(pushed.status, 201);
    assert_eq!(pushed.header("location"), "/v2/app/manifests/all");
    // A layer is not a manifest.
    assert_eq!(
        stage.put_manifest("app", "x", INDEX, &index(&layer)).await.error_code(),
        "MANIFEST_BLOB_UNKNOWN"
    );
}

#[tokio::test]
async fn a_manifest_pushed_by_digest_must_have_it() {
    let stage = Stage::new().await;
    stage.create("app");
    let manifest = stage.push_image("app", "v1").await;
    let own = digest_of(manifest.as_bytes());
    assert_eq!(stage.put_manifest("app", &own, IMAGE, &manifest).await.status, 201);
    let other = digest_of(b"other");
    assert_eq!(stage.put_manifest("app", &other, IMAGE, &manifest).await.error_code(), "DIGEST_INVALID");
}

#[tokio::test]
async fn manifests_that_are_none_are_refused() {
    let stage = Stage::new().await;
    stage.create("app");
    let good = stage.push_image("app", "v1").await;
    for (media_type, text) in [
        (IMAGE, "{"),
        (IMAGE, "{}"),
        (IMAGE, r#"{"schemaVersion":2,"manifests":[]}"#),
        (INDEX, &good),
        ("text/plain", &good),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", &good),
    ] {
        let answer = stage.put_manifest("app", "v2", media_type, text).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (400, "MANIFEST_INVALID"),
            "{text}"
        );
    }
    assert_eq!(stage.put_manifest("app", "-v", IMAGE, &good).await.error_code(), "TAG_INVALID");
    assert_eq!(stage.put_manifest("app", "sha256:0", IMAGE, &good).await.error_code(), "DIGEST_INVALID");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    assert_eq!(stage.put_manifest("app", "v2", IMAGE, &large).await.status, 413);
    assert_eq!(stage.put_manifest("app", "v2", &format!("{IMAGE}; charset=utf-8"), &good).await.status, 201);
}

#[tokio::test]
async fn a_tag_moves_to_the_newest_image() {
    let stage = Stage::new().await;
    stage.create("app");
    let first = stage.push_image("app", "latest").await;
    let config = stage.push_blob("app", b"{\"a\":1}").await;
    let second = image(&config, &digest_of(b"layer"));
    stage.put_manifest("app", "latest", IMAGE, &second).await;
    let text = async |reference: &str| {
        let path = format!("/v2/app/manifests/{reference}");
        stage.registry_call(Method::GET, &path).await.send().await.text().to_owned()
    };
    assert_eq!(text("latest").await, second);
    assert_eq!(text(&digest_of(first.as_bytes())).await, first);
}

#[tokio::test]
async fn tags_are_listed_in_order_and_in_pages() {
    let stage = Stage::new().await;
    stage.create("app");
    let list = async |query: &str| {
        stage.registry_call(Method::GET, &format!("/v2/app/tags/list{query}")).await.send().await
    };
    assert_eq!(list("").await.json(), serde_json::json!({ "name": "app", "tags": [] }));
    for tag in ["v2", "latest", "v1"] {
        stage.push_image("app", tag).await;
    }
    assert_eq!(list("").await.json()["tags"], serde_json::json!(["latest", "v1", "v2"]));
    let page = list("?n=2").await;
    assert_eq!(page.json()["tags"], serde_json::json!(["latest", "v1"]));
    assert_eq!(page.header("link"), "</v2/app/tags/list?last=v1&n=2>; rel=\"next\"");
    let last = list("?last=v1&n=2").await;
    assert_eq!((&last.json()["tags"], last.header("link")), (&serde_json::json!(["v2"]), ""));
    assert_eq!(list("?n=x").await.status, 400);
}
