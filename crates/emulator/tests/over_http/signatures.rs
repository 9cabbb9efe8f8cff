//! Requests that are signed wrongly, late, early or not at all.

use std::time::Duration;

use ecru_emulator::Options;
use hyper::Method;

use crate::aws_apis::assert_error;
use crate::client::{Answer, Call};
use crate::signer::Signer;
use crate::stage::{Hands, Stage};

const PRIVATE: &str = "AmazonEC2ContainerRegistry_V20150921";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
                        AWS Secret Access Key and signing method. Consult the service documentation for details.";

fn token_call(stage: &Stage) -> Call {
    Call::new(Method::POST, stage.main(), "/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", &format!("{PRIVATE}.GetAuthorizationToken"))
        .body("{}")
}

fn identity_call(stage: &Stage) -> Call {
    Call::new(Method::POST, stage.main(), "/").body("Version=2011-06-15&Action=GetCallerIdentity")
}

fn assert_query_error(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!((answer.status.as_u16(), answer.element("Code")), (status, code), "{answer:?}");
    assert_eq!(answer.element("Message"), message);
    assert_eq!(answer.element("RequestId"), answer.header("x-amzn-requestid"));
}

#[tokio::test]
async fn only_the_right_secret_signs() {
    let stage = Stage::new().await;
    let wrong =
        |service: &str| Signer { secret_access_key: "wrong".into(), ..stage.signer(0, "us-east-1", service) };
    let answer = token_call(&stage).signed(&wrong("ecr")).send().await;
    assert_error(&answer, 400, "InvalidSignatureException");
    assert_eq!(answer.json()["message"], MISMATCH);
    let signer = wrong("ecr-public");
    let answer = stage.json_call("SpencerFrontendService", "GetAuthorizationToken", &signer, "{}").await;
    assert_error(&answer, 400, "InvalidSignatureException");
    let answer = identity_call(&stage).signed(&wrong("sts")).send().await;
    assert_query_error(&answer, 403, "SignatureDoesNotMatch", MISMATCH);
}

#[tokio::test]
async fn nothing_can_be_altered_after_signing() {
    let stage = Stage::new().await;
    let signer = stage.signer(0, "us-east-1", "ecr");
    let signed = || token_call(&stage).signed(&signer);
    assert_eq!(signed().send().await.status, 200);
    for (altered, what) in [
        (signed().body(r#"{"registryIds":["000000000001"]}"#), "body"),
        (signed().header("x-amz-target", &format!("{PRIVATE}.DescribeRepositories")), "operation"),
        (signed().header("content-type", "text/plain"), "header"),
        (signed().header("host", "example.com"), "host"),
        (signed().target("/?Action=x"), "query"),
    ] {
        let answer = altered.send().await;
        assert_eq!(answer.json()["__type"], "InvalidSignatureException", "{what}");
        assert_eq!(answer.json()["message"], MISMATCH, "{what}");
    }
    let added = signed().header("x-amz-security-token", "added").send().await;
    assert_error(&added, 400, "InvalidSignatureException");
}

#[tokio::test]
async fn the_announced_hash_of_a_body_is_signed_like_any_header() {
    let stage = Stage::new().await;
    let signer = stage.signer(0, "us-east-1", "ecr");
    let hash = crate::stage::digest_of(b"{}").replace("sha256:", "");
    let announced = token_call(&stage).header("x-amz-content-sha256", &hash).signed(&signer);
    assert_eq!(announced.send().await.status, 200);
    let announced = token_call(&stage).header("x-amz-content-sha256", &hash).signed(&signer);
    assert_error(&announced.body(r#"{"a":1}"#).send().await, 400, "InvalidSignatureException");
}

#[tokio::test]
async fn requests_that_nobody_signed_properly_are_refused() {
    let stage = Stage::new().await;
    let own = stage.signer(0, "us-east-1", "ecr");
    for (signer, code) in [
        (
            Signer { access_key_id: "AKIAIOSFODNN7EXAMPLE".into(), ..own.clone() },
            "UnrecognizedClientException",
        ),
        (Signer { session_token: Some("x".into()), ..own.clone() }, "UnrecognizedClientException"),
        (Signer { service: "sts".into(), ..own.clone() }, "InvalidSignatureException"),
        (Signer { region: "cn-north-1".into(), ..own.clone() }, "InvalidSignatureException"),
    ] {
        assert_error(&token_call(&stage).signed(&signer).send().await, 400, code);
    }
    let own = stage.signer(0, "us-east-1", "sts");
    for (signer, code) in [
        (Signer { access_key_id: "AKIA".into(), ..own.clone() }, "InvalidClientTokenId"),
        (Signer { service: "ecr".into(), ..own.clone() }, "SignatureDoesNotMatch"),
    ] {
        let answer = identity_call(&stage).signed(&signer).send().await;
        assert_eq!((answer.status.as_u16(), answer.element("Code")), (403, code), "{answer:?}");
    }
    for (authorization, code) in [
        ("Basic QVdTOg==", "MissingAuthenticationToken"),
        ("AWS4-HMAC-SHA256 Credential=x", "IncompleteSignature"),
    ] {
        let answer = token_call(&stage).header("authorization", authorization).send().await;
        assert_error(&answer, 400, &format!("{code}Exception"));
        let answer = identity_call(&stage).header("authorization", authorization).send().await;
        assert_eq!(answer.element("Code"), code);
    }
    let unsigned = token_call(&stage).send().await;
    assert_error(&unsigned, 400, "MissingAuthenticationTokenException");
    let message = "Request is missing Authentication Token";
    assert_query_error(&identity_call(&stage).send().await, 403, "MissingAuthenticationToken", message);
}

#[tokio::test]
async fn clocks_may_differ_by_five_minutes() {
    let stage = Stage::with(Options { clock: Hands::new().clock(), ..Options::default() }).await;
    let now = stage.signer(0, "us-east-1", "ecr");
    let late = |seconds| Signer { time: now.time - Duration::from_secs(seconds), ..now.clone() };
    let early = |seconds| Signer { time: now.time + Duration::from_secs(seconds), ..now.clone() };
    let send = async |signer: &Signer| token_call(&stage).signed(signer).send().await;
    assert_eq!(send(&late(300)).await.status, 200);
    assert_eq!(send(&early(300)).await.status, 200);
    for (signer, message) in [
        (
            late(301),
            "Signature expired: 20270115T075459Z is now earlier than 20270115T075500Z (20270115T080000Z - 5 min.)",
        ),
        (
            early(301),
            "Signature not yet current: 20270115T080501Z is still later than 20270115T080500Z \
             (20270115T080000Z + 5 min.)",
        ),
    ] {
        let answer = send(&signer).await;
        assert_error(&answer, 400, "InvalidSignatureException");
        assert_eq!(answer.json()["message"], message);
        let query = identity_call(&stage).signed(&Signer { service: "sts".into(), ..signer }).send().await;
        assert_query_error(&query, 403, "SignatureDoesNotMatch", message);
    }
}

#[tokio::test]
async fn an_expired_session_is_called_so() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let request = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/pull&RoleSessionName=job";
    let assumed = stage.sts(&stage.signer(0, "us-east-1", "sts"), request).await;
    let session = || stage.session_signer(&assumed, "us-east-1", "ecr");
    assert_eq!(token_call(&stage).signed(&session()).send().await.status, 200);
    hands.advance(1);
    let expired = token_call(&stage).signed(&session()).send().await;
    assert_error(&expired, 400, "ExpiredTokenException");
    assert_eq!(expired.json()["message"], "The security token included in the request is expired");
}
