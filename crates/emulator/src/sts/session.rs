//! Sessions of roles: how long they last, and how their keys are handed out.

use secrecy::ExposeSecret;
use time::Duration;

use super::role::Role;
use super::violation;
use crate::aws_query::{Output, QueryError};
use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::principals::{self, Principal, SessionKeys};

/// Bounds of `DurationSeconds` and its default (AWS STS API reference, AssumeRole).
const SHORTEST_SESSION: i64 = 900;
const LONGEST_SESSION: i64 = 43_200;
const DEFAULT_SESSION: i64 = 3_600;
/// The longest session of a role that another role's session assumes (IAM user guide, role chaining).
const LONGEST_CHAINED_SESSION: i64 = 3_600;

/// How long a session is to last, of a role that somebody with an AWS identity or without one assumes.
pub(super) fn lifetime(
    requested: Option<&String>,
    caller: Option<&Principal>,
) -> Result<Duration, QueryError> {
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
    if caller.is_some_and(Principal::is_role_session) && seconds > LONGEST_CHAINED_SESSION {
        return Err(QueryError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    Ok(Duration::seconds(seconds))
}

/// What narrows and marks a session.
pub(super) struct Scope {
    pub(super) policies: Vec<Policy>,
    pub(super) tags: Tags,
}

/// Opens a session of `role`.
pub(super) fn open(cloud: &Cloud, role: &Role, name: &str, scope: Scope, lifetime: Duration) -> SessionKeys {
    let principal = Principal {
        session_policies: scope.policies,
        session_tags: scope.tags,
        ..Principal::role_session(role.account, role.name, name)
    };
    cloud.principals.open_session(principal, lifetime, cloud.now(), &cloud.seal)
}

/// The elements that the answers to all calls for a session have.
pub(super) fn answer(output: Output, keys: &SessionKeys, role: &Role, name: &str) -> Output {
    let assumed_role_id = format!("{}:{name}", principals::role_id(role.account, role.name));
    let credentials = [
        ("AccessKeyId", keys.access_key_id.as_str()),
        ("SecretAccessKey", keys.secret_access_key.expose_secret()),
        ("SessionToken", keys.session_token.expose_secret()),
        ("Expiration", &rfc3339(keys.expires)),
    ];
    let user = [("AssumedRoleId", assumed_role_id.as_str()), ("Arn", keys.principal.arn.as_str())];
    output.group("Credentials", &credentials).group("AssumedRoleUser", &user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountId;

    #[test]
    fn sessions_last_as_long_as_asked_within_bounds() {
        let user = Principal::user(AccountId::default(), "user");
        let session = Principal::role_session(AccountId::default(), "first", "name");
        let asked = |text: &str, caller| lifetime(Some(&text.to_owned()), caller).ok();
        assert_eq!(lifetime(None, Some(&user)).unwrap(), Duration::hours(1));
        for caller in [Some(&user), None] {
            assert_eq!(asked("900", caller), Some(Duration::minutes(15)));
            assert_eq!(asked("43200", caller), Some(Duration::hours(12)));
            for text in ["899", "43201", "", "1e3", "-900"] {
                assert_eq!(asked(text, caller), None, "{text}");
            }
        }
        assert_eq!(asked("3600", Some(&session)), Some(Duration::hours(1)));
        assert_eq!(asked("3601", Some(&session)), None);
    }
}
