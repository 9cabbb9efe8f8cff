//! Who may do what: IAM's policies and their evaluation.
//!
//! Every API call and every request below `/v2/` is decided here, by the policies as they are at that moment: a
//! registry password stands for a principal, not for permissions that it once had.

pub(crate) mod condition;
mod evaluate;
pub(crate) mod fuzzing;
mod identities;
mod pattern;
pub(crate) mod policy;

use std::fmt::Display;

use crate::accounts::Registry;
use crate::cloud::Cloud;
use crate::principals::Principal;
use crate::store::RepositoryKey;
use condition::{Context, Tags};
pub(crate) use evaluate::PrincipalNames;
use evaluate::{Asked, Kind, Policies, Refusal, decide};
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

/// Whether `principal` may perform an action that has no resource, such as `ecr:GetAuthorizationToken`, or whose
/// resource trusts everybody, as roles do.
pub(crate) fn authorize_as_identity(
    cloud: &Cloud,
    principal: &Principal,
    action: &'static str,
    resource: &str,
) -> Result<(), Denied> {
    let resource = Resource { arn: resource.into(), registry: None, own_policy: None, tags: Tags::new() };
    authorize(cloud, principal, action, resource)
}

struct Resource<'a> {
    arn: String,
    /// The registry that it is in, if it is in one.
    registry: Option<&'a Registry>,
    own_policy: Option<&'a Policy>,
    tags: Tags,
}

impl<'a> Resource<'a> {
    fn in_registry(
        registry: &'a Registry,
        name: impl Display,
        own_policy: Option<&'a Policy>,
        tags: Tags,
    ) -> Self {
        Self { arn: registry.repository_arn(name), registry: Some(registry), own_policy, tags }
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
        cloud.identities.shared_with_other_accounts().filter(|_| resource.registry.is_some());
    let of_resource: Vec<&Policy> = resource.own_policy.into_iter().chain(for_all_repositories).collect();
    let names = principal.names();
    let asked = Asked {
        principal: &names,
        action,
        resource: &resource.arn,
        same_account: resource.registry.is_none_or(|registry| registry.account() == principal.account),
        context: Context {
            principal_arn: names.role_arn.as_deref().unwrap_or(&names.arn),
            principal_account: &names.account,
            principal_tags,
            resource_tags: resource.tags,
        },
    };
    let policies = Policies {
        identity: &identity.policies,
        session: principal.session_policy.as_ref(),
        resource: &of_resource,
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
        ] {
            assert_eq!(denied(refusal), format!("{start} {end}"));
        }
    }
}
