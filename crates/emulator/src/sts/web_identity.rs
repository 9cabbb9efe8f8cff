//! AssumeRoleWithWebIdentity: from a token of an OpenID Connect issuer to an AWS identity.

use axum::http::StatusCode;

use super::role::{Role, check_session_name};
use super::session::{self, Scope};
use super::{refuse, required, session_policy, violation};
use crate::aws_query::{Output, Parameters, QueryError};
use crate::cloud::Cloud;
use crate::iam;
use crate::iam::condition::Tags;
use crate::oidc::{MAX_TOKEN, TokenRefusal};

/// The provider of an OAuth 2.0 access token: those of Amazon, Facebook and Google are no JSON Web Tokens.
const MISSING_PARAMETERS: [&str; 1] = ["ProviderId"];

/// The shortest token (AWS STS API reference).
const MIN_TOKEN: usize = 4;

pub(super) fn assume_role(cloud: &Cloud, parameters: &Parameters) -> Result<Output, QueryError> {
    refuse(parameters, &MISSING_PARAMETERS)?;
    let arn = required(parameters, "RoleArn")?;
    let name = required(parameters, "RoleSessionName")?;
    check_session_name(name)?;
    let token = required(parameters, "WebIdentityToken")?;
    check_length(token)?;
    // No AWS identity is given up for it, so that this is no role chaining.
    let lifetime = session::lifetime(parameters.get("DurationSeconds"), None)?;
    let policies = session_policy::policies(parameters)?;
    let packed = session_policy::packed_size(&policies, &Tags::new())?;

    let role = Role::parse(arn).ok_or_else(not_authorized)?;
    let identity = cloud.providers.verify(role.account, token, cloud.now())?;
    if !iam::role_trusts(cloud, role.name, &identity) {
        return Err(not_authorized());
    }
    let scope = Scope { policies: policies.all(), tags: Tags::new() };
    let keys = session::open(cloud, &role, name, scope, lifetime);
    let output = session::answer(Output::of("AssumeRoleWithWebIdentity"), &keys, &role, name)
        .element("SubjectFromWebIdentityToken", &identity.subject)
        // The API reference promises the claim `iss`; an answer shown in spiffe/spiffe.io pull request 110 has the ARN.
        .element("Provider", &identity.provider_arn())
        .element("Audience", &identity.audience);
    Ok(match packed {
        Some(percent) => output.element("PackedPolicySize", &percent.to_string()),
        None => output,
    })
}

/// The value is not repeated, as it is in other messages: it may be good for somebody else.
fn check_length(token: &str) -> Result<(), QueryError> {
    let limit = match token.chars().count() {
        ..MIN_TOKEN => format!("greater than or equal to {MIN_TOKEN}"),
        MIN_TOKEN..=MAX_TOKEN => return Ok(()),
        _ => format!("less than or equal to {MAX_TOKEN}"),
    };
    Err(violation("WebIdentityToken", "****", &format!("Member must have length {limit}")))
}

/// The same whether there is no such role or it does not trust the token.
fn not_authorized() -> QueryError {
    let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    QueryError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// Codes and statuses of the API reference.
impl From<TokenRefusal> for QueryError {
    fn from(refusal: TokenRefusal) -> Self {
        let (status, code) = match refusal {
            TokenRefusal::Expired { .. } => (StatusCode::BAD_REQUEST, "ExpiredTokenException"),
            TokenRefusal::NotYet(_) => (StatusCode::FORBIDDEN, "IDPRejectedClaim"),
            TokenRefusal::SessionTags => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            _ => (StatusCode::BAD_REQUEST, "InvalidIdentityToken"),
        };
        Self::new(status, code, refusal.to_string())
    }
}
