//! Who may do what to a repository: for now only a switch between accounts, where IAM policies will decide.

use std::fmt::Display;

use crate::accounts::RegistryId;
use crate::options::CrossAccount;
use crate::principals::Principal;

/// A refusal in the words of IAM for a request between accounts.
#[derive(Debug, thiserror::Error)]
#[error(
    "User: {principal} is not authorized to perform: {action} on resource: {resource} \
     because no resource-based policy allows the {action} action"
)]
pub(crate) struct Denied {
    principal: String,
    action: &'static str,
    resource: String,
}

/// Whether `principal` may perform `action` (such as `ecr:BatchGetImage`) on a repository, which need not exist.
pub(crate) fn authorize(
    rule: CrossAccount,
    principal: &Principal,
    action: &'static str,
    registry: &RegistryId,
    repository: impl Display,
) -> Result<(), Denied> {
    if principal.account == registry.account || rule == CrossAccount::Allow {
        return Ok(());
    }
    let resource = registry.repository_arn(repository);
    Err(Denied { principal: principal.arn.clone(), action, resource })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountId;

    #[test]
    fn only_the_switch_and_another_account_deny() {
        let principal = Principal::role_session(AccountId::new(1).unwrap(), "pull", "job");
        let decide = |rule, account| {
            let registry = RegistryId { account: AccountId::new(account).unwrap(), ..RegistryId::default() };
            authorize(rule, &principal, "ecr:BatchGetImage", &registry, "team/app")
        };
        assert!(decide(CrossAccount::Allow, 2).is_ok());
        assert!(decide(CrossAccount::Deny, 1).is_ok());
        assert_eq!(
            decide(CrossAccount::Deny, 2).unwrap_err().to_string(),
            "User: arn:aws:sts::000000000001:assumed-role/pull/job is not authorized to perform: \
             ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000002:repository/team/app \
             because no resource-based policy allows the ecr:BatchGetImage action"
        );
    }
}
