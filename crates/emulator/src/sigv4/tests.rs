//! AWS's published examples, and one request with each of its parts spoilt.

use axum::http::Request;

use super::*;
use crate::accounts::AccountId;

/// The key of the examples in AWS's documentation and of its "Signature Version 4 test suite".
const EXAMPLE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Whether `signature` is right for a request of 2015-08-30 12:36:00 UTC.
fn is_signed(parts: &Parts, body: &str, service: &str, signed_headers: &str, signature: &str) -> bool {
    let header = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
         SignedHeaders={signed_headers}, Signature={signature}"
    );
    let authorization = Authorization::parse(&header).unwrap();
    let canonical = canonical::request(parts, &authorization.signed_headers(), body.as_bytes());
    let signed_at = signed_at(&parts.headers).unwrap();
    let text = signing::string_to_sign(signed_at, &authorization.scope(), &canonical);
    signing::is_signature_of(&text, &authorization, EXAMPLE_SECRET)
}

#[test]
fn the_documented_example_holds() {
    let list_users = parts(
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ],
    );
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert!(is_signed(&list_users, "", "iam", "content-type;host;x-amz-date", signature));
    assert!(!is_signed(&list_users, "x", "iam", "content-type;host;x-amz-date", signature));
}

#[test]
fn the_published_test_suite_holds() {
    const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
    const HOST: (&str, &str) = ("host", "example.amazonaws.com");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let (spaced, quoted) = (("my-header1", " value1"), ("my-header2", " \"a   b   c\""));
    for (name, parts, body, signed_headers, signature) in [
        (
            "get-vanilla",
            parts("GET", "/", &[HOST, DATE]),
            "",
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-vanilla-query-order-key-case",
            parts("GET", "/?Param2=value2&Param1=value1", &[HOST, DATE]),
            "",
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "post-vanilla",
            parts("POST", "/", &[HOST, DATE]),
            "",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-x-www-form-urlencoded",
            parts("POST", "/", &[form, HOST, DATE]),
            "Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "get-header-value-trim",
            parts("GET", "/", &[HOST, spaced, quoted, DATE]),
            "",
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ] {
        assert!(is_signed(&parts, body, "service", signed_headers, signature), "{name}");
    }
}

/// A clock, the request and the answer, in one.
fn refusal(now: &str, credential: &str, signed_headers: &str, date: &str) -> SignatureError {
    let principals = Principals::with_users([(AccountId::default(), crate::principals::DEFAULT_USER)]);
    let header = format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed_headers}, Signature={}",
        "0".repeat(64)
    );
    let parts = parts(
        "POST",
        "/",
        &[("host", "localhost"), ("x-amz-date", date), ("x-amz-target", "x.y"), ("authorization", &header)],
    );
    let now = signing::parse_basic(now).unwrap();
    authenticate(&parts, b"{}", "ecr", Some(&Region::default()), &principals, now).unwrap_err()
}

#[test]
fn each_flaw_has_its_own_error() {
    const NOW: &str = "20150830T123600Z";
    const KEY: &str = "AKIAECRUEMULATOR0000";
    const HEADERS: &str = "host;x-amz-date;x-amz-target";
    let scoped = |scope: &str| refusal(NOW, &format!("{KEY}/{scope}"), HEADERS, NOW);
    assert_eq!(scoped("20150830/us-east-1/ecr/aws4_request"), SignatureError::Mismatch);
    assert_eq!(scoped("20150830/us-east-1/sts/aws4_request"), SignatureError::WrongService("ecr"));
    for region in ["eu-west-1", "nowhere", ".."] {
        assert_eq!(scoped(&format!("20150830/{region}/ecr/aws4_request")), SignatureError::WrongRegion);
    }
    assert_eq!(scoped("20150830/us-east-1/ecr/x"), SignatureError::WrongTerminator("x".into()));
    assert_eq!(
        scoped("20150831/us-east-1/ecr/aws4_request").to_string(),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '20150831' != '20150830', from '20150830T123600Z'."
    );
    let credential = format!("{KEY}/20150830/us-east-1/ecr/aws4_request");
    assert_eq!(refusal(NOW, &credential.replace("AKIA", "ASIA"), HEADERS, NOW), SignatureError::UnknownKey);
    assert_eq!(
        refusal(NOW, &credential, "x-amz-date;x-amz-target", NOW).to_string(),
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    );
    assert_eq!(
        refusal(NOW, &credential, "host;x-amz-date", NOW),
        SignatureError::NotSigned("x-amz-target".into())
    );
    assert!(matches!(refusal(NOW, &credential, HEADERS, "now"), SignatureError::MalformedDate(_)));
    let nothing = parts("POST", "/", &[]);
    let principals = Principals::with_users([]);
    let nobody = authenticate(&nothing, b"", "ecr", None, &principals, OffsetDateTime::UNIX_EPOCH);
    assert_eq!(nobody.unwrap_err(), SignatureError::Missing);
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    const HEADERS: &str = "host;x-amz-date;x-amz-target";
    let credential = "AKIAECRUEMULATOR0000/20150830/us-east-1/ecr/aws4_request";
    let signed = |at: &str| refusal("20150830T123600Z", credential, HEADERS, at);
    assert_eq!(signed("20150830T123100Z"), SignatureError::Mismatch);
    assert_eq!(signed("20150830T124100Z"), SignatureError::Mismatch);
    assert_eq!(
        signed("20150830T123059Z").to_string(),
        "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"
    );
    assert_eq!(
        signed("20150830T124101Z").to_string(),
        "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z \
         (20150830T123600Z + 5 min.)"
    );
}
