//! Who may do what: IAM's policies and their evaluation.
//!
//! Every API call and every request below `/v2/` is decided here, by the policies as they are at that moment: a
//! registry password stands for a principal, not for permissions that it once had.

pub(crate) mod condition;
mod evaluate;
pub(crate) mod fuzzing;
mod identities;
pub(crate) mod managed;
mod pattern;
pub(crate) mod policy;

use std::fmt::Display;

use crate::accounts::{AccountId, Registry};
use crate::cloud::Cloud;
use crate::oidc::WebIdentity;
use crate::principals::Principal;
use crate::store::RepositoryKey;
use condition::{Context, Tags};
pub(crate) use evaluate::PrincipalNames;
use evaluate::{Asked, Kind, Policies, Refusal, ResourceKind, decide, trusts};
pub(crate) use identities::{Identities, IdentityName, InvalidIdentity};
use policy::Policy;

/// A refusal in the words of IAM ("Troubleshoot access denied error messages", IAM user guide).
#[derive(Debug, thiserror::Error)]
#[error("User: {principal} is not authorized to perform: {action} on resource: {resource} {}", reason(*.refusal, .action))]
pub(crate) struct Denied {
    principal: String,
    action: &'static str,
    resource: String,
    refusal: Refusal,
}

fn reason(refusal: Refusal, action: &str) -> String {
    match refusal {
        Refusal::Explicit(Kind::RoleTrust) => "with an explicit deny in the role trust policy".into(),
        Refusal::Explicit(kind) => {
            let article = if kind == Kind::IdentityBased { "an" } else { "a" };
            format!("with an explicit deny in {article} {kind} policy")
        }
        Refusal::Implicit(kind) => format!("because no {kind} policy allows the {action} action"),
    }
}

/// Whether `principal` may perform `action` (such as `ecr:BatchGetImage`) on a repository, which need not exist.
pub(crate) fn authorize_on_repository(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    key: &RepositoryKey,
) -> Result<(), Denied> {
    let repository = cloud.store.find(key);
    let own = repository.as_ref().and_then(|repository| repository.policy.as_ref());
    let tags = repository.as_ref().map(|repository| repository.tags_of_resource.clone()).unwrap_or_default();
    authorize(cloud, principal, action, Resource::in_registry(&key.registry, &key.name, own, tags))
}

/// Whether `principal` may perform `action` on whatever repositories a registry has.
pub(crate) fn authorize_on_registry(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    registry: &Registry,
) -> Result<(), Denied> {
    authorize(cloud, principal, action, Resource::in_registry(registry, "*", None, Tags::new()))
}

/// Whether `principal` may perform an action that has no resource, such as `ecr:GetAuthorizationToken`.
pub(crate) fn authorize_as_identity(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    resource: &str,
) -> Result<(), Denied> {
    authorize(cloud, principal, action, Resource::unowned(resource))
}

/// Whether `principal` may perform `action` (`sts:AssumeRole`, `sts:TagSession`) on a role. One without a trust policy
/// trusts everybody.
pub(crate) fn authorize_on_role(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    account: AccountId,
    role: &str,
    arn: &str,
) -> Result<(), Denied> {
    let attachments = cloud.identities.called(account, IdentityName::Role(role.into()));
    match &attachments.trust {
        None => authorize_as_identity(cloud, principal, action, arn),
        Some(trust) => {
            let resource = Resource {
                own_policy: Some(trust),
                account: Some(account),
                kind: ResourceKind::TrustingRole,
                ..Resource::unowned(arn)
            };
            authorize(cloud, principal, action, resource)
        }
    }
}

/// Whether a role of the account that vouches for `identity` lets it in.
pub(crate) fn role_trusts(cloud: &Cloud, role: &str, identity: &WebIdentity) -> bool {
    let attachments = cloud.identities.called(identity.account, IdentityName::Role(role.into()));
    let context = Context { web_identity: Some(identity), ..Context::default() };
    attachments.trust.as_ref().is_none_or(|trust| {
        trusts(trust, &identity.provider_arn(), "sts:AssumeRoleWithWebIdentity", &context)
    })
}

struct Resource<'a> {
    arn: String,
    /// Whose it is, if it is anybody's.
    account: Option<AccountId>,
    /// Whether it is a repository, which the emulator can share with all accounts.
    is_in_registry: bool,
    own_policy: Option<&'a Policy>,
    kind: ResourceKind,
    tags: Tags,
}

impl<'a> Resource<'a> {
    fn unowned(arn: &str) -> Self {
        Self {
            arn: arn.into(),
            account: None,
            is_in_registry: false,
            own_policy: None,
            kind: ResourceKind::Usual,
            tags: Tags::new(),
        }
    }

    fn in_registry(
        registry: &Registry,
        name: impl Display,
        own_policy: Option<&'a Policy>,
        tags: Tags,
    ) -> Self {
        let account = Some(registry.account());
        let arn = registry.repository_arn(name);
        Self { account, is_in_registry: true, own_policy, tags, ..Self::unowned(&arn) }
    }
}

fn authorize(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    resource: Resource,
) -> Result<(), Denied> {
    let identity = cloud.identities.of(principal);
    let mut principal_tags = identity.tags.clone();
    principal_tags.extend(principal.session_tags.clone());
    let for_all_repositories =
        cloud.identities.shared_with_other_accounts().filter(|_| resource.is_in_registry);
    let of_resource: Vec<&Policy> = resource.own_policy.into_iter().chain(for_all_repositories).collect();
    let names = principal.names();
    let asked = Asked {
        principal: &names,
        action,
        resource: &resource.arn,
        same_account: resource.account.is_none_or(|account| account == principal.account),
        context: Context {
            principal_arn: Some(names.role_arn.as_deref().unwrap_or(&names.arn)),
            principal_account: Some(&names.account),
            principal_tags,
            resource_tags: resource.tags,
            web_identity: None,
        },
    };
    let policies = Policies {
        identity: &identity.policies,
        session: &principal.session_policies,
        resource: &of_resource,
        kind_of_resource: resource.kind,
    };
    decide(policies, &asked).map_err(|refusal| Denied {
        principal: principal.arn.clone(),
        action,
        resource: resource.arn.clone(),
        refusal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_the_kind_of_policy_that_failed() {
        let denied = |refusal| {
            Denied { principal: "arn".into(), action: "ecr:PutImage", resource: "*".into(), refusal }
                .to_string()
        };
        let start = "User: arn is not authorized to perform: ecr:PutImage on resource: *";
        for (refusal, end) in [
            (
                Refusal::Implicit(Kind::IdentityBased),
                "because no identity-based policy allows the ecr:PutImage action",
            ),
            (Refusal::Implicit(Kind::Session), "because no session policy allows the ecr:PutImage action"),
            (
                Refusal::Implicit(Kind::ResourceBased),
                "because no resource-based policy allows the ecr:PutImage action",
            ),
            (Refusal::Explicit(Kind::IdentityBased), "with an explicit deny in an identity-based policy"),
            (Refusal::Explicit(Kind::Session), "with an explicit deny in a session policy"),
            (
                Refusal::Implicit(Kind::RoleTrust),
                "because no role trust policy allows the ecr:PutImage action",
            ),
            (Refusal::Explicit(Kind::RoleTrust), "with an explicit deny in the role trust policy"),
        ] {
            assert_eq!(denied(refusal), format!("{start} {end}"));
        }
    }
}
