//! Images by ECR's own API, and repositories that keep their tags or go.

use hyper::Method;
use serde_json::{Value, json};

use crate::aws_apis::assert_error;
use crate::client::Answer;
use crate::stage::{IMAGE, INDEX, Stage, digest_of, image};

async fn ask(stage: &Stage, operation: &str, body: Value) -> Answer {
    stage.ecr(operation, &body.to_string()).await
}

async fn image_ids(stage: &Stage, filter: &str) -> Value {
    let body = json!({ "repositoryName": "app", "filter": { "tagStatus": filter } });
    ask(stage, "ListImages", body).await.json()["imageIds"].clone()
}

/// Pushes an image with this layer by digest, and gives the digest.
async fn push_untagged(stage: &Stage, layer: &[u8]) -> String {
    let (config, layer) = (stage.push_blob("app", b"{}").await, stage.push_blob("app", layer).await);
    let manifest = image(&config, &layer);
    let digest = digest_of(manifest.as_bytes());
    assert_eq!(stage.put_manifest("app", &digest, IMAGE, &manifest).await.status, 201);
    digest
}

async fn push_index(stage: &Stage, tag: &str, child: &str) {
    let text = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{ "mediaType": IMAGE, "digest": child, "size": 1 }],
    });
    assert_eq!(stage.put_manifest("app", tag, INDEX, &text.to_string()).await.status, 201);
}

#[tokio::test]
async fn images_are_listed_and_described() {
    let stage = Stage::new().await;
    stage.create("app");
    let tagged = digest_of(stage.push_image("app", "v1").await.as_bytes());
    stage.push_image("app", "v2").await;
    let untagged = push_untagged(&stage, b"other layer").await;
    let of_tag = |tag| json!({ "imageDigest": tagged, "imageTag": tag });
    assert_eq!(image_ids(&stage, "TAGGED").await, json!([of_tag("v1"), of_tag("v2")]));
    assert_eq!(image_ids(&stage, "UNTAGGED").await, json!([{ "imageDigest": untagged }]));
    assert_eq!(image_ids(&stage, "ANY").await.as_array().unwrap().len(), 3);

    let body = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "v2" }] });
    let described = ask(&stage, "DescribeImages", body).await.json();
    let details = &described["imageDetails"][0];
    assert_eq!((&details["imageDigest"], &details["imageTags"]), (&json!(tagged), &json!(["v1", "v2"])));
    assert_eq!(
        (&details["imageSizeInBytes"], &details["imageManifestMediaType"]),
        (&json!(7), &json!(IMAGE))
    );
    assert!(details["imagePushedAt"].as_i64().unwrap() > 1_600_000_000);
    let all = ask(&stage, "DescribeImages", json!({ "repositoryName": "app" })).await.json();
    assert_eq!(all["imageDetails"].as_array().unwrap().len(), 2);

    let body = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "v3" }] });
    let missing = ask(&stage, "DescribeImages", body).await;
    assert_error(&missing, 400, "ImageNotFoundException");
    let message = "The image with imageId {imageDigest:'null', imageTag:'v3'} does not exist within the repository \
                   with name 'app' in the registry with id '000000000000'";
    assert_eq!(missing.json()["message"], message);
}

#[tokio::test]
async fn a_long_list_of_images_comes_in_pages() {
    let stage = Stage::new().await;
    stage.create("app");
    for tag in ["v1", "v2", "v3"] {
        stage.push_image("app", tag).await;
    }
    let mut tags = Vec::new();
    let mut token = Value::Null;
    loop {
        let body = json!({ "repositoryName": "app", "maxResults": 2, "nextToken": token });
        let page = ask(&stage, "ListImages", body).await.json();
        let ids = page["imageIds"].as_array().unwrap();
        assert!((1..=2).contains(&ids.len()));
        tags.extend(ids.iter().map(|id| id["imageTag"].clone()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(tags, ["v1", "v2", "v3"]);
}

#[tokio::test]
async fn an_image_goes_with_its_last_tag_unless_an_index_needs_it() {
    let stage = Stage::new().await;
    stage.create("app");
    let digest = digest_of(stage.push_image("app", "v1").await.as_bytes());
    stage.push_image("app", "v2").await;
    let child = push_untagged(&stage, b"child").await;
    push_index(&stage, "multi", &child).await;
    let delete = async |id: Value| {
        ask(&stage, "BatchDeleteImage", json!({ "repositoryName": "app", "imageIds": [id] })).await.json()
    };
    let by_digest = format!("/v2/app/manifests/{digest}");
    let status = async |path: &str| stage.registry_call(Method::GET, path).await.send().await.status.as_u16();

    let first = delete(json!({ "imageTag": "v1" })).await;
    assert_eq!(first["imageIds"], json!([{ "imageDigest": digest, "imageTag": "v1" }]));
    assert_eq!((status("/v2/app/manifests/v1").await, status(&by_digest).await), (404, 200));
    delete(json!({ "imageTag": "v2" })).await;
    assert_eq!(status(&by_digest).await, 404);

    let code = async |id: Value| delete(id).await["failures"][0]["failureCode"].clone();
    assert_eq!(code(json!({ "imageTag": "v2" })).await, "ImageNotFound");
    assert_eq!(code(json!({})).await, "MissingDigestAndTag");
    assert_eq!(code(json!({ "imageTag": "/" })).await, "InvalidImageTag");
    assert_eq!(code(json!({ "imageDigest": "sha256:.." })).await, "InvalidImageDigest");
    let mixed = json!({ "imageTag": "multi", "imageDigest": child });
    assert_eq!(code(mixed).await, "ImageTagDoesNotMatchDigest");
    assert_eq!(code(json!({ "imageDigest": child })).await, "ImageReferencedByManifestList");
    delete(json!({ "imageTag": "multi" })).await;
    assert_eq!(delete(json!({ "imageDigest": child })).await["failures"], json!([]));
    let none = ask(&stage, "BatchDeleteImage", json!({ "repositoryName": "app" })).await;
    assert_error(&none, 400, "InvalidParameterException");
}

#[tokio::test]
async fn tags_of_an_immutable_repository_stay_where_they_are() {
    let stage = Stage::new().await;
    let body = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
    let created = ask(&stage, "CreateRepository", body).await.json();
    assert_eq!(created["repository"]["imageTagMutability"], "IMMUTABLE");
    let first = stage.push_image("app", "v1").await;
    let (config, layer) = (stage.push_blob("app", b"{}").await, stage.push_blob("app", b"new layer").await);
    let second = image(&config, &layer);
    let refused = stage.put_manifest("app", "v1", IMAGE, &second).await;
    assert_eq!((refused.status.as_u16(), refused.error_code().as_str()), (400, "TAG_INVALID"));
    let message = "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the \
                   repository is immutable.";
    assert_eq!(refused.json()["errors"][0]["message"], message);
    assert_eq!(stage.put_manifest("app", "v1", IMAGE, &first).await.status, 201);
    assert_eq!(stage.put_manifest("app", "v2", IMAGE, &second).await.status, 201);

    let body = json!({ "repositoryName": "app", "imageTagMutability": "MUTABLE" });
    let put = ask(&stage, "PutImageTagMutability", body).await.json();
    assert_eq!(put["imageTagMutability"], "MUTABLE");
    assert_eq!(stage.put_manifest("app", "v1", IMAGE, &second).await.status, 201);
    let put = async |name: &str, filters: Value| {
        let body = json!({
            "repositoryName": "app", "imageTagMutability": name, "imageTagMutabilityExclusionFilters": filters,
        });
        ask(&stage, "PutImageTagMutability", body).await
    };
    let filters = json!([{ "filterType": "WILDCARD", "filter": "dev-*" }]);
    let answer = put("IMMUTABLE_WITH_EXCLUSION", filters.clone()).await.json();
    assert_eq!(answer["imageTagMutabilityExclusionFilters"], filters);
    for tag in ["dev-1", "v3"] {
        assert_eq!(stage.put_manifest("app", tag, IMAGE, &first).await.status, 201);
    }
    assert_eq!(stage.put_manifest("app", "dev-1", IMAGE, &second).await.status, 201);
    assert_eq!(stage.put_manifest("app", "v3", IMAGE, &second).await.status, 400);
    for (name, filters) in [
        ("IMMUTABLE_WITH_EXCLUSION", json!([])),
        ("IMMUTABLE", filters),
        ("MUTABLE_WITH_EXCLUSION", json!([{ "filterType": "WILDCARD", "filter": "***" }])),
    ] {
        assert_error(&put(name, filters).await, 400, "InvalidParameterException");
    }
    let body = json!({ "repositoryName": "app", "imageTagMutability": "SOMETIMES" });
    assert_error(&ask(&stage, "PutImageTagMutability", body).await, 400, "SerializationException");
}

#[tokio::test]
async fn a_repository_with_images_goes_only_by_force() {
    let stage = Stage::new().await;
    stage.create("app");
    stage.push_image("app", "v1").await;
    let refused = ask(&stage, "DeleteRepository", json!({ "repositoryName": "app" })).await;
    assert_error(&refused, 400, "RepositoryNotEmptyException");
    let gone = ask(&stage, "DeleteRepository", json!({ "repositoryName": "app", "force": true })).await;
    assert_eq!(gone.json()["repository"]["repositoryName"], "app");
    let again = ask(&stage, "DeleteRepository", json!({ "repositoryName": "app" })).await;
    assert_error(&again, 400, "RepositoryNotFoundException");
    let pull = stage.registry_call(Method::GET, "/v2/app/manifests/v1").await.send().await;
    assert_eq!((pull.status.as_u16(), pull.error_code().as_str()), (404, "NAME_UNKNOWN"));
    // A new one of the same name has nothing of the old.
    stage.create("app");
    assert_eq!(image_ids(&stage, "ANY").await, json!([]));
}
