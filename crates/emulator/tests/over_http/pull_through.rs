//! Pull-through caches: rules, and what a pull imports by them.

use ecru_emulator::{Identity, Options, Seed};
use hyper::Method;
use serde_json::{Value, json};

use crate::aws_apis::assert_error;
use crate::client::Answer;
use crate::stage::{INDEX, Stage, account};

/// What every pull needs.
const PULL: [&str; 3] = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

async fn ask(stage: &Stage, operation: &str, body: Value) -> Answer {
    stage.ecr(operation, &body.to_string()).await
}

async fn add_rule(stage: &Stage, prefix: &str, upstream: &str) -> Answer {
    let body = json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream });
    ask(stage, "CreatePullThroughCacheRule", body).await
}

/// A stage with a rule `prefix` for ECR Public, where account 1 is `team`.
async fn stage_with_rule(prefix: &str) -> Stage {
    let aliases = [("team".to_owned(), account(1))].into();
    let options = Options { accounts: vec![account(1)], public_aliases: aliases, ..Options::default() };
    let stage = Stage::with(options).await;
    assert_eq!(add_rule(&stage, prefix, "public.ecr.aws").await.status, 200);
    stage
}

async fn pull(stage: &Stage, repository: &str, reference: &str) -> Answer {
    let path = format!("/v2/{repository}/manifests/{reference}");
    stage.registry_call(Method::GET, &path).await.send().await
}

/// Lets the user who pulls do this only.
fn allow(stage: &Stage, actions: &[&str]) {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let policies = vec![json!({ "Version": "2012-10-17", "Statement": statement }).to_string()];
    stage.emulator.set_user(&Identity { name: "ecru".into(), policies, ..Identity::default() }).unwrap();
}

/// The answer to a pull of what is not there, in the words of "Troubleshooting pull through cache issues" (Amazon ECR
/// user guide).
#[track_caller]
fn assert_missing(answer: &Answer, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (404, code), "{answer:?}");
    let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    let said =
        if code == "NAME_UNKNOWN" { "does not exist in the registry" } else { "Requested image not found" };
    assert!(message.contains(said), "{message}");
}

/// Puts an image into `team/NAME` of ECR Public by a seed, as its owner could.
async fn publish(stage: &Stage, name: &str) {
    let image = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/emulator/hello");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.toml");
    let text = format!(
        "[[repository]]\naccount = \"000000000001\"\nname = \"{name}\"\npublic = true\n\
         [[repository.image]]\nfrom = '{}'\ntags = [\"1\"]\n",
        image.display()
    );
    std::fs::write(&path, text).unwrap();
    stage.emulator.apply(&Seed::read(&path).unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_first_pull_creates_the_repository_and_imports_the_image() {
    let stage = stage_with_rule("ecr-public").await;
    publish(&stage, "app").await;
    let listed = async || {
        let all = ask(&stage, "DescribeRepositories", json!({})).await.json();
        all["repositories"].as_array().unwrap().len()
    };
    for name in ["ecr-public/team/none", "ecr-public/nobody/app", "ecr-public/app", "team/app"] {
        assert_missing(&pull(&stage, name, "1").await, "NAME_UNKNOWN");
    }
    assert_missing(&pull(&stage, "ecr-public/team/app", "2").await, "NAME_UNKNOWN");
    assert_eq!(listed().await, 0, "what is not upstream makes no repository");

    let pulled = pull(&stage, "ecr-public/team/app", "1").await;
    assert_eq!(pulled.status, 200, "{pulled:?}");
    assert_eq!(listed().await, 1);
    for blob in [&pulled.json()["config"], &pulled.json()["layers"][0]] {
        let path = format!("/v2/ecr-public/team/app/blobs/{}", blob["digest"].as_str().unwrap());
        assert_eq!(stage.registry_call(Method::GET, &path).await.send().await.status, 307);
    }
    assert_missing(&pull(&stage, "ecr-public/team/app", "2").await, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn an_index_is_imported_with_its_images_by_digest_too() {
    let stage = Stage::new().await;
    let rule = json!({
        "ecrRepositoryPrefix": "near", "upstreamRegistryUrl": "000000000000.dkr.ecr.eu-west-1.amazonaws.com",
        "upstreamRepositoryPrefix": "far",
    });
    let here = json!({
        "ecrRepositoryPrefix": "far", "upstreamRegistryUrl": "000000000000.dkr.ecr.us-east-1.amazonaws.com",
    });
    assert_eq!(ask(&stage, "CreatePullThroughCacheRule", rule).await.status, 200);
    // The other way round, the other region's registry caches this one, and so has the images.
    let signer = stage.signer(0, "eu-west-1", "ecr");
    let target = "AmazonEC2ContainerRegistry_V20150921";
    let added = stage.json_call(target, "CreatePullThroughCacheRule", &signer, &here.to_string()).await;
    assert_eq!(added.status, 200, "{added:?}");
    stage.create("app");
    let manifest = stage.push_image("app", "single").await;
    let image = crate::stage::digest_of(manifest.as_bytes());
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{ "mediaType": crate::stage::IMAGE, "digest": image, "size": manifest.len() }],
    });
    assert_eq!(stage.put_manifest("app", "all", INDEX, &index.to_string()).await.status, 201);
    let digest = crate::stage::digest_of(index.to_string().as_bytes());

    let basic = stage.basic(0, "eu-west-1").await;
    let far = crate::client::Call::new(Method::GET, stage.main(), "/v2/far/app/manifests/all")
        .header("authorization", &basic)
        .header("host", "000000000000.dkr.ecr.eu-west-1.amazonaws.com")
        .send()
        .await;
    assert_eq!(far.status, 200, "{far:?}");
    assert_eq!(pull(&stage, "near/app", &digest).await.json(), index);
    assert_eq!(pull(&stage, "near/app", &image).await.status, 200);
    assert_eq!(pull(&stage, "near/app", "all").await.status, 200);
}

#[tokio::test]
async fn whoever_pulls_first_needs_to_import_and_to_create() {
    const IMPORT: &str = "ecr:BatchImportUpstreamImage";
    const CREATE: &str = "ecr:CreateRepository";
    let stage = stage_with_rule("cache").await;
    publish(&stage, "app").await;
    publish(&stage, "other").await;
    let cached = "cache/team/app";
    for too_little in [&[][..], &[CREATE], &[IMPORT]] {
        allow(&stage, &[&PULL[..], too_little].concat());
        assert_missing(&pull(&stage, cached, "1").await, "NAME_UNKNOWN");
    }
    // A repository that is there already needs only the import.
    stage.create("cache/team/other");
    allow(&stage, &[&PULL[..], &[CREATE]].concat());
    assert_missing(&pull(&stage, "cache/team/other", "1").await, "MANIFEST_UNKNOWN");
    allow(&stage, &[&PULL[..], &[IMPORT]].concat());
    assert_eq!(pull(&stage, "cache/team/other", "1").await.status, 200);
    allow(&stage, &[&PULL[..], &[IMPORT, CREATE]].concat());
    assert_eq!(pull(&stage, cached, "1").await.status, 200);
    // What is cached is pulled like any other image.
    allow(&stage, &PULL);
    assert_eq!(pull(&stage, cached, "1").await.status, 200);
    assert_missing(&pull(&stage, cached, "2").await, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_template_for_caches_says_what_is_created() {
    let stage = stage_with_rule("cache").await;
    publish(&stage, "app").await;
    let template = json!({
        "prefix": "cache", "appliedFor": ["PULL_THROUGH_CACHE"], "imageTagMutability": "IMMUTABLE",
        "resourceTags": [{ "Key": "made-by", "Value": "pull" }],
    });
    assert_eq!(ask(&stage, "CreateRepositoryCreationTemplate", template).await.status, 200);
    let both = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
    allow(&stage, &[&PULL[..], &both].concat());
    assert_missing(&pull(&stage, "cache/team/app", "1").await, "NAME_UNKNOWN");
    allow(&stage, &[&PULL[..], &both, &["ecr:TagResource"]].concat());
    assert_eq!(pull(&stage, "cache/team/app", "1").await.status, 200);
    allow(&stage, &["ecr:DescribeRepositories"]);
    let described = ask(&stage, "DescribeRepositories", json!({})).await.json();
    assert_eq!(described["repositories"][0]["imageTagMutability"], "IMMUTABLE");
}

#[tokio::test]
async fn rules_are_kept_described_validated_and_deleted() {
    let parent = tempfile::tempdir().unwrap();
    let options = || Options { state_dir: Some(parent.path().join("state")), ..Options::default() };
    let stage = Stage::with(options()).await;
    assert_eq!(add_rule(&stage, "ecr-public/", "public.ecr.aws").await.status, 200);
    let again = add_rule(&stage, "ecr-public", "public.ecr.aws").await;
    assert_error(&again, 400, "PullThroughCacheRuleAlreadyExistsException");
    for prefix in ["a", "Hub", &"a".repeat(31)] {
        let refused = add_rule(&stage, prefix, "public.ecr.aws").await;
        assert_error(&refused, 400, "InvalidParameterException");
    }
    for upstream in [
        "registry-1.docker.io",
        "000000000000.dkr.ecr.us-east-1.amazonaws.com",
        "000000000001.dkr.ecr.us-east-1.amazonaws.com",
    ] {
        let refused = add_rule(&stage, "hub", upstream).await;
        assert_error(&refused, 400, "UnsupportedUpstreamRegistryException");
    }
    let elsewhere = json!({
        "ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "public.ecr.aws", "registryId": "000000000001",
    });
    let refused = ask(&stage, "CreatePullThroughCacheRule", elsewhere).await;
    assert_error(&refused, 400, "InvalidParameterException");
    stage.emulator.stop().await;

    let stage = Stage::with(options()).await;
    let all = ask(&stage, "DescribePullThroughCacheRules", json!({})).await.json();
    let rule = &all["pullThroughCacheRules"][0];
    for (key, value) in [
        ("ecrRepositoryPrefix", "ecr-public"),
        ("upstreamRegistryUrl", "public.ecr.aws"),
        ("upstreamRegistry", "ecr-public"),
        ("upstreamRepositoryPrefix", "ROOT"),
        ("registryId", "000000000000"),
    ] {
        assert_eq!(rule[key], value);
    }
    let named = json!({ "ecrRepositoryPrefix": "ecr-public" });
    let valid = ask(&stage, "ValidatePullThroughCacheRule", named.clone()).await.json();
    assert_eq!((&valid["isValid"], &valid["upstreamRegistryUrl"]), (&json!(true), &json!("public.ecr.aws")));
    let one = ask(&stage, "DescribePullThroughCacheRules", json!({ "ecrRepositoryPrefixes": ["hub"] })).await;
    assert_error(&one, 400, "PullThroughCacheRuleNotFoundException");
    let deleted = ask(&stage, "DeletePullThroughCacheRule", named.clone()).await;
    assert_eq!(deleted.json()["ecrRepositoryPrefix"], "ecr-public");
    for operation in ["DeletePullThroughCacheRule", "ValidatePullThroughCacheRule"] {
        let gone = ask(&stage, operation, named.clone()).await;
        assert_error(&gone, 400, "PullThroughCacheRuleNotFoundException");
    }
}

#[tokio::test]
async fn each_operation_on_rules_needs_its_own_permission() {
    let stage = stage_with_rule("cache").await;
    let named = json!({ "ecrRepositoryPrefix": "cache", "upstreamRegistryUrl": "public.ecr.aws" });
    for operation in [
        "CreatePullThroughCacheRule",
        "DescribePullThroughCacheRules",
        "ValidatePullThroughCacheRule",
        "DeletePullThroughCacheRule",
    ] {
        allow(&stage, &["ecr:BatchImportUpstreamImage"]);
        assert_error(&ask(&stage, operation, named.clone()).await, 400, "AccessDeniedException");
        allow(&stage, &[&format!("ecr:{operation}")]);
        let allowed = ask(&stage, operation, named.clone()).await;
        let expected = if operation.starts_with("Create") { 400 } else { 200 };
        assert_eq!(allowed.status, expected, "{allowed:?}");
    }
}
