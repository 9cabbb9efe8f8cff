//! Amazon ECR Public's API, version 2020-10-30.

mod repositories;

use std::sync::Arc;

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
use crate::sigv4::{self, Caller};
use crate::tokens::{self, Audience};

/// What `X-Amz-Target` starts with.
pub(crate) const TARGET_PREFIX: &str = "SpencerFrontendService";

const OPERATIONS: [&str; 5] = [
    "GetAuthorizationToken",
    "CreateRepository",
    "DescribeRepositories",
    "DeleteRepository",
    "DescribeRegistries",
];

/// Where ECR Public has endpoints (AWS general reference, Amazon ECR Public endpoints).
const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// The operation as the call counters name it.
pub(crate) fn operation(name: &str) -> &'static str {
    OPERATIONS.into_iter().find(|known| *known == name).unwrap_or("Unknown")
}

/// Answers one call. `region` is the one that the host name says, if it says one.
pub(crate) async fn call(
    cloud: Arc<Cloud>,
    operation: &str,
    region: Option<&Region>,
    request: &Parts,
    body: Body,
) -> Result<Value, JsonError> {
    let body = aws_json::body(body).await?;
    let caller = sigv4::authenticate(request, &body, "ecr-public", region, &cloud.principals, cloud.now())?;
    if !OPERATIONS.contains(&operation) {
        return Err(JsonError::unknown_operation());
    }
    if !REGIONS.contains(&caller.region.as_str()) {
        return Err(JsonError::new(
            "UnsupportedCommandException",
            "The action isn't supported in this Region.",
        ));
    }
    match operation {
        "CreateRepository" => repositories::create(cloud, &caller, aws_json::input(&body)?).await,
        "DescribeRepositories" => repositories::describe(&cloud, &caller, &aws_json::input(&body)?),
        "DeleteRepository" => repositories::delete(cloud, &caller, aws_json::input(&body)?).await,
        "DescribeRegistries" => repositories::registries(&cloud, &caller),
        _ => {
            let _: serde::de::IgnoredAny = aws_json::input(&body)?;
            get_authorization_token(&cloud, &caller)
        }
    }
}

fn get_authorization_token(cloud: &Cloud, caller: &Caller) -> Result<Value, JsonError> {
    // Both are needed ("Registry authentication in Amazon ECR public", Amazon ECR Public user guide).
    for action in ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"] {
        iam::authorize_as_identity(cloud, &caller.principal, action, "*")?;
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
