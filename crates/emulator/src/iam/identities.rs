//! The policies and tags of users and roles.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::condition::Tags;
use super::policy::{Attached, Policy, PolicyError};
use crate::accounts::AccountId;
use crate::options::{CrossAccount, Identity};
use crate::principals::Principal;

/// A user or a role of some account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdentityName {
    User(String),
    Role(String),
}

/// What is attached to a user or a role.
#[derive(Debug)]
pub(crate) struct Attachments {
    pub(super) policies: Vec<Policy>,
    pub(super) tags: Tags,
    /// Who may assume it, if it is a role that does not trust everybody.
    pub(super) trust: Option<Policy>,
}

/// A policy of a user or a role that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the policy of {kind} `{name}` in account {account} cannot be used")]
pub(crate) struct InvalidIdentity {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) source: PolicyError,
}

/// All users and roles. One that was not described may do everything that its account may.
pub(crate) struct Identities {
    described: RwLock<HashMap<(AccountId, IdentityName), Arc<Attachments>>>,
    others: Arc<Attachments>,
    shared: Option<Policy>,
}

impl Identities {
    pub(crate) fn new(
        users: &[Identity],
        roles: &[Identity],
        cross_account: CrossAccount,
    ) -> Result<Self, InvalidIdentity> {
        let invalid = |kind, name: &str, account| {
            let name = name.to_owned();
            move |source| InvalidIdentity { kind, name, account, source }
        };
        let everybody = || invalid("role", "*", AccountId::default());
        let others = Attachments {
            policies: vec![everything().map_err(everybody())?],
            tags: Tags::new(),
            trust: None,
        };
        let shared = match cross_account {
            CrossAccount::Allow => Some(to_all_accounts().map_err(everybody())?),
            CrossAccount::Deny => None,
        };
        let identities = Self { described: RwLock::default(), others: Arc::new(others), shared };
        for user in users {
            let name = IdentityName::User(user.name.clone());
            identities.set(name, user).map_err(invalid("user", &user.name, user.account))?;
        }
        for role in roles {
            let name = IdentityName::Role(role.name.clone());
            identities.set(name, role).map_err(invalid("role", &role.name, role.account))?;
        }
        Ok(identities)
    }

    /// Replaces what is attached to a user or a role, for all who act as it already too.
    pub(crate) fn set(&self, name: IdentityName, identity: &Identity) -> Result<(), PolicyError> {
        let parse = |text: &String| Policy::attached(text, Attached::Identity);
        let policies = identity.policies.iter().map(parse).collect::<Result<_, _>>()?;
        let trust = match (&name, &identity.trust_policy) {
            (_, None) => None,
            (IdentityName::Role(_), Some(text)) => Some(Policy::attached(text, Attached::Role)?),
            (IdentityName::User(_), Some(_)) => {
                return Err(PolicyError::WrongKind("a user has no trust policy"));
            }
        };
        let attachments = Attachments { policies, tags: identity.tags.clone(), trust };
        let mut described = self.described.write().unwrap_or_else(PoisonError::into_inner);
        described.insert((identity.account, name), Arc::new(attachments));
        Ok(())
    }

    pub(super) fn of(&self, principal: &Principal) -> Arc<Attachments> {
        self.called(principal.account, principal.identity.clone())
    }

    pub(super) fn called(&self, account: AccountId, name: IdentityName) -> Arc<Attachments> {
        let described = self.described.read().unwrap_or_else(PoisonError::into_inner);
        described.get(&(account, name)).unwrap_or(&self.others).clone()
    }

    /// What each repository's policy says besides its own text.
    pub(super) fn shared_with_other_accounts(&self) -> Option<&Policy> {
        self.shared.as_ref()
    }
}

/// The managed policy AdministratorAccess.
fn everything() -> Result<Policy, PolicyError> {
    let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string().parse()
}

/// Names accounts, not everybody: so it adds nothing for principals of the repository's own account.
fn to_all_accounts() -> Result<Policy, PolicyError> {
    let accounts: Vec<String> =
        (0..=u8::MAX).map_while(AccountId::new).map(|account| account.to_string()).collect();
    let statement = json!({ "Effect": "Allow", "Action": "ecr:*", "Principal": { "AWS": accounts } });
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string().parse()
}
