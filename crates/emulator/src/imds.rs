//! The instance metadata service: tokens by PUT and, unless it is to be of an earlier version, no answer without one.
//!
//! Paths, headers and statuses follow "Use the Instance Metadata Service" and "Instance metadata categories" of the
//! Amazon EC2 user guide.

use std::time::Duration as StdDuration;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE as BASE64;
use secrecy::ExposeSecret;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::accounts::RegistryId;
use crate::clock::rfc3339;
use crate::cloud::{Cloud, Entrance};
use crate::iam::policy::{Attached, Policy};
use crate::options::InstanceMetadata;
use crate::principals::Principal;
use crate::renewed_session::RenewedSession;
use crate::seal::{Purpose, Seal};
use crate::sites::Site;

const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_SECONDS: std::ops::RangeInclusive<u32> = 1..=21_600;

const INSTANCE_ID: &str = "i-0ec0000000000ec00";

/// How long an answer that the hop limit swallows is not given. SDKs wait for a second or a few.
const SILENCE: StdDuration = StdDuration::from_secs(600);

/// Where the role's credentials are.
const ROLES: &str = "meta-data/iam/security-credentials";

/// Credentials of the instance itself, for uses of AWS's own ("Instance identity roles", EC2 user guide).
const OWN_CREDENTIALS: &str = "meta-data/identity-credentials/ec2/security-credentials/ec2-instance";

/// The one instance: where it runs, which role it has, and how it tells.
pub(crate) struct Instance {
    place: RegistryId,
    role: String,
    metadata: InstanceMetadata,
    of_role: RenewedSession,
    of_instance: RenewedSession,
}

impl Instance {
    pub(crate) fn new(place: RegistryId, role: &str, metadata: InstanceMetadata) -> Self {
        let principal = |role: &str| Principal::role_session(place.account, role, INSTANCE_ID);
        // A role of EC2's, whose sessions no policy allows anything here.
        let useless = Principal {
            session_policies: Policy::attached(NOTHING, Attached::Identity).into_iter().collect(),
            ..principal("aws:ec2-instance")
        };
        Self {
            role: role.into(),
            metadata,
            of_role: RenewedSession::new(principal(role)),
            of_instance: RenewedSession::new(useless),
            place,
        }
    }
}

const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

impl InstanceMetadata {
    /// The status that everything is answered with, if there is such.
    fn only_answer(self) -> Option<StatusCode> {
        match self {
            Self::Absent => Some(StatusCode::NOT_FOUND),
            Self::Disabled => Some(StatusCode::FORBIDDEN),
            _ => None,
        }
    }

    fn hides_tokens(self) -> bool {
        matches!(self, Self::HopLimit | Self::HopLimitV1AndV2)
    }

    fn needs_token(self) -> bool {
        matches!(self, Self::V2 | Self::HopLimit | Self::NoRole)
    }
}

/// Answers a request for `/latest/<path>`.
pub(crate) async fn answer(
    State(entrance): State<Entrance>,
    site: Site,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let cloud = &entrance.cloud;
    let metadata = cloud.instance.metadata;
    if site != Site::Any {
        return refusal(StatusCode::NOT_FOUND);
    }
    match (path.as_str(), method) {
        ("api/token", Method::PUT) => {
            if let Some(status) = metadata.only_answer() {
                return refusal(status);
            }
            if metadata.hides_tokens() {
                tokio::time::sleep(SILENCE).await;
                return refusal(StatusCode::REQUEST_TIMEOUT);
            }
            if metadata == InstanceMetadata::V1Only {
                return refusal(StatusCode::NOT_FOUND);
            }
            put_token(cloud, &headers).unwrap_or_else(refusal)
        }
        (path, Method::GET) if path != "api/token" => {
            if let Some(status) = metadata.only_answer() {
                return refusal(status);
            }
            get(cloud, path, &headers).unwrap_or_else(refusal)
        }
        _ => refusal(metadata.only_answer().unwrap_or(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// The operation as the call counters name it, for a path below `/latest/`.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static str> {
    match (path, method) {
        ("api/token", &Method::PUT) => Some("PutToken"),
        ("api/token", _) => None,
        (path, &Method::GET) => Some(item_name(path)),
        _ => None,
    }
}

fn item_name(path: &str) -> &'static str {
    match path {
        "meta-data/iam/security-credentials" | "meta-data/iam/security-credentials/" => "ListRoles",
        "meta-data/placement/region" => "GetRegion",
        "dynamic/instance-identity/document" => "GetIdentityDocument",
        OWN_CREDENTIALS => "GetInstanceCredentials",
        _ if path.starts_with("meta-data/iam/security-credentials/") => "GetRoleCredentials",
        _ => "GetMetadata",
    }
}

fn put_token(cloud: &Cloud, headers: &HeaderMap) -> Result<Response, StatusCode> {
    // A forwarding header is the sign of an open proxy, through which strangers could ask.
    if headers.contains_key("x-forwarded-for") {
        return Err(StatusCode::FORBIDDEN);
    }
    let ttl = headers
        .get(TTL_HEADER)
        .and_then(|ttl| ttl.to_str().ok()?.parse().ok())
        .filter(|ttl| TTL_SECONDS.contains(ttl))
        .ok_or(StatusCode::BAD_REQUEST)?;
    let token = seal_token(&cloud.seal, cloud.now() + Duration::seconds(ttl.into()));
    Ok(([(CONTENT_TYPE.as_str(), "text/plain".to_owned()), (TTL_HEADER, ttl.to_string())], token)
        .into_response())
}

fn get(cloud: &Cloud, path: &str, headers: &HeaderMap) -> Result<Response, StatusCode> {
    let instance = &cloud.instance;
    check_token(cloud, headers)?;
    let has_role = instance.metadata != InstanceMetadata::NoRole;
    let text = match path {
        _ if path.starts_with("meta-data/iam/") && !has_role => return Err(StatusCode::NOT_FOUND),
        "meta-data/iam/security-credentials" | "meta-data/iam/security-credentials/" => instance.role.clone(),
        "meta-data/iam/info" => instance_profile(cloud),
        OWN_CREDENTIALS => credentials(cloud, &instance.of_instance),
        "meta-data/instance-id" => INSTANCE_ID.into(),
        "meta-data/placement/region" => instance.place.region.to_string(),
        "meta-data/placement/availability-zone" => format!("{}a", instance.place.region),
        "dynamic/instance-identity/document" => identity_document(cloud),
        _ => match path.strip_prefix(ROLES).and_then(|rest| rest.strip_prefix('/')) {
            Some(role) if role == instance.role => credentials(cloud, &instance.of_role),
            _ => return Err(StatusCode::NOT_FOUND),
        },
    };
    Ok(([(CONTENT_TYPE, "text/plain")], text).into_response())
}

/// A token may be missing where version 1 is answered, and is not looked at where there is no other.
fn check_token(cloud: &Cloud, headers: &HeaderMap) -> Result<(), StatusCode> {
    let metadata = cloud.instance.metadata;
    let is_accepted = match headers.get(TOKEN_HEADER).map(HeaderValue::as_bytes) {
        None => !metadata.needs_token(),
        Some(_) if metadata == InstanceMetadata::V1Only => true,
        Some(token) => is_valid_token(&cloud.seal, token, cloud.now()),
    };
    if is_accepted { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

fn credentials(cloud: &Cloud, session: &RenewedSession) -> String {
    let keys = session.keys(cloud);
    pretty(&json!({
        "Code": "Success",
        "LastUpdated": rfc3339(keys.issued),
        "Type": "AWS-HMAC",
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key.expose_secret(),
        "Token": keys.session_token.expose_secret(),
        "Expiration": rfc3339(keys.expires),
    }))
}

fn instance_profile(cloud: &Cloud) -> String {
    let Instance { place, role, .. } = &cloud.instance;
    let keys = cloud.instance.of_role.keys(cloud);
    pretty(&json!({
        "Code": "Success",
        "LastUpdated": rfc3339(keys.issued),
        "InstanceProfileArn": format!("arn:aws:iam::{}:instance-profile/{role}", place.account),
        "InstanceProfileId": "AIPAECRUEMULATOR00000",
    }))
}

fn identity_document(cloud: &Cloud) -> String {
    let place = &cloud.instance.place;
    pretty(&json!({
        "accountId": place.account.to_string(),
        "architecture": "x86_64",
        "availabilityZone": format!("{}a", place.region),
        "imageId": "ami-0ec0000000000ec00",
        "instanceId": INSTANCE_ID,
        "instanceType": "t3.micro",
        "privateIp": "127.0.0.1",
        "region": place.region.as_str(),
        "version": "2017-09-30",
    }))
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

/// A token says when it expires, and carries a seal over that: expiry, bytes that make it unique, MAC.
fn seal_token(seal: &Seal, expires: OffsetDateTime) -> String {
    let mut token = expires.unix_timestamp().to_be_bytes().to_vec();
    token.extend_from_slice(&seal.unpredictable()[..8]);
    let tag = seal.tag(Purpose::MetadataToken, &token);
    token.extend_from_slice(&tag);
    BASE64.encode(token)
}

fn is_valid_token(seal: &Seal, token: &[u8], now: OffsetDateTime) -> bool {
    let Ok(token) = BASE64.decode(token) else { return false };
    let Some((message, tag)) = token.split_at_checked(16) else { return false };
    let Some(expires) = message.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) else { return false };
    seal.matches(Purpose::MetadataToken, message, tag) && now.unix_timestamp() < expires
}

/// An error page as the service writes it.
pub(crate) fn refusal(status: StatusCode) -> Response {
    let title = format!("{} - {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html>\n <head>\n  <title>{title}</title>\n </head>\n \
         <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    );
    (status, [(CONTENT_TYPE, "text/html")], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_holds_until_its_time_is_over() {
        let (seal, now) = (Seal::generate().unwrap(), OffsetDateTime::UNIX_EPOCH);
        let token = seal_token(&seal, now + Duration::SECOND);
        assert!(is_valid_token(&seal, token.as_bytes(), now));
        assert!(!is_valid_token(&seal, token.as_bytes(), now + Duration::SECOND));
        assert!(!is_valid_token(&Seal::generate().unwrap(), token.as_bytes(), now));
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_token(token: Vec<u8>) {
            let (seal, now) = (Seal::generate().unwrap(), OffsetDateTime::UNIX_EPOCH);
            prop_assert!(!is_valid_token(&seal, &token, now));
            prop_assert!(!is_valid_token(&seal, BASE64.encode(&token).as_bytes(), now));
        }
    }
}
