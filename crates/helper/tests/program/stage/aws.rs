//! What AWS answers, and what it never would.

use std::time::UNIX_EPOCH;

use ecru_ecr::clock::system_time;
use serde_json::json;

use super::responder::{Reply, Request, Responder};

/// The password that AWS hands out.
pub(crate) const PASSWORD: &str = "ecru-emulator-password-NEVER-SHOWN";

/// The targets of the two services' requests.
pub(crate) const PRIVATE_TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
pub(crate) const PUBLIC_TARGET: &str = "SpencerFrontendService.GetAuthorizationToken";

/// The seconds since 1970.
pub(crate) fn now() -> u64 {
    system_time().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// AWS as it is.
pub(crate) fn proper() -> Responder {
    Responder::start(token)
}

/// What AWS answers to a request for a token.
pub(crate) fn token(request: &Request) -> Reply {
    answer(request, |_| {})
}

/// What AWS answers, changed.
pub(crate) fn answer(request: &Request, change: impl FnOnce(&mut serde_json::Value)) -> Reply {
    let (region, _) = request.scope();
    let mut data = json!({
        "authorizationToken": base64(format!("AWS:{PASSWORD}").as_bytes()),
        "expiresAt": now() + 12 * 60 * 60,
    });
    if request.header("x-amz-target") == PUBLIC_TARGET {
        change(&mut data);
        return json_reply(200, &json!({ "authorizationData": data }));
    }
    data["proxyEndpoint"] = json!(format!("https://000000000001.dkr.ecr.{region}.amazonaws.com"));
    change(&mut data);
    json_reply(200, &json!({ "authorizationData": [data] }))
}

/// AWS saying no.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    json_reply(status, &json!({ "__type": code, "message": message }))
}

pub(crate) fn json_reply(status: u16, body: &serde_json::Value) -> Reply {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amzn-requestid", "request-1")];
    Reply::http(status, &headers, &body.to_string())
}

/// An instance's metadata service with the role `builder`.
pub(crate) fn metadata() -> Responder {
    Responder::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("PUT", "/latest/api/token") => Reply::http(
            200,
            &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
            "metadata-token-NEVER-SHOWN",
        ),
        ("GET", "/latest/meta-data/placement/region") => Reply::http(200, &[], "eu-central-1"),
        ("GET", "/latest/meta-data/iam/security-credentials/") => Reply::http(200, &[], "builder"),
        ("GET", "/latest/meta-data/iam/security-credentials/builder") => {
            Reply::http(200, &[], &role_credentials())
        }
        _ => Reply::http(404, &[], ""),
    })
}

/// The credentials of a role, as metadata services hand them out.
pub(crate) fn role_credentials() -> String {
    let credentials = json!({
        "Code": "Success",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": super::SECRET_KEY,
        "Token": super::SESSION_TOKEN,
        "Expiration": "2999-01-01T00:00:00Z",
    });
    credentials.to_string()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position)) & 63;
            text.push(if position <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}
