//! Whether policies allow a request ("Policy evaluation logic", IAM user guide). Pure: policies in, a decision out.

use std::fmt;

use super::condition::Context;
use super::policy::{Policy, Statement};

/// A kind of policy, as IAM's messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    IdentityBased,
    Session,
    ResourceBased,
    /// The resource-based policy of a role, which IAM's messages call by a name of its own.
    RoleTrust,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityBased => "identity-based",
            Self::Session => "session",
            Self::ResourceBased => "resource-based",
            Self::RoleTrust => "role trust",
        })
    }
}

/// Why a request is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A statement denies it. Nothing outweighs that.
    Explicit(Kind),
    /// Nothing of this kind allows it.
    Implicit(Kind),
}

/// Everything that has a say in one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policies<'a> {
    pub(crate) identity: &'a [Policy],
    /// What narrows the session, if something does.
    pub(crate) session: &'a [Policy],
    pub(crate) resource: &'a [&'a Policy],
    pub(crate) kind_of_resource: ResourceKind,
}

/// What the say of a resource's own policy is within one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    /// It may allow, or leave that to the policies of identities.
    Usual,
    /// Nobody assumes a role that its trust policy does not allow to (IAM user guide, policy evaluation logic).
    TrustingRole,
}

/// A principal by the names that a resource-based policy can call it.
#[derive(Debug, Clone)]
pub(crate) struct PrincipalNames {
    /// Of the user or of the role's session.
    pub(crate) arn: String,
    /// Of the role, if the principal is a session of one.
    pub(crate) role_arn: Option<String>,
    pub(crate) account: String,
}

/// One action on one resource.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) principal: &'a PrincipalNames,
    /// Such as `ecr:BatchGetImage`.
    pub(crate) action: &'a str,
    /// An ARN, or `*` for actions that have no resource.
    pub(crate) resource: &'a str,
    /// Whether the resource is in the principal's own account.
    pub(crate) same_account: bool,
    pub(crate) context: Context<'a>,
}

/// How directly a resource-based policy names the principal that it allows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    /// By its account, which thereby may delegate.
    Account,
    /// By its role.
    Role,
    /// By itself, or as everybody.
    Itself,
}

/// Decides as IAM does, permissions boundaries and organizations aside.
///
/// Within one account, an Allow of either side is enough. If a resource-based policy names the user or the session
/// itself, not even the implicit denial of a session policy stands against it; if it names the role, a session
/// policy does ("How IAM roles and resource-based policies interact with implicit denials", IAM user guide). Between
/// accounts, both sides must allow.
pub(crate) fn decide(policies: Policies, asked: &Asked) -> Result<(), Refusal> {
    let action = asked.action.to_ascii_lowercase();
    let concerns = |statement: &&Statement| statement.concerns(&action, asked.resource, &asked.context);
    let grant_of = |statement: &Statement| {
        statement.principals().iter().filter_map(|named| grant(named, asked.principal)).max()
    };
    let of_identity = || policies.identity.iter().flat_map(Policy::statements).filter(concerns);
    let of_session = || policies.session.iter().flat_map(Policy::statements).filter(concerns);
    let of_resource = || {
        let statements = policies.resource.iter().flat_map(|policy| policy.statements()).filter(concerns);
        statements.filter_map(|statement| Some((statement.allows, grant_of(statement)?)))
    };

    if of_identity().any(|statement| !statement.allows) {
        return Err(Refusal::Explicit(Kind::IdentityBased));
    }
    if of_session().any(|statement| !statement.allows) {
        return Err(Refusal::Explicit(Kind::Session));
    }
    let (kind, own_policy_must_allow) = match policies.kind_of_resource {
        ResourceKind::Usual => (Kind::ResourceBased, !asked.same_account),
        ResourceKind::TrustingRole => (Kind::RoleTrust, true),
    };
    if of_resource().any(|(allows, _)| !allows) {
        return Err(Refusal::Explicit(kind));
    }

    let identity_allows = of_identity().next().is_some();
    let session_allows = policies.session.is_empty() || of_session().next().is_some();
    let granted = of_resource().map(|(_, grant)| grant).max();
    let own_side = match granted.filter(|_| asked.same_account) {
        Some(Grant::Itself) => Ok(()),
        Some(Grant::Role) => allowed(session_allows, Kind::Session),
        Some(Grant::Account) | None => allowed(identity_allows, Kind::IdentityBased)
            .and_then(|()| allowed(session_allows, Kind::Session)),
    };
    own_side?;
    allowed(granted.is_some() || !own_policy_must_allow, kind)
}

/// Whether a trust policy lets those in whom an identity provider vouches for. There is no other side: such a caller
/// has no policies yet.
pub(crate) fn trusts(policy: &Policy, provider_arn: &str, action: &str, context: &Context) -> bool {
    let action = action.to_ascii_lowercase();
    let concerning = || {
        let statements = policy.statements().iter();
        statements.filter(|statement| {
            statement.names_provider(provider_arn) && statement.concerns(&action, "", context)
        })
    };
    concerning().next().is_some() && concerning().all(|statement| statement.allows)
}

fn allowed(allows: bool, kind: Kind) -> Result<(), Refusal> {
    if allows { Ok(()) } else { Err(Refusal::Implicit(kind)) }
}

/// How `named`, an element of `Principal`, names the principal, if it does.
fn grant(named: &str, principal: &PrincipalNames) -> Option<Grant> {
    if named == "*" || named == principal.arn {
        return Some(Grant::Itself);
    }
    if Some(named) == principal.role_arn.as_deref() {
        return Some(Grant::Role);
    }
    let account =
        named.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(named);
    (account == principal.account).then_some(Grant::Account)
}

#[cfg(test)]
mod tests;
