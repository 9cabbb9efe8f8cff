//! A door to the evaluation of policies, for the fuzz targets only.

use super::condition::{Context, Tags};
use super::evaluate::{Asked, Policies, PrincipalNames, ResourceKind, decide};
use super::policy::{Attached, Policy};

const ACCOUNT: &str = "000000000000";
const ARN: &str = "arn:aws:iam::000000000000:user/ecru";

/// Whether a policy, attached to a user or to a repository of the same account, allows the user an action on a
/// resource; an error if it is no policy for that place.
pub fn is_allowed(text: &str, of_repository: bool, action: &str, resource: &str) -> Result<bool, String> {
    let attached = if of_repository { Attached::Repository } else { Attached::Identity };
    let policy = Policy::attached(text, attached).map_err(|error| error.to_string())?;
    let names = PrincipalNames { arn: ARN.into(), role_arn: None, account: ACCOUNT.into() };
    let asked = Asked {
        principal: &names,
        action,
        resource,
        same_account: true,
        context: Context {
            principal_arn: Some(ARN),
            principal_account: Some(ACCOUNT),
            web_identity: None,
            principal_tags: Tags::from([("team".into(), "a".into())]),
            resource_tags: Tags::from([("team".into(), "a".into())]),
        },
    };
    let (of_identity, of_resource) =
        if of_repository { (vec![], vec![&policy]) } else { (vec![policy.clone()], vec![]) };
    let policies = Policies {
        identity: &of_identity,
        session: &[],
        resource: &of_resource,
        kind_of_resource: ResourceKind::Usual,
    };
    Ok(decide(policies, &asked).is_ok())
}
