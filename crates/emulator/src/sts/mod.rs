//! AWS Security Token Service, version 2011-06-15.
//!
//! Every role of an emulated account exists and trusts every account. Whether the caller may assume it, its own
//! policies say.

mod session_policy;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use secrecy::ExposeSecret;
use time::Duration;

use crate::accounts::{AccountId, Region};
use crate::aws_query::{self, Output, Parameters, QueryError};
use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::iam;
use crate::principals::{self, Principal};
use crate::sigv4::{self, Caller};

const VERSION: &str = "2011-06-15";
const ACTIONS: [&str; 2] = ["GetCallerIdentity", "AssumeRole"];

/// Bounds of `DurationSeconds` and its default (AWS STS API reference, AssumeRole).
const SHORTEST_SESSION: i64 = 900;
const LONGEST_SESSION: i64 = 43_200;
const DEFAULT_SESSION: i64 = 3_600;
/// The longest session of a role that another role's session assumes (IAM user guide, role chaining).
const LONGEST_CHAINED_SESSION: i64 = 3_600;

/// Parameters that change what a session may do. Ignoring one would hand out something else than was asked for.
const MISSING_PARAMETERS: [&str; 2] = ["PolicyArns.", "TransitiveTagKeys."];

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
    let caller = sigv4::authenticate(request, &body, "sts", region, &cloud.principals, cloud.now())?;
    match action {
        "AssumeRole" => assume_role(cloud, &caller, &parameters),
        _ => Ok(get_caller_identity(&caller)),
    }
}

fn get_caller_identity(caller: &Caller) -> Output {
    Output::of("GetCallerIdentity")
        .element("Arn", &caller.principal.arn)
        .element("UserId", &caller.principal.user_id)
        .element("Account", &caller.principal.account.to_string())
}

fn assume_role(cloud: &Cloud, caller: &Caller, parameters: &Parameters) -> Result<Output, QueryError> {
    if let Some(name) =
        parameters.keys().find(|name| MISSING_PARAMETERS.iter().any(|start| name.starts_with(start)))
    {
        let message = format!("ecru-emulator does not have `{name}` of AssumeRole");
        return Err(QueryError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
    }
    let required =
        |name: &str| parameters.get(name).ok_or_else(|| violation(name, "null", "Member must not be null"));
    let arn = required("RoleArn")?;
    let session = required("RoleSessionName")?;
    if !is_session_name(session) {
        let pattern = "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}";
        return Err(violation("RoleSessionName", session, pattern));
    }
    let lifetime = session_lifetime(parameters.get("DurationSeconds"), &caller.principal)?;
    let policy = session_policy::policy(parameters)?;
    let tags = session_policy::tags(parameters)?;
    let packed = session_policy::packed_size(policy.as_ref(), &tags)?;
    iam::authorize_as_identity(cloud, &caller.principal, "sts:AssumeRole", arn)?;
    if !tags.is_empty() {
        iam::authorize_as_identity(cloud, &caller.principal, "sts:TagSession", arn)?;
    }
    let role = Role::parse(arn).ok_or_else(|| {
        let caller = &caller.principal.arn;
        let message =
            format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}");
        QueryError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    })?;

    let principal = Principal {
        session_policy: policy,
        session_tags: tags,
        ..Principal::role_session(role.account, role.name, session)
    };
    let assumed_role_id = format!("{}:{session}", principals::role_id(role.account, role.name));
    let keys = cloud.principals.open_session(principal, lifetime, cloud.now(), &cloud.seal);
    let credentials = [
        ("AccessKeyId", keys.access_key_id.as_str()),
        ("SecretAccessKey", keys.secret_access_key.expose_secret()),
        ("SessionToken", keys.session_token.expose_secret()),
        ("Expiration", &rfc3339(keys.expires)),
    ];
    let user = [("AssumedRoleId", assumed_role_id.as_str()), ("Arn", keys.principal.arn.as_str())];
    let output = Output::of("AssumeRole").group("Credentials", &credentials).group("AssumedRoleUser", &user);
    Ok(match packed {
        Some(percent) => output.element("PackedPolicySize", &percent.to_string()),
        None => output,
    })
}

fn session_lifetime(requested: Option<&String>, caller: &Principal) -> Result<Duration, QueryError> {
    let Some(text) = requested else { return Ok(Duration::seconds(DEFAULT_SESSION)) };
    let seconds: i64 =
        text.parse().map_err(|_| violation("DurationSeconds", text, "Member must be a number"))?;
    if seconds < SHORTEST_SESSION {
        return Err(violation(
            "DurationSeconds",
            text,
            "Member must have value greater than or equal to 900",
        ));
    }
    if seconds > LONGEST_SESSION {
        return Err(violation("DurationSeconds", text, "Member must have value less than or equal to 43200"));
    }
    if caller.is_role_session() && seconds > LONGEST_CHAINED_SESSION {
        return Err(QueryError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    Ok(Duration::seconds(seconds))
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

fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && is_name(name)
}

/// Letters of role and session names (IAM user guide, name requirements).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// A role, by `arn:aws:iam::<account>:role/[<path>/]<name>`. Sessions of it are named without the path.
#[derive(Debug, PartialEq, Eq)]
struct Role<'a> {
    account: AccountId,
    name: &'a str,
}

impl<'a> Role<'a> {
    /// The role, if it is in an emulated account.
    fn parse(arn: &'a str) -> Option<Self> {
        let (account, path) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
        let name = path.rsplit('/').next()?;
        path.split('/').all(is_name).then_some(Self { account: account.parse().ok()?, name })
    }
}

/// Whether a role can have this name.
pub(crate) fn is_role_name(name: &str) -> bool {
    name.len() <= 64 && is_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roles_of_emulated_accounts_are_found_by_arn() {
        let account = AccountId::new(3).unwrap();
        let role = |arn| Role::parse(arn);
        assert_eq!(role("arn:aws:iam::000000000003:role/pull"), Some(Role { account, name: "pull" }));
        assert_eq!(role("arn:aws:iam::000000000003:role/ci/x/pull"), Some(Role { account, name: "pull" }));
        for arn in [
            "arn:aws:iam::123456789012:role/pull",
            "arn:aws:iam::000000000003:role/",
            "arn:aws:iam::000000000003:role//pull",
            "arn:aws:iam::000000000003:user/pull",
            "pull",
        ] {
            assert_eq!(role(arn), None, "{arn}");
        }
    }

    #[test]
    fn sessions_last_as_long_as_asked_within_bounds() {
        let user = Principal::user(AccountId::default(), "user");
        let session = Principal::role_session(AccountId::default(), "first", "name");
        let lifetime = |text: &str, caller| session_lifetime(Some(&text.to_owned()), caller).ok();
        assert_eq!(session_lifetime(None, &user).unwrap(), Duration::hours(1));
        assert_eq!(lifetime("900", &user), Some(Duration::minutes(15)));
        assert_eq!(lifetime("43200", &user), Some(Duration::hours(12)));
        for text in ["899", "43201", "", "1e3", "-900"] {
            assert_eq!(lifetime(text, &user), None, "{text}");
        }
        assert_eq!(lifetime("3600", &session), Some(Duration::hours(1)));
        assert_eq!(lifetime("3601", &session), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_role_or_none(text in any::<String>()) {
            let _ = (Role::parse(&text), is_session_name(&text));
        }
    }
}
