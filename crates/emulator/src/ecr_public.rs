//! Amazon ECR Public's API, version 2020-10-30.

use axum::body::Body;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::accounts::Region;
use crate::aws_json::{self, JsonError};
use crate::clock::epoch_seconds;
use crate::cloud::Cloud;
use crate::iam;
use crate::sigv4;
use crate::tokens::{self, Audience};

/// What `X-Amz-Target` starts with.
pub(crate) const TARGET_PREFIX: &str = "SpencerFrontendService";

/// Where ECR Public has endpoints (AWS general reference, Amazon ECR Public endpoints).
const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// Answers one call. `region` is the one that the host name says, if it says one.
pub(crate) async fn call(
    cloud: &Cloud,
    operation: &str,
    region: Option<&Region>,
    request: &Parts,
    body: Body,
) -> Result<Value, JsonError> {
    let name = if operation == "GetAuthorizationToken" { "GetAuthorizationToken" } else { "Unknown" };
    cloud.calls.count("ecr-public", name);
    let body = aws_json::body(body).await?;
    let caller = sigv4::authenticate(request, &body, "ecr-public", region, &cloud.principals, cloud.now())?;
    if name == "Unknown" {
        return Err(JsonError::unknown_operation());
    }
    let _: serde::de::IgnoredAny = aws_json::input(&body)?;
    // Both are needed ("Registry authentication in Amazon ECR public", Amazon ECR Public user guide).
    for action in ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"] {
        iam::authorize_as_identity(cloud, &caller.principal, action, "*")?;
    }
    if !REGIONS.contains(&caller.region.as_str()) {
        return Err(JsonError::new(
            "UnsupportedCommandException",
            "The action isn't supported in this Region.",
        ));
    }
    let minted =
        tokens::mint(&cloud.seal, Audience::EcrPublic, &caller.principal, &caller.region, cloud.now())?;
    Ok(json!({
        "authorizationData": {
            "authorizationToken": BASE64.encode(format!("AWS:{}", minted.password.expose_secret())),
            "expiresAt": epoch_seconds(minted.expires),
        }
    }))
}
