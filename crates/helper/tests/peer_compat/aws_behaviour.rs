//! How AWS answers in a case, by name.

use serde_json::{Value, json};

use crate::stage::aws;
use crate::stage::responder::{Reply, Request, Responder};

/// AWS that behaves as `name` says.
pub(crate) fn start(name: &str) -> Responder {
    let behaviour = behaviour(name).unwrap_or_else(|| panic!("AWS has no behaviour `{name}`"));
    Responder::start(behaviour)
}

type Behaviour = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

fn behaviour(name: &str) -> Option<Behaviour> {
    let fixed = |reply: Reply| -> Option<Behaviour> { Some(Box::new(move |_| reply.clone())) };
    let refusal = |status, code, message| fixed(aws::refusal(status, code, message));
    match name {
        "proper" => Some(Box::new(aws::token)),
        "with-sts" => Some(Box::new(|request| session(request).unwrap_or_else(|| aws::token(request)))),
        "denied" => {
            refusal(400, "AccessDeniedException", "User: arn:aws:iam::000000000001:user/x is not authorized")
        }
        "throttling" => refusal(400, "ThrottlingException", "Rate exceeded"),
        "failing" => refusal(500, "ServerException", "oops"),
        "expired-identity" => refusal(400, "ExpiredTokenException", "The security token has expired"),
        "unknown-identity" => refusal(400, "UnrecognizedClientException", "The security token is invalid"),
        "refusing" => refusal(400, "InvalidParameterException", "no"),
        "busy" => fixed(Reply::http(503, &[], "<html>busy</html>")),
        "html" => fixed(Reply::http(200, &[], "<html>hello</html>")),
        "cut-off" => fixed(Reply::http(200, &[], r#"{"authorizationData":["#)),
        "hanging-up" => fixed(Reply::Bytes(Vec::new())),
        "not-http" => fixed(Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        "silent" => fixed(Reply::Silence),
        "redirecting" => fixed(Reply::http(307, &[("location", "http://127.0.0.1:9/")], "")),
        "empty-list" => fixed(aws::json_reply(200, &json!({ "authorizationData": [] }))),
        "null-list" => fixed(aws::json_reply(200, &json!({ "authorizationData": null }))),
        _ => changed(name),
    }
}

/// The session that STS hands out, if it is asked for one.
fn session(request: &Request) -> Option<Reply> {
    let (_, action) = request.body.split_once("Action=")?;
    let action = action.split('&').next().unwrap_or_default();
    let body = format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>s\
         </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    );
    Some(Reply::http(200, &[("content-type", "text/xml")], &body))
}

/// A proper answer with something changed.
fn changed(name: &str) -> Option<Behaviour> {
    let (member, value): (&'static str, Value) = match name {
        "no-base64" => ("authorizationToken", json!("no base64")),
        "no-token" => ("authorizationToken", Value::Null),
        "no-colon" => ("authorizationToken", json!(aws::base64(b"AWS"))),
        "another-user" => ("authorizationToken", json!(aws::base64(b"root:ecru-emulator"))),
        "empty-password" => ("authorizationToken", json!(aws::base64(b"AWS:"))),
        "line-end-in-token" => ("authorizationToken", json!(aws::base64(b"AWS:ecru-emulator\r\nevil"))),
        "nul-in-token" => ("authorizationToken", json!(aws::base64(b"AWS:ecru-emulator\0"))),
        "colons-in-token" => ("authorizationToken", json!(aws::base64(b"AWS:ecru-emulator:a:b"))),
        "expired" => ("expiresAt", json!(aws::now() - 60)),
        "no-expiry" => ("expiresAt", Value::Null),
        "a-minute" => ("expiresAt", json!(aws::now() + 60)),
        "fractions" => ("expiresAt", json!(4_000_000_000.5)),
        "a-century" => ("expiresAt", json!(aws::now() + 100 * 365 * 24 * 60 * 60)),
        "another-account" => {
            ("proxyEndpoint", json!("https://000000000009.dkr.ecr.eu-central-1.amazonaws.com"))
        }
        "another-region" => ("proxyEndpoint", json!("https://000000000001.dkr.ecr.us-east-1.amazonaws.com")),
        "another-domain" => {
            ("proxyEndpoint", json!("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.evil.com"))
        }
        "another-partition" => {
            ("proxyEndpoint", json!("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.cn"))
        }
        "no-endpoint" => ("proxyEndpoint", Value::Null),
        "unknown-members" => ("somethingNew", json!({ "a": [1] })),
        _ => return None,
    };
    Some(Box::new(move |request| aws::answer(request, |data| data[member] = value.clone())))
}
