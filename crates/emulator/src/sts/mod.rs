//! AWS Security Token Service, version 2011-06-15.
//!
//! Every role of an emulated account exists. One without a trust policy trusts every account and every identity
//! provider of its own; then only the policies of the caller say whether it may assume the role.

mod assume_role;
mod role;
mod session;
mod session_policy;
mod web_identity;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::accounts::Region;
use crate::aws_query::{self, Output, Parameters, QueryError};
use crate::cloud::Cloud;
use crate::sigv4::{self, Caller};
pub(crate) use role::is_role_name;

const VERSION: &str = "2011-06-15";
const ACTIONS: [&str; 3] = ["GetCallerIdentity", "AssumeRole", "AssumeRoleWithWebIdentity"];

/// The action that a body asks for, as the call counters name it.
pub(crate) fn operation(body: &[u8]) -> &'static str {
    let parameters = aws_query::parameters(body);
    let action = parameters.get("Action").map(String::as_str).unwrap_or_default();
    ACTIONS.into_iter().find(|known| *known == action).unwrap_or("Unknown")
}

/// Answers one call. `region` is the one that the host name says, if it says one.
pub(crate) async fn call(
    cloud: &Cloud,
    region: Option<&Region>,
    request: &Parts,
    body: Body,
) -> Result<Output, QueryError> {
    let body = aws_query::body(body).await?;
    let parameters = aws_query::parameters(&body);
    let action = parameters.get("Action").map(String::as_str).unwrap_or_default();
    let known = ACTIONS.into_iter().find(|known| *known == action);
    let version = parameters.get("Version").map(String::as_str).unwrap_or_default();
    if known.is_none() || version != VERSION {
        let message = format!("Could not find operation {action} for version {version}");
        return Err(QueryError::new(StatusCode::BAD_REQUEST, "InvalidAction", message));
    }
    // The token is all that this call is authenticated by (AWS STS API reference, AssumeRoleWithWebIdentity).
    if action == "AssumeRoleWithWebIdentity" {
        return web_identity::assume_role(cloud, &parameters);
    }
    let caller = sigv4::authenticate(request, &body, "sts", region, &cloud.principals, cloud.now())?;
    match action {
        "AssumeRole" => assume_role::assume_role(cloud, &caller, &parameters),
        _ => Ok(get_caller_identity(&caller)),
    }
}

fn get_caller_identity(caller: &Caller) -> Output {
    Output::of("GetCallerIdentity")
        .element("Arn", &caller.principal.arn)
        .element("UserId", &caller.principal.user_id)
        .element("Account", &caller.principal.account.to_string())
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, QueryError> {
    let value = parameters.get(name).ok_or_else(|| violation(name, "null", "Member must not be null"))?;
    Ok(value)
}

/// Refuses parameters that change what a session may do: ignoring one would hand out something else than was asked
/// for.
fn refuse(parameters: &Parameters, starts: &[&str]) -> Result<(), QueryError> {
    let missing = parameters.keys().find(|name| starts.iter().any(|start| name.starts_with(start)));
    missing.map_or(Ok(()), |name| {
        let message = format!("ecru-emulator does not have the parameter `{name}`");
        Err(QueryError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
    })
}

/// A broken constraint, in the sentence that AWS services share.
fn violation(parameter: &str, value: &str, constraint: &str) -> QueryError {
    let mut letters = parameter.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let member: String = first.into_iter().chain(letters).collect();
    QueryError::validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}
