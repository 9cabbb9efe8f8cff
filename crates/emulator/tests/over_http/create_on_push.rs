//! Repositories that a push creates, where a template says so.

use ecru_emulator::{Identity, Options};
use hyper::Method;
use serde_json::{Value, json};

use crate::aws_apis::assert_error;
use crate::client::{Answer, Call};
use crate::stage::Stage;

async fn ask(stage: &Stage, operation: &str, body: Value) -> Answer {
    stage.ecr(operation, &body.to_string()).await
}

async fn add_template(stage: &Stage, prefix: &str, reason: &str) -> Answer {
    let body = json!({
        "prefix": prefix, "appliedFor": [reason], "imageTagMutability": "IMMUTABLE",
        "resourceTags": [{ "Key": "made-by", "Value": "push" }],
    });
    ask(stage, "CreateRepositoryCreationTemplate", body).await
}

async fn start_push(stage: &Stage, repository: &str) -> Answer {
    stage.registry_call(Method::POST, &format!("/v2/{repository}/blobs/uploads/")).await.send().await
}

#[tokio::test]
async fn a_push_creates_the_repository_where_a_template_says_so() {
    let stage = Stage::new().await;
    assert_eq!(add_template(&stage, "team", "CREATE_ON_PUSH").await.status, 200);
    assert_eq!(add_template(&stage, "copies", "REPLICATION").await.status, 200);
    let head = stage.registry_call(Method::HEAD, "/v2/team/app/manifests/v1").await.send().await;
    assert_eq!(head.status, 404);
    stage.push_image("team/app", "v1").await;

    let described =
        ask(&stage, "DescribeRepositories", json!({ "repositoryNames": ["team/app"] })).await.json();
    assert_eq!(described["repositories"][0]["imageTagMutability"], "IMMUTABLE");
    for name in ["team", "teams/app", "copies/app"] {
        let refused = start_push(&stage, name).await;
        assert_eq!((refused.status.as_u16(), refused.error_code().as_str()), (404, "NAME_UNKNOWN"));
        let message = format!(
            "The repository with name '{name}' does not exist in the registry with id '000000000000'"
        );
        assert_eq!(refused.json()["errors"][0]["message"], message);
    }
    assert_eq!(add_template(&stage, "ROOT", "CREATE_ON_PUSH").await.status, 200);
    assert_eq!(start_push(&stage, "teams/app").await.status, 202);
    // The more specific template decides, and it is not for pushes.
    assert_eq!(start_push(&stage, "copies/app").await.status, 404);
}

#[tokio::test]
async fn whoever_pushes_needs_permission_to_create() {
    let push = json!([
        "ecr:GetAuthorizationToken",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:BatchCheckLayerAvailability",
        "ecr:PutImage",
        "ecr:BatchGetImage",
    ]);
    let stage = Stage::new().await;
    add_template(&stage, "team", "CREATE_ON_PUSH").await;
    let statement = json!({ "Effect": "Allow", "Action": push, "Resource": "*" });
    let policies = vec![json!({ "Version": "2012-10-17", "Statement": statement }).to_string()];
    let user = Identity { name: "ecru".into(), policies, ..Identity::default() };
    stage.emulator.set_user(&user).unwrap();
    let denied = start_push(&stage, "team/app").await;
    assert_eq!((denied.status.as_u16(), denied.error_code().as_str()), (403, "DENIED"));
    let message = denied.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("allows the ecr:CreateRepository action"), "{message}");
}

#[tokio::test]
async fn templates_are_kept_described_and_deleted() {
    let parent = tempfile::tempdir().unwrap();
    let options = || Options { state_dir: Some(parent.path().join("state")), ..Options::default() };
    let stage = Stage::with(options()).await;
    add_template(&stage, "team/", "CREATE_ON_PUSH").await;
    let again = add_template(&stage, "team", "CREATE_ON_PUSH").await;
    assert_error(&again, 400, "TemplateAlreadyExistsException");
    assert_error(&add_template(&stage, "Team", "CREATE_ON_PUSH").await, 400, "InvalidParameterException");
    assert_error(&add_template(&stage, "x", "SOMETIMES").await, 400, "SerializationException");
    let expiring = json!({ "prefix": "x", "appliedFor": ["CREATE_ON_PUSH"], "lifecyclePolicy": "{}" });
    let refused = ask(&stage, "CreateRepositoryCreationTemplate", expiring).await;
    assert_error(&refused, 400, "InvalidParameterException");
    stage.emulator.stop().await;

    let stage = Stage::with(options()).await;
    let all = ask(&stage, "DescribeRepositoryCreationTemplates", json!({})).await.json();
    let template = &all["repositoryCreationTemplates"][0];
    assert_eq!(
        (&template["prefix"], &template["appliedFor"], &template["imageTagMutability"]),
        (&json!("team"), &json!(["CREATE_ON_PUSH"]), &json!("IMMUTABLE"))
    );
    let missing = ask(&stage, "DescribeRepositoryCreationTemplates", json!({ "prefixes": ["x"] })).await;
    assert_error(&missing, 400, "TemplateNotFoundException");
    let delete = async || ask(&stage, "DeleteRepositoryCreationTemplate", json!({ "prefix": "team" })).await;
    assert_eq!(delete().await.json()["repositoryCreationTemplate"], *template);
    assert_error(&delete().await, 400, "TemplateNotFoundException");
    assert_eq!(start_push(&stage, "team/app").await.status, 404);
}

#[tokio::test]
async fn a_manifest_alone_can_be_the_push() {
    let stage = Stage::new().await;
    add_template(&stage, "ROOT", "CREATE_ON_PUSH").await;
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let pushed = Call::new(Method::PUT, stage.main(), "/v2/app/manifests/v1")
        .header("authorization", &stage.own_basic().await)
        .header("content-type", crate::stage::INDEX)
        .body(index)
        .send()
        .await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
}
