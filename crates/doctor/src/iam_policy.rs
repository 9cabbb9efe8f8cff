//! The IAM policies that pulls and pushes need: exactly these actions, on exactly these repositories.
//!
//! The actions are those of Amazon ECR's pages "IAM permissions for pushing an image", "Private registry
//! authentication" and "Using pull through cache rules", and of Amazon ECR Public's "Registry authentication".

use std::collections::BTreeSet;

use ecru_ecr::registry::Registry;
use serde_json::{Value, json};

/// What a principal is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pull images.
    Pull,
    /// Push images.
    Push,
    /// Pull through a cache, which makes repositories at the first pull.
    PullThrough,
    /// Pull from ECR Public with a password, which raises its limits.
    Public,
}

const PULL: &[&str] = &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
const PUSH: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];
const PULL_THROUGH: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
    "ecr:GetDownloadUrlForLayer",
];
const TOKEN: &[&str] = &["ecr:GetAuthorizationToken"];
const PUBLIC: &[&str] = &["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"];

impl Purpose {
    /// The actions on repositories; ECR Public lets everybody read.
    #[must_use]
    pub fn repository_actions(self) -> &'static [&'static str] {
        match self {
            Self::Pull => PULL,
            Self::Push => PUSH,
            Self::PullThrough => PULL_THROUGH,
            Self::Public => &[],
        }
    }

    /// The actions for a password, which IAM cannot narrow to resources.
    #[must_use]
    pub fn token_actions(self) -> &'static [&'static str] {
        match self {
            Self::Pull | Self::Push | Self::PullThrough => TOKEN,
            Self::Public => PUBLIC,
        }
    }
}

/// The policy for `purpose` on the repositories called `repositories` (all, if none is named; `*` is any text) of
/// `registries`.
#[must_use]
pub fn policy(purpose: Purpose, registries: &[Registry], repositories: &[String]) -> Value {
    let mut statements = vec![statement("Token", purpose.token_actions(), &["*".to_owned()])];
    let resources = resources(registries, repositories);
    if !purpose.repository_actions().is_empty() && !resources.is_empty() {
        statements.push(statement("Repositories", purpose.repository_actions(), &resources));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The policy to pull from `registries`, public ones among them.
#[must_use]
pub fn pull_policy(registries: &[Registry]) -> Value {
    let private: Vec<Registry> = registries.iter().filter(|one| !one.is_public()).cloned().collect();
    let mut statements = Vec::new();
    if !private.is_empty() {
        statements.push(statement("Token", TOKEN, &["*".to_owned()]));
        statements.push(statement("Repositories", PULL, &resources(&private, &[])));
    }
    if private.len() < registries.len() {
        statements.push(statement("Public", PUBLIC, &["*".to_owned()]));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn statement(id: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({ "Sid": id, "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn resources(registries: &[Registry], repositories: &[String]) -> Vec<String> {
    let all = ["*".to_owned()];
    let repositories = if repositories.is_empty() { &all[..] } else { repositories };
    let mut resources = BTreeSet::new();
    for registry in registries {
        let Some(account) = registry.account() else { continue };
        for repository in repositories {
            let (partition, region) = (registry.partition().name(), registry.region());
            resources.insert(format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"));
        }
    }
    resources.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_repositories_of_each_registry() {
        let registries = [
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
            "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn",
        ]
        .map(|host| Registry::parse(host).unwrap());
        let policy = policy(Purpose::Pull, &registries, &["team/*".to_owned()]);
        assert_eq!(
            policy["Statement"][1]["Resource"],
            json!([
                "arn:aws-cn:ecr:cn-north-1:444455556666:repository/team/*",
                "arn:aws:ecr:eu-west-1:111122223333:repository/team/*"
            ])
        );
        assert_eq!(policy["Statement"][0]["Resource"], json!(["*"]));
    }

    #[test]
    fn ecr_public_needs_a_bearer_token_and_no_repository() {
        let public = [Registry::parse("public.ecr.aws").unwrap()];
        let expected = json!(["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]);
        for policy in [policy(Purpose::Public, &public, &[]), pull_policy(&public)] {
            assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
            assert_eq!(policy["Statement"][0]["Action"], expected);
        }
    }
}
