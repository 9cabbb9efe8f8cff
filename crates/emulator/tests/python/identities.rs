//! What both clients do by keys, by instance metadata, and by the endpoints of containers.

use ecru_emulator::{AccountId, Emulator, Options};
use serde_json::json;

use crate::client::{Client, Instance};

const USER: &str = "arn:aws:iam::000000000000:user/ecru";
const INSTANCE: &str = "arn:aws:sts::000000000000:assumed-role/ecru-emulator-instance/i-0ec0000000000ec00";
const CONTAINER: &str = "arn:aws:sts::000000000000:assumed-role/ecru-emulator-container/";

/// Everything that a person does who sets up a registry, as the identity whose ARN begins so.
fn both_work_as(client: &Client, arn: &str, repository: &str) {
    let caller = client.aws_json("sts get-caller-identity");
    assert!(caller["Arn"].as_str().unwrap().starts_with(arn), "{caller}");
    assert_eq!(caller["Account"], "000000000000");
    for command in ["ecr get-login-password", "ecr-public get-login-password"] {
        let password = client.aws(command).unwrap();
        assert!(password.starts_with("ecru-emulator."), "{command}");
    }
    let created = client.aws_json(&format!("ecr create-repository --repository-name {repository}"));
    let uri = format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/{repository}");
    assert_eq!(created["repository"]["repositoryUri"], uri);
    let assumed = client
        .aws_json("sts assume-role --role-session-name job --role-arn arn:aws:iam::000000000001:role/pull");
    assert_eq!(assumed["AssumedRoleUser"]["Arn"], "arn:aws:sts::000000000001:assumed-role/pull/job");

    let seen = client
        .boto3(&format!(
            r#"
described = boto3.client("ecr").describe_repositories(repositoryNames=["{repository}"])["repositories"]
keys = boto3.client("sts").assume_role(
    RoleArn="arn:aws:iam::000000000001:role/pull", RoleSessionName="job")["Credentials"]
session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
print(json.dumps({{
    "uris": [repository["repositoryUri"] for repository in described],
    "caller": boto3.client("sts").get_caller_identity()["Arn"],
    "assumed": session.client("sts").get_caller_identity()["Arn"],
    "private": boto3.client("ecr").get_authorization_token()["authorizationData"][0]["proxyEndpoint"],
    "public": sorted(boto3.client("ecr-public").get_authorization_token()["authorizationData"]),
}}))
"#
        ))
        .unwrap();
    assert_eq!(seen["uris"], json!([uri]));
    assert_eq!(seen["caller"], caller["Arn"]);
    assert_eq!(seen["assumed"], "arn:aws:sts::000000000001:assumed-role/pull/job");
    assert_eq!(seen["private"], "https://000000000000.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(seen["public"], json!(["authorizationToken", "expiresAt"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn both_work_by_environment_keys() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let keys = emulator.keys_environment(AccountId::default()).unwrap();
    both_work_as(&Client::of(&emulator, Instance::Hidden, keys.clone()), USER, "team/keys");
    assert_eq!(emulator.calls().get("imds:PutToken"), 0);

    let wrong = keys.into_iter().map(|(name, value)| match name.as_str() {
        "AWS_SECRET_ACCESS_KEY" => (name, "wrong".to_owned()),
        _ => (name, value),
    });
    let wrong = Client::of(&emulator, Instance::Hidden, wrong.collect());
    let error = wrong.aws("sts get-caller-identity").unwrap_err();
    assert!(error.contains("(SignatureDoesNotMatch)"), "{error}");
    let error = wrong.aws("ecr get-login-password").unwrap_err();
    assert!(error.contains("(InvalidSignatureException)"), "{error}");
    let code = wrong
        .boto3(
            r#"
from botocore.exceptions import ClientError
try:
    boto3.client("ecr").describe_repositories()
except ClientError as error:
    print(json.dumps(error.response))
"#,
        )
        .unwrap();
    assert_eq!(code["Error"]["Code"], "InvalidSignatureException");
    assert_eq!(code["ResponseMetadata"]["HTTPStatusCode"], 400);
    assert_eq!(code["ResponseMetadata"]["RequestId"].as_str().unwrap().len(), 36);
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn both_work_by_instance_metadata() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    both_work_as(&Client::on_instance(&emulator), INSTANCE, "team/instance");
    let calls = emulator.calls();
    assert!(calls.get("imds:PutToken") > 0 && calls.get("imds:GetRoleCredentials") > 0);
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn both_work_by_the_endpoint_of_ecs() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let by_value = Client::of(&emulator, Instance::Hidden, emulator.ecs_environment());
    both_work_as(&by_value, CONTAINER, "team/value");
    let by_file = Client::of(&emulator, Instance::Hidden, emulator.ecs_file_environment().unwrap());
    both_work_as(&by_file, CONTAINER, "team/file");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn both_work_by_the_endpoint_of_eks() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let variables = emulator.eks_environment().unwrap();
    both_work_as(&Client::of(&emulator, Instance::Hidden, variables.clone()), CONTAINER, "team/pod");

    let foreign = Emulator::start(Options::default()).await.unwrap();
    let url = |variables: &[(String, String)]| {
        variables.iter().find(|(name, _)| name.ends_with("FULL_URI")).unwrap().clone()
    };
    let file = |variables: &[(String, String)]| {
        variables.iter().find(|(name, _)| name.ends_with("TOKEN_FILE")).unwrap().clone()
    };
    let mixed = vec![url(&variables), file(&foreign.eks_environment().unwrap())];
    let error = Client::of(&emulator, Instance::Hidden, mixed).aws("ecr get-login-password").unwrap_err();
    assert!(error.contains("401"), "{error}");
    emulator.stop().await;
}
