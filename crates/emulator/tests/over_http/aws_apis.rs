//! ECR, ECR Public and STS.

use ecru_emulator::{Options, Region};
use serde_json::{Value, json};

use crate::client::{Answer, Call};
use crate::signer::Signer;
use crate::stage::{Hands, Stage, account, credential_in, region};

const PUBLIC: &str = "SpencerFrontendService";
const PRIVATE: &str = "AmazonEC2ContainerRegistry_V20150921";

pub(crate) fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.json()["__type"].as_str()),
        (status, Some(code)),
        "{answer:?}"
    );
    assert!(answer.json()["message"].is_string());
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
}

#[tokio::test]
async fn a_token_is_for_the_callers_own_registry() {
    let stage = Stage::with(Options { clock: Hands::new().clock(), ..Options::default() }).await;
    let answer = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!(answer.status, 200);
    let data = &answer.json()["authorizationData"];
    assert_eq!(data.as_array().unwrap().len(), 1);
    assert_eq!(data[0]["proxyEndpoint"], "https://000000000000.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(data[0]["expiresAt"], json!(1_800_043_200.0));
    let credential = credential_in(&format!("Basic {}", data[0]["authorizationToken"].as_str().unwrap()));
    assert!(credential.starts_with("AWS:ecru-emulator."));
}

#[tokio::test]
async fn registry_ids_get_an_entry_each() {
    let stage = Stage::new().await;
    let answer =
        stage.ecr("GetAuthorizationToken", r#"{"registryIds":["000000000001","000000000002"]}"#).await.json();
    let endpoint = |index: usize| answer["authorizationData"][index]["proxyEndpoint"].clone();
    assert_eq!(endpoint(0), "https://000000000001.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(endpoint(1), "https://000000000002.dkr.ecr.us-east-1.amazonaws.com");

    let eleven = json!({ "registryIds": vec!["000000000001"; 11] }).to_string();
    for body in [r#"{"registryIds":["123456789012"]}"#, r#"{"registryIds":[]}"#, &eleven] {
        assert_error(&stage.ecr("GetAuthorizationToken", body).await, 400, "InvalidParameterException");
    }
}

#[tokio::test]
async fn repositories_are_created_once_and_described() {
    let stage = Stage::new().await;
    let created = stage.ecr("CreateRepository", r#"{"repositoryName":"team/app","tags":[]}"#).await;
    assert_eq!(created.status, 200);
    let repository = &created.json()["repository"];
    assert_eq!(repository["repositoryArn"], "arn:aws:ecr:us-east-1:000000000000:repository/team/app");
    assert_eq!(repository["repositoryUri"], "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app");
    assert_eq!(repository["imageTagMutability"], "MUTABLE");

    let again = stage.ecr("CreateRepository", r#"{"repositoryName":"team/app"}"#).await;
    assert_error(&again, 400, "RepositoryAlreadyExistsException");
    let message = "The repository with name 'team/app' already exists in the registry with id '000000000000'";
    assert_eq!(again.json()["message"], message);

    let described = stage.ecr("DescribeRepositories", r#"{"repositoryNames":["team/app"]}"#).await;
    assert_eq!(described.json()["repositories"], json!([repository]));
    let missing = stage.ecr("DescribeRepositories", r#"{"repositoryNames":["other"]}"#).await;
    assert_error(&missing, 400, "RepositoryNotFoundException");
    let message = "The repository with name 'other' does not exist in the registry with id '000000000000'";
    assert_eq!(missing.json()["message"], message);
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let stage = Stage::new().await;
    for name in ["", "A", "../../etc", "a/../b", "a//b", "a\u{0}b"] {
        let body = json!({ "repositoryName": name }).to_string();
        assert_error(&stage.ecr("CreateRepository", &body).await, 400, "InvalidParameterException");
    }
    for body in ["[]", "{", "\"x\"", r#"{"repositoryName":1}"#] {
        assert_error(&stage.ecr("CreateRepository", body).await, 400, "SerializationException");
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let stage = Stage::new().await;
    for name in ["aa", "bb", "cc"] {
        stage.create(name);
    }
    let mut names = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = stage
            .ecr("DescribeRepositories", &json!({ "maxResults": 2, "nextToken": token }).to_string())
            .await
            .json();
        let repositories = page["repositories"].as_array().unwrap();
        assert!(repositories.len() <= 2);
        names.extend(repositories.iter().map(|repository| repository["repositoryName"].clone()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["aa", "bb", "cc"]);
    for body in [r#"{"maxResults":0}"#, r#"{"maxResults":1001}"#, r#"{"nextToken":"!"}"#] {
        assert_error(&stage.ecr("DescribeRepositories", body).await, 400, "InvalidParameterException");
    }
}

#[tokio::test]
async fn regions_and_accounts_have_registries_of_their_own() {
    let stage = Stage::with(Options { accounts: vec![account(1)], ..Options::default() }).await;
    stage.emulator.create_repository(account(1), &region("eu-west-1"), "there").unwrap();
    let names = async |number, region| {
        let signer = stage.signer(number, region, "ecr");
        let answer = stage.json_call(PRIVATE, "DescribeRepositories", &signer, "{}").await;
        answer.json()["repositories"].as_array().unwrap().len()
    };
    assert_eq!(names(1, "eu-west-1").await, 1);
    assert_eq!(names(1, "us-east-1").await, 0);
    assert_eq!(names(0, "eu-west-1").await, 0);
}

#[tokio::test]
async fn unknown_operations_and_large_bodies_are_refused() {
    let stage = Stage::new().await;
    assert_error(&stage.ecr("PutReplicationConfiguration", "{}").await, 400, "UnknownOperationException");
    assert_error(&stage.ecr("", "{}").await, 400, "UnknownOperationException");
    let signer = stage.signer(0, "us-east-1", "ecr");
    let foreign = stage.json_call("DynamoDB_20120810", "ListTables", &signer, "{}").await;
    assert_error(&foreign, 400, "UnknownOperationException");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_error(&stage.ecr("CreateRepository", &large).await, 413, "RequestEntityTooLargeException");
    assert_eq!(Call::get(stage.main(), "/").send().await.status, 404);
    assert_eq!(stage.emulator.calls().get("ecr:Unknown"), 2);
}

#[tokio::test]
async fn a_public_token_is_one_object_and_exists_in_two_regions() {
    let stage = Stage::new().await;
    for region in ["us-east-1", "us-west-2"] {
        let signer = stage.signer(0, region, "ecr-public");
        let answer = stage.json_call(PUBLIC, "GetAuthorizationToken", &signer, "{}").await.json();
        let data = answer["authorizationData"].as_object().unwrap();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["authorizationToken", "expiresAt"]);
    }
    let elsewhere = stage.signer(0, "eu-west-1", "ecr-public");
    let answer = stage.json_call(PUBLIC, "GetAuthorizationToken", &elsewhere, "{}").await;
    assert_error(&answer, 400, "UnsupportedCommandException");
    let here = stage.signer(0, "us-east-1", "ecr-public");
    let answer = stage.json_call(PUBLIC, "PutImage", &here, "{}").await;
    assert_error(&answer, 400, "UnknownOperationException");
}

#[tokio::test]
async fn callers_learn_who_they_are() {
    let stage = Stage::new().await;
    let answer = stage.sts(&stage.signer(0, "us-east-1", "sts"), "Action=GetCallerIdentity").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/xml");
    assert!(
        answer
            .text()
            .starts_with("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">")
    );
    assert_eq!(answer.element("Arn"), "arn:aws:iam::000000000000:user/ecru");
    assert_eq!(answer.element("Account"), "000000000000");
    assert_eq!(answer.element("UserId").len(), 21);
    assert_eq!(answer.element("RequestId"), answer.header("x-amzn-requestid"));
}

#[tokio::test]
async fn an_assumed_role_calls_under_its_session_name_until_it_expires() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let request = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000007%3Arole%2Fci%2Fpull\
                   &RoleSessionName=job-1%40ci&DurationSeconds=3600";
    let assumed = stage.sts(&stage.signer(0, "us-east-1", "sts"), request).await;
    assert_eq!(assumed.status, 200, "{assumed:?}");
    let arn = "arn:aws:sts::000000000007:assumed-role/pull/job-1@ci";
    assert_eq!(assumed.element("Arn"), arn);
    assert!(assumed.element("AssumedRoleId").ends_with(":job-1@ci"));
    assert_eq!(assumed.element("Expiration"), "2027-01-15T09:00:00Z");
    assert!(assumed.element("AccessKeyId").starts_with("ASIA"));

    let session = || stage.session_signer(&assumed, "us-east-1", "sts");
    let identity = async |signer: Signer| stage.sts(&signer, "Action=GetCallerIdentity").await;
    assert_eq!(identity(session()).await.element("Arn"), arn);
    for session_token in [None, Some("wrong".into())] {
        let wrong = identity(Signer { session_token, ..session() }).await;
        assert_eq!((wrong.status.as_u16(), wrong.element("Code")), (403, "InvalidClientTokenId"));
    }
    hands.advance(1);
    let expired = identity(session()).await;
    assert_eq!((expired.status.as_u16(), expired.element("Code")), (403, "ExpiredToken"));
}

#[tokio::test]
async fn roles_are_not_assumed_wrongly() {
    let stage = Stage::new().await;
    let assume = async |rest: &str| {
        let answer =
            stage.sts(&stage.signer(0, "us-east-1", "sts"), &format!("Action=AssumeRole&{rest}")).await;
        (answer.status.as_u16(), answer.element("Code").to_owned())
    };
    let role = "RoleArn=arn:aws:iam::000000000007:role/pull&RoleSessionName=job";
    let validation = (400, "ValidationError".to_owned());
    assert_eq!(assume("RoleSessionName=job").await, validation);
    assert_eq!(assume("RoleArn=arn:aws:iam::000000000007:role/pull").await, validation);
    assert_eq!(assume(&role.replace("=job", "=j")).await, validation);
    assert_eq!(assume(&role.replace("=job", "=a%20b")).await, validation);
    for seconds in ["899", "43201", "x"] {
        assert_eq!(assume(&format!("{role}&DurationSeconds={seconds}")).await, validation);
    }
    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(assume(&role.replace("000000000007", "123456789012")).await, denied);
    let unimplemented = (501, "NotImplemented".to_owned());
    assert_eq!(assume(&format!("{role}&PolicyArns.member.1.arn=a")).await, unimplemented);
    assert_eq!(assume(&format!("{role}&TransitiveTagKeys.member.1=a")).await, unimplemented);
    let malformed = (400, "MalformedPolicyDocument".to_owned());
    assert_eq!(assume(&format!("{role}&Policy=%7B%7D")).await, malformed);
    assert_eq!(assume(&format!("{role}&Policy={}", "x".repeat(2049))).await, validation);
    assert_eq!(assume(&format!("{role}&Tags.member.1.Key=")).await, validation);
}

#[tokio::test]
async fn sts_refuses_what_it_does_not_know() {
    let stage = Stage::new().await;
    let own = stage.signer(0, "us-east-1", "sts");
    for body in ["Action=GetFederationToken", "Action=GetCallerIdentity&Version=2010-01-01"] {
        let answer = stage.sts(&own, body).await;
        assert_eq!((answer.status.as_u16(), answer.element("Code")), (400, "InvalidAction"), "{body}");
        assert!(answer.text().starts_with("<ErrorResponse"));
    }
    let large = format!("Action={}", "x".repeat(1024 * 1024));
    assert_eq!(stage.sts(&own, &large).await.status, 413);
}

#[tokio::test]
async fn a_host_name_decides_the_service_and_the_region() {
    let stage = Stage::new().await;
    let call = async |host: &str, region: &str| {
        Call::new(hyper::Method::POST, stage.main(), "/")
            .header("host", host)
            .header("x-amz-target", &format!("{PRIVATE}.GetAuthorizationToken"))
            .signed(&stage.signer(0, region, "ecr"))
            .send()
            .await
    };
    let own = call("api.ecr.eu-west-1.amazonaws.com", "eu-west-1").await.json();
    let endpoint = "https://000000000000.dkr.ecr.eu-west-1.amazonaws.com";
    assert_eq!(own["authorizationData"][0]["proxyEndpoint"], endpoint);
    let other = call("api.ecr.eu-west-1.amazonaws.com", "us-east-1").await;
    assert_error(&other, 400, "InvalidSignatureException");
    let registry = call("000000000000.dkr.ecr.us-east-1.amazonaws.com", "us-east-1").await;
    assert_eq!(registry.status, 404);
    let real = call("123456789012.dkr.ecr.us-east-1.amazonaws.com", "us-east-1").await;
    assert_eq!(real.status, 421);
    assert_eq!(call("sts.amazonaws.com", "us-east-1").await.element("Code"), "InvalidAction");
}

#[tokio::test]
async fn only_emulated_users_have_keys() {
    let stage = Stage::with_second_registry(Options::default()).await;
    assert!(stage.emulator.user_keys(account(0)).is_some());
    assert!(stage.emulator.user_keys(account(1)).is_some());
    assert!(stage.emulator.user_keys(account(2)).is_none());
    assert_eq!(Region::default().as_str(), "us-east-1");
}
