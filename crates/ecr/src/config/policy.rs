//! Which registries may be asked for at all.

use crate::glob;
use crate::registry::Registry;

/// The `[policy]` of the system's file. Where there is none, everything may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub(super) accounts: Option<Vec<String>>,
    pub(super) regions: Option<Vec<String>>,
    pub(super) public: bool,
}

/// Why the policy forbids a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Its account is not among those that are allowed.
    #[error("the policy of this machine does not allow the account {account}")]
    Account {
        /// The account.
        account: String,
    },
    /// Its region is not among those that are allowed.
    #[error("the policy of this machine does not allow the region {region}")]
    Region {
        /// The region.
        region: String,
    },
    /// No account is allowed.
    #[error("the policy of this machine allows no account")]
    NoAccount,
    /// ECR Public is not allowed.
    #[error("the policy of this machine does not allow ECR Public")]
    Public,
}

impl PolicyError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(format!("ask this machine's administrator to change [policy] in {}", super::SYSTEM_FILE))
    }
}

impl Policy {
    /// Makes sure that `registry` may be asked for.
    ///
    /// # Errors
    /// If it may not.
    pub fn permit(&self, registry: &Registry) -> Result<(), PolicyError> {
        let Some(account) = registry.account() else {
            return if self.public { Ok(()) } else { Err(PolicyError::Public) };
        };
        if self.accounts.as_ref().is_some_and(|allowed| !allowed.iter().any(|other| other == account)) {
            return Err(PolicyError::Account { account: account.to_owned() });
        }
        self.permit_region(registry.region())
    }

    /// Makes sure that a private registry in `region` may be asked for, whose account is not known yet.
    ///
    /// # Errors
    /// If none may.
    pub fn permit_own(&self, region: &str) -> Result<(), PolicyError> {
        if self.accounts.as_ref().is_some_and(Vec::is_empty) {
            return Err(PolicyError::NoAccount);
        }
        self.permit_region(region)
    }

    fn permit_region(&self, region: &str) -> Result<(), PolicyError> {
        match &self.regions {
            Some(allowed) if !allowed.iter().any(|other| glob::matches(other, region)) => {
                Err(PolicyError::Region { region: region.to_owned() })
            }
            _ => Ok(()),
        }
    }
}
