//! Answers that are wrong in one thing and right in all others.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::effect::{Foreign, TokenFlaw};
use crate::clock::{epoch_seconds, rfc3339};
use crate::cloud::Cloud;
use crate::request_body;
use crate::seal::Seal;
use crate::tokens;

/// More than any answer that hands something out.
const MAX_BODY: usize = 1024 * 1024;

/// Longer than a registry password lasts.
const LONG_AGO: Duration = Duration::hours(13);

/// JSON that breaks off, under a status and a type that promise more.
pub(super) fn not_json(service: &str) -> Response {
    ([(CONTENT_TYPE, content_type(service))], "{\"ecru-emulator\":[{\"cut off\":\"he").into_response()
}

/// JSON that nobody asked for.
pub(super) fn wrong_json(service: &str) -> Response {
    ([(CONTENT_TYPE, content_type(service))], "{\"ecru-emulator\":[null,{\"unexpected\":true}]}")
        .into_response()
}

fn content_type(service: &str) -> &'static str {
    match service {
        "ecr" | "ecr-public" => "application/x-amz-json-1.1",
        "sts" => "text/xml",
        "imds" => "text/plain",
        _ => "application/json",
    }
}

/// An answer whose registry tokens have a flaw.
pub(super) async fn with_token(response: Response, cloud: &Cloud, flaw: TokenFlaw) -> Response {
    let flawed = |token: &str| flawed_token(cloud, flaw, token);
    rewritten(response, |text| {
        with_members(text, "authorizationToken", &|old| Some(flawed(old.as_str()?)?.into()))
    })
    .await
}

fn flawed_token(cloud: &Cloud, flaw: TokenFlaw, token: &str) -> Option<String> {
    let credential = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let (user, password) = credential.split_once(':')?;
    let with_line_end =
        |end: &str| BASE64.encode(format!("{user}:{}", password.replacen('.', &format!("{end}."), 1)));
    let minted_by = |seal: &Seal, now| {
        let grant = tokens::open(&cloud.seal, password)?;
        let minted = tokens::mint(seal, grant.audience, &grant.principal, &grant.region, now).ok()?;
        Some(BASE64.encode(format!("{user}:{}", minted.password.expose_secret())))
    };
    match flaw {
        TokenFlaw::Expired => minted_by(&cloud.seal, cloud.now() - LONG_AGO),
        TokenFlaw::Foreign => minted_by(&Seal::generate().ok()?, cloud.now()),
        TokenFlaw::CarriageReturn => Some(with_line_end("\r")),
        TokenFlaw::LineFeed => Some(with_line_end("\n")),
        TokenFlaw::BothLineEnds => Some(with_line_end("\r\n")),
        TokenFlaw::BadBase64 => Some(format!("!{token}")),
        TokenFlaw::NoColon => Some(BASE64.encode(format!("{user}{password}"))),
    }
}

/// An answer that names another registry than the one that it is for.
pub(super) async fn with_endpoint(response: Response, foreign: Foreign) -> Response {
    rewritten(response, |text| {
        with_members(text, "proxyEndpoint", &|old| Some(other_endpoint(old.as_str()?, foreign)?.into()))
    })
    .await
}

fn other_endpoint(endpoint: &str, foreign: Foreign) -> Option<String> {
    let (start, rest) = endpoint.split_once(".dkr.ecr.")?;
    let (region, _) = rest.split_once('.')?;
    let place = match foreign {
        Foreign::Region if region == "us-east-1" => "us-west-2.amazonaws.com".to_owned(),
        Foreign::Region => "us-east-1.amazonaws.com".to_owned(),
        Foreign::Partition => "cn-north-1.amazonaws.com.cn".to_owned(),
        Foreign::Domain => format!("{region}.amazonaws.com.example"),
    };
    Some(format!("{start}.dkr.ecr.{place}"))
}

/// An answer that says that what it hands out expires at another time.
pub(super) async fn with_expiry(response: Response, expires: OffsetDateTime) -> Response {
    rewritten(response, |text| {
        with_members(text, "expiresAt", &|_| Some(epoch_seconds(expires).into()))
            .or_else(|| with_members(text, "Expiration", &|_| Some(rfc3339(expires).into())))
            .or_else(|| with_element(text, "Expiration", &rfc3339(expires)))
    })
    .await
}

/// The response with its body rewritten; as it is where there is nothing to rewrite.
async fn rewritten(response: Response, rewrite: impl FnOnce(&str) -> Option<String>) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = request_body::read(body, MAX_BODY).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let new = std::str::from_utf8(&bytes).ok().and_then(rewrite).map_or(bytes, Bytes::from);
    if parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(new.len()));
    }
    Response::from_parts(parts, Body::from(new))
}

/// JSON in which all members of this name have other values; nothing if it is no JSON or has none.
fn with_members(json: &str, name: &str, change: &dyn Fn(&Value) -> Option<Value>) -> Option<String> {
    let mut value: Value = serde_json::from_str(json).ok()?;
    change_members(&mut value, name, change).then(|| value.to_string())
}

/// `serde_json` limits how deep values nest, so this ends.
fn change_members(value: &mut Value, name: &str, change: &dyn Fn(&Value) -> Option<Value>) -> bool {
    match value {
        Value::Array(values) => {
            values.iter_mut().filter_map(|value| change_members(value, name, change).then_some(())).count()
                > 0
        }
        Value::Object(members) => members.iter_mut().fold(false, |changed, (member, value)| {
            let new = if member == name { change(value) } else { None };
            let changed_here = match new {
                Some(new) => {
                    *value = new;
                    true
                }
                None => change_members(value, name, change),
            };
            changed_here || changed
        }),
        _ => false,
    }
}

/// XML in which the first element of this name has other text.
fn with_element(xml: &str, name: &str, text: &str) -> Option<String> {
    let (start, rest) = xml.split_once(&format!("<{name}>"))?;
    let (_, end) = rest.split_once(&format!("</{name}>"))?;
    Some(format!("{start}<{name}>{text}</{name}>{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_differs_in_one_thing() {
        let endpoint = "https://000000000000.dkr.ecr.us-east-1.amazonaws.com";
        let other = |foreign| other_endpoint(endpoint, foreign).unwrap();
        assert_eq!(other(Foreign::Region), "https://000000000000.dkr.ecr.us-west-2.amazonaws.com");
        assert_eq!(other(Foreign::Partition), "https://000000000000.dkr.ecr.cn-north-1.amazonaws.com.cn");
        assert_eq!(other(Foreign::Domain), "https://000000000000.dkr.ecr.us-east-1.amazonaws.com.example");
        assert_eq!(other_endpoint("https://registry.example", Foreign::Region), None);
    }

    #[test]
    fn members_are_found_at_any_depth_and_elements_in_xml() {
        let changed = with_members(r#"{"a":[{"x":1}],"x":2,"y":3}"#, "x", &|_| Some(0.into()));
        assert_eq!(changed.unwrap(), r#"{"a":[{"x":0}],"x":0,"y":3}"#);
        assert_eq!(with_members("[]", "x", &|_| Some(0.into())), None);
        assert_eq!(with_members("no JSON", "x", &|_| Some(0.into())), None);
        assert_eq!(with_element("<a><x>1</x></a>", "x", "2").unwrap(), "<a><x>2</x></a>");
        assert_eq!(with_element("<a/>", "x", "2"), None);
    }
}
