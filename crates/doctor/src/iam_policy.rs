//! The IAM policies that pulls and pushes need: exactly these actions, on exactly these repositories.
//!
//! The actions are those of Amazon ECR's pages "IAM permissions for pushing an image", "Private registry
//! authentication" and "Using pull through cache rules", and of Amazon ECR Public's "Registry authentication".

use std::collections::BTreeSet;

use ecru_ecr::registry::Registry;
use serde_json::{Value, json};

use crate::edit::ecru_config::Wanted;

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

/// The longest name of a repository.
const MAX_REPOSITORY_NAME: usize = 256;

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

/// Whether `text` is the name of a repository of ECR, in which `*` may stand for any text: lower-case letters, digits
/// and separators in parts between slashes ("CreateRepository", Amazon ECR API reference).
#[must_use]
pub fn is_repository_pattern(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/*".contains(&byte);
    (1..=MAX_REPOSITORY_NAME).contains(&text.len())
        && text.bytes().all(is_allowed)
        && text.split('/').all(|part| part.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte == b'*'))
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

/// The policy of an identity that pulls from registries, by itself where no role is named for one, else by the role,
/// which then needs [`pull_policy`] of that registry and a trust policy that lets this identity in.
#[must_use]
pub fn puller_policy(wanted: &[Wanted]) -> Value {
    let own = wanted.iter().filter(|one| one.role_arn.is_none()).map(|one| one.registry.clone());
    let mut policy = pull_policy(&own.collect::<Vec<_>>());
    let roles: BTreeSet<String> = wanted.iter().filter_map(|one| one.role_arn.clone()).collect();
    if let Some(statements) = policy["Statement"].as_array_mut().filter(|_| !roles.is_empty()) {
        statements.push(statement("Roles", &["sts:AssumeRole"], &roles.into_iter().collect::<Vec<_>>()));
    }
    policy
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
    fn whoever_pulls_by_a_role_only_assumes_it() {
        let wanted = |host: &str, role: Option<&str>| Wanted {
            registry: Registry::parse(host).unwrap(),
            role_arn: role.map(str::to_owned),
        };
        let role = "arn:aws:iam::444455556666:role/pull";
        let policy = puller_policy(&[
            wanted("111122223333.dkr.ecr.eu-west-1.amazonaws.com", None),
            wanted("444455556666.dkr.ecr.eu-west-1.amazonaws.com", Some(role)),
        ]);
        assert_eq!(
            policy["Statement"][1]["Resource"],
            json!(["arn:aws:ecr:eu-west-1:111122223333:repository/*"])
        );
        assert_eq!(policy["Statement"][2]["Action"], json!(["sts:AssumeRole"]));
        assert_eq!(policy["Statement"][2]["Resource"], json!([role]));
    }

    #[test]
    fn what_no_repository_can_be_called_is_no_pattern() {
        for pattern in ["app", "team/app", "team/*", "*", "a.b-c_d/e"] {
            assert!(is_repository_pattern(pattern), "{pattern}");
        }
        let long = "a".repeat(MAX_REPOSITORY_NAME + 1);
        for pattern in ["", "/", "a/", "/a", "a//b", "A", "a b", "a\"", "a:1", "${x}", "\u{e9}", &long] {
            assert!(!is_repository_pattern(pattern), "{pattern}");
        }
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
