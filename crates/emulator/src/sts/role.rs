//! Names of roles and of their sessions.

use super::violation;
use crate::accounts::AccountId;
use crate::aws_query::QueryError;

/// A role, by `arn:aws:iam::<account>:role/[<path>/]<name>`. Sessions of it are named without the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role<'a> {
    pub(super) account: AccountId,
    pub(super) name: &'a str,
}

impl<'a> Role<'a> {
    /// The role, if it is in an emulated account.
    pub(super) fn parse(arn: &'a str) -> Option<Self> {
        let (account, path) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
        let name = path.rsplit('/').next()?;
        path.split('/').all(is_name).then_some(Self { account: account.parse().ok()?, name })
    }
}

/// Whether a role can have this name.
pub(crate) fn is_role_name(name: &str) -> bool {
    name.len() <= 64 && is_name(name)
}

pub(super) fn check_session_name(name: &str) -> Result<(), QueryError> {
    if (2..=64).contains(&name.len()) && is_name(name) {
        return Ok(());
    }
    let pattern = "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}";
    Err(violation("RoleSessionName", name, pattern))
}

/// Letters of role and session names (IAM user guide, name requirements).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
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

    proptest! {
        #[test]
        fn any_text_is_a_role_or_none(text in any::<String>()) {
            let _ = (Role::parse(&text), check_session_name(&text));
        }
    }
}
