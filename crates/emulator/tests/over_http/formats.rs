//! Manifests in the format that a client accepts, their deletion, and what refers to them.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::stage::{IMAGE, INDEX, Stage, digest_of};

const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A repository with an image in Docker's format; gives its digest.
async fn with_docker_image(stage: &Stage) -> String {
    stage.create("app");
    let (config, layer) = (stage.push_blob("app", b"{}").await, stage.push_blob("app", b"layer").await);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": DOCKER,
        "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": config },
        "layers": [
            { "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 5, "digest": layer },
        ],
    })
    .to_string();
    assert_eq!(stage.put_manifest("app", "v1", DOCKER, &manifest).await.status, 201);
    digest_of(manifest.as_bytes())
}

async fn get(stage: &Stage, method: Method, reference: &str, accept: &str) -> Answer {
    let path = format!("/v2/app/manifests/{reference}");
    stage.registry_call(method, &path).await.header("accept", accept).send().await
}

#[tokio::test]
async fn an_image_comes_in_the_format_that_is_accepted_by_tag_only() {
    let stage = Stage::new().await;
    let digest = with_docker_image(&stage).await;
    let accepted = get(&stage, Method::GET, "v1", &format!("{IMAGE}, {DOCKER}")).await;
    assert_eq!(
        (accepted.header("content-type"), accepted.header("docker-content-digest")),
        (DOCKER, &*digest)
    );

    let translated = get(&stage, Method::GET, "v1", IMAGE).await;
    assert_eq!(translated.header("content-type"), IMAGE);
    assert_eq!(translated.header("docker-content-digest"), digest_of(&translated.body));
    let manifest = translated.json();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(manifest["layers"][0]["digest"], digest_of(b"layer"));
    let head = get(&stage, Method::HEAD, "v1", IMAGE).await;
    assert_eq!(head.header("docker-content-digest"), translated.header("docker-content-digest"));

    let by_digest = get(&stage, Method::GET, &digest, IMAGE).await;
    assert_eq!((by_digest.status.as_u16(), by_digest.header("content-type")), (200, DOCKER));
    let translation = translated.header("docker-content-digest");
    assert_eq!(get(&stage, Method::GET, translation, IMAGE).await.status, 404);
    // What was translated can be pushed, and is then another image.
    let text = translated.text().to_owned();
    assert_eq!(stage.put_manifest("app", "oci", IMAGE, &text).await.status, 201);
    assert_eq!(get(&stage, Method::GET, "oci", DOCKER).await.header("content-type"), DOCKER);
}

#[tokio::test]
async fn an_index_comes_as_it_is_and_is_as_large_as_its_largest_image() {
    let stage = Stage::new().await;
    let child = with_docker_image(&stage).await;
    let list = json!({
        "schemaVersion": 2, "mediaType": DOCKER_LIST,
        "manifests": [{ "mediaType": DOCKER, "size": 1, "digest": child }],
    })
    .to_string();
    assert_eq!(stage.put_manifest("app", "all", DOCKER_LIST, &list).await.status, 201);
    let answer = get(&stage, Method::GET, "all", IMAGE).await;
    assert_eq!((answer.header("content-type"), answer.text()), (DOCKER_LIST, list.as_str()));
    let body = r#"{"repositoryName":"app","imageIds":[{"imageTag":"all"},{"imageTag":"v1"}]}"#;
    let described = stage.ecr("DescribeImages", body).await.json();
    let details = &described["imageDetails"];
    assert_eq!((&details[0]["imageSizeInBytes"], &details[1]["imageSizeInBytes"]), (&json!(7), &json!(7)));
    assert_eq!(details[0]["imageManifestMediaType"], DOCKER_LIST);
    assert_eq!(details[1]["artifactMediaType"], "application/vnd.docker.container.image.v1+json");
    assert!(details[0].get("artifactMediaType").is_none());
}

#[tokio::test]
async fn manifests_and_tags_are_deleted_as_by_the_api() {
    let stage = Stage::new().await;
    let digest = with_docker_image(&stage).await;
    let list = json!({
        "schemaVersion": 2, "manifests": [{ "mediaType": DOCKER, "size": 1, "digest": digest }],
    })
    .to_string();
    stage.put_manifest("app", "all", INDEX, &list).await;
    let delete = async |reference: &str| {
        let answer = get(&stage, Method::DELETE, reference, "*/*").await;
        (answer.status.as_u16(), if answer.body.is_empty() { String::new() } else { answer.error_code() })
    };
    // A tag goes alone while the image has another, and what an index needs stays.
    let manifest = get(&stage, Method::GET, "v1", DOCKER).await.text().to_owned();
    stage.put_manifest("app", "v2", DOCKER, &manifest).await;
    assert_eq!(delete("v2").await, (202, String::new()));
    assert_eq!(delete("v2").await, (404, "MANIFEST_UNKNOWN".into()));
    assert_eq!(delete(&digest).await, (403, "DENIED".into()));
    assert_eq!(delete("all").await, (202, String::new()));
    assert_eq!(delete(&digest).await, (202, String::new()));
    assert_eq!(delete(&digest).await, (404, "MANIFEST_UNKNOWN".into()));
    assert_eq!(get(&stage, Method::GET, "v1", DOCKER).await.status, 404);
    assert_eq!(delete("-x").await, (400, "TAG_INVALID".into()));
}

#[tokio::test]
async fn referrers_are_found_by_their_subject() {
    let stage = Stage::new().await;
    let subject = with_docker_image(&stage).await;
    let list = async |query: &str| {
        let path = format!("/v2/app/referrers/{subject}{query}");
        stage.registry_call(Method::GET, &path).await.send().await
    };
    assert_eq!(list("").await.json()["manifests"], json!([]));
    let signature = json!({
        "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/x.signature",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": digest_of(b"{}") },
        "layers": [], "subject": { "mediaType": DOCKER, "size": 1, "digest": subject },
        "annotations": { "by": "test" },
    })
    .to_string();
    let pushed = stage.put_manifest("app", &digest_of(signature.as_bytes()), IMAGE, &signature).await;
    assert_eq!((pushed.status.as_u16(), pushed.header("oci-subject")), (201, &*subject));

    let found = list("").await;
    assert_eq!((found.status.as_u16(), found.header("content-type")), (200, INDEX));
    let expected = json!([{
        "mediaType": IMAGE, "size": signature.len(), "digest": digest_of(signature.as_bytes()),
        "artifactType": "application/x.signature", "annotations": { "by": "test" },
    }]);
    assert_eq!(found.json()["manifests"], expected);
    let of_type = list("?artifactType=application%2Fx.signature").await;
    assert_eq!(of_type.header("oci-filters-applied"), "artifactType");
    assert_eq!(of_type.json()["manifests"], expected);
    assert_eq!(list("?artifactType=other").await.json()["manifests"], json!([]) as Value);
}
