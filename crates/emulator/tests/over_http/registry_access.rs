//! Who gets into a registry, and how those are told who do not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecru_emulator::{CrossAccount, Options};
use hyper::Method;

use crate::client::{Answer, Call};
use crate::stage::{Hands, Stage, account, credential_in, region};

const SECOND: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

fn assert_challenge(answer: &Answer, host: &str) {
    assert_eq!(answer.status, 401);
    let realm = format!("Basic realm=\"https://{host}/\",service=\"ecr.amazonaws.com\"");
    assert_eq!(answer.header("www-authenticate"), realm);
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.headers["sizes"], "");
    assert_eq!(answer.header("content-length"), "15");
}

async fn ping(stage: &Stage, authorization: &str) -> Answer {
    Call::get(stage.main(), "/v2/").header("authorization", authorization).send().await
}

#[tokio::test]
async fn strangers_are_challenged_in_plain_text() {
    let stage = Stage::with_second_registry(Options::default()).await;
    let own = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
    let answer = Call::get(stage.main(), "/v2/").send().await;
    assert_challenge(&answer, own);
    assert_eq!(answer.text(), "Not Authorized\n");
    let head = Call::new(Method::HEAD, stage.main(), "/v2/app/manifests/v1").send().await;
    assert_challenge(&head, own);
    assert_eq!(head.body, b"");
    assert_challenge(&Call::get(stage.registry(SECOND), "/v2/").send().await, SECOND);

    let basic = |credential: &str| format!("Basic {}", BASE64.encode(credential));
    let password = credential_in(&stage.own_basic().await).split_once(':').unwrap().1.to_owned();
    for authorization in [
        basic("AWS:wrong"),
        basic(&format!("aws:{password}")),
        format!("Bearer {password}"),
        "Basic !".into(),
    ] {
        assert_challenge(&ping(&stage, &authorization).await, own);
    }
}

#[tokio::test]
async fn a_password_opens_every_registry_of_its_region() {
    let stage = Stage::with_second_registry(Options::default()).await;
    let here = stage.basic(0, "us-east-1").await;
    assert_eq!(ping(&stage, &here).await.status, 200);
    assert_eq!(Call::get(stage.main(), "/v2").header("authorization", &here).send().await.status, 200);
    let there = async |basic: &str| {
        Call::get(stage.registry(SECOND), "/v2/").header("authorization", basic).send().await
    };
    assert_eq!(there(&stage.basic(0, "eu-west-1").await).await.status, 200);

    let refused = there(&here).await;
    assert_eq!((refused.status.as_u16(), refused.error_code().as_str()), (403, "DENIED"));
    let message = "Your authorization token has expired. Reauthenticate and try again.";
    assert_eq!(refused.json()["errors"][0]["message"], message);
}

#[tokio::test]
async fn a_password_lasts_twelve_hours() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let basic = stage.own_basic().await;
    hands.advance(11);
    assert_eq!(ping(&stage, &basic).await.status, 200);
    hands.advance(1);
    let expired = ping(&stage, &basic).await;
    assert_eq!((expired.status.as_u16(), expired.error_code().as_str()), (403, "DENIED"));
    let head = Call::new(Method::HEAD, stage.main(), "/v2/app/manifests/v1");
    let head = head.header("authorization", &basic).send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
}

#[tokio::test]
async fn a_public_password_is_worth_nothing_here() {
    let stage = Stage::new().await;
    let signer = stage.signer(0, "us-east-1", "ecr-public");
    let answer =
        stage.json_call("SpencerFrontendService", "GetAuthorizationToken", &signer, "{}").await.json();
    let token = answer["authorizationData"]["authorizationToken"].as_str().unwrap().to_owned();
    assert_eq!(ping(&stage, &format!("Basic {token}")).await.status, 401);
}

#[tokio::test]
async fn two_emulators_do_not_know_each_other() {
    let (first, second) = (Stage::new().await, Stage::new().await);
    assert_eq!(ping(&second, &first.own_basic().await).await.status, 401);
}

#[tokio::test]
async fn other_accounts_are_denied_in_the_words_of_iam() {
    let options = Options { cross_account: CrossAccount::Deny, ..Options::default() };
    let stage = Stage::with_second_registry(options).await;
    stage.emulator.create_repository(account(1), &region("eu-west-1"), "team/app").unwrap();
    let stranger = stage.basic(0, "eu-west-1").await;
    let call = async |method: Method, path: &str, basic: &str| {
        Call::new(method, stage.registry(SECOND), path).header("authorization", basic).send().await
    };
    assert_eq!(call(Method::GET, "/v2/", &stranger).await.status, 200);
    let digest = format!("sha256:{}", "0".repeat(64));
    for (method, rest, action) in [
        (Method::GET, "manifests/v1".to_owned(), "BatchGetImage"),
        (Method::PUT, "manifests/v1".to_owned(), "PutImage"),
        (Method::GET, format!("blobs/{digest}"), "GetDownloadUrlForLayer"),
        (Method::POST, "blobs/uploads/".to_owned(), "InitiateLayerUpload"),
        (Method::PATCH, "blobs/uploads/x".to_owned(), "UploadLayerPart"),
        (Method::PUT, "blobs/uploads/x".to_owned(), "CompleteLayerUpload"),
        (Method::GET, "tags/list".to_owned(), "ListImages"),
    ] {
        let answer = call(method, &format!("/v2/team/app/{rest}"), &stranger).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (403, "DENIED"));
        let message = format!(
            "User: arn:aws:iam::000000000000:user/ecru is not authorized to perform: ecr:{action} on resource: \
             arn:aws:ecr:eu-west-1:000000000001:repository/team/app because no resource-based policy allows the \
             ecr:{action} action"
        );
        assert_eq!(answer.json()["errors"][0]["message"], message);
    }
    let head = call(Method::HEAD, &format!("/v2/team/app/blobs/{digest}"), &stranger).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
    // A denial does not tell whether the repository exists, and the owner is not denied.
    assert_eq!(call(Method::GET, "/v2/other/tags/list", &stranger).await.status, 403);
    let owner = stage.basic(1, "eu-west-1").await;
    assert_eq!(call(Method::GET, "/v2/team/app/tags/list", &owner).await.status, 200);
}

#[tokio::test]
async fn a_host_name_decides_the_registry_on_every_listener() {
    let stage = Stage::with_second_registry(Options::default()).await;
    let ping_as = async |host: &str, address| Call::get(address, "/v2/").header("host", host).send().await;
    assert_challenge(&ping_as(SECOND, stage.main()).await, SECOND);
    let third = "000000000042.dkr.ecr.ap-southeast-2.amazonaws.com";
    assert_challenge(&ping_as(&format!("{third}:443"), stage.registry(SECOND)).await, third);
    assert_challenge(&ping_as("registry.example:5000", stage.registry(SECOND)).await, SECOND);
    for real in ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "gallery.ecr.aws"] {
        assert_eq!(ping_as(real, stage.main()).await.status, 421);
    }
    assert_eq!(ping_as("sts.amazonaws.com", stage.main()).await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_has_a_code_of_its_own() {
    let stage = Stage::new().await;
    stage.create("app");
    let digest = format!("sha256:{}", "0".repeat(64));
    for (method, path, status, code) in [
        (Method::GET, "/v2/other/manifests/v1".to_owned(), 404, "NAME_UNKNOWN"),
        (Method::POST, "/v2/other/blobs/uploads/".to_owned(), 404, "NAME_UNKNOWN"),
        (Method::GET, "/v2/app/manifests/v1".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, format!("/v2/app/manifests/{digest}"), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, format!("/v2/app/blobs/{digest}"), 404, "BLOB_UNKNOWN"),
        (Method::PATCH, "/v2/app/blobs/uploads/x".to_owned(), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::GET, "/v2/app/manifests/-x".to_owned(), 400, "TAG_INVALID"),
        (Method::GET, "/v2/app/manifests/sha256:0".to_owned(), 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/app/blobs/sha512:0".to_owned(), 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/APP/tags/list".to_owned(), 400, "NAME_INVALID"),
        (Method::DELETE, "/v2/app/manifests/v1".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (Method::POST, "/v2/app/manifests/v1".to_owned(), 405, "UNSUPPORTED"),
        (Method::GET, "/v2/_catalog".to_owned(), 404, "NOT_FOUND"),
        (Method::GET, "/v2/app/referrers/sha256:0".to_owned(), 400, "DIGEST_INVALID"),
    ] {
        let answer = stage.registry_call(method, &path).await.send().await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (status, code), "{path}");
    }
    let unknown = stage.registry_call(Method::GET, "/v2/team/other/tags/list").await.send().await.json();
    let message =
        "The repository with name 'team/other' does not exist in the registry with id '000000000000'";
    assert_eq!(unknown["errors"][0]["message"], message);
    let head = stage.registry_call(Method::HEAD, "/v2/app/manifests/v1").await.send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (404, 0));
}

#[tokio::test]
async fn no_path_leads_out_of_a_repository() {
    let stage = Stage::new().await;
    stage.create("app");
    for path in [
        "/v2/../lock",
        "/v2/app/../../lock/manifests/v1",
        "/v2/%2e%2e/%2e%2e/etc/manifests/passwd",
        "/v2/app%2f..%2f..%2fblobs/tags/list",
        "/v2/app/manifests/..%2f..%2flock",
        "/v2/app/blobs/sha256:..%2f..%2flock",
        "/v2/app/blobs/uploads/..%2f..%2flock",
        "/v2/app%00/tags/list",
        "/v2/%ff/tags/list",
        "/v2//tags/list",
    ] {
        let answer = stage.registry_call(Method::GET, path).await.send().await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
}
