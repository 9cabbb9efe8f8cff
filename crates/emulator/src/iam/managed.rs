//! Managed policies of AWS, by ARN. What they allow is what the AWS managed policy reference shows: version 1 of
//! PullOnly, version 3 of ReadOnly and of PowerUser.

use serde_json::json;

use super::policy::{Attached, Policy, PolicyError};

const PULL: [&str; 4] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchImportUpstreamImage",
];

const READ: [&str; 12] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];

/// What a power user may do besides reading.
const PUSH: [&str; 4] =
    ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];

/// The policy with this ARN, if it is one that the emulator has.
pub(crate) fn policy(arn: &str) -> Result<Option<Policy>, PolicyError> {
    let Some(actions) = arn.strip_prefix("arn:aws:iam::aws:policy/").and_then(actions) else {
        return Ok(None);
    };
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let text = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    Policy::attached(&text, Attached::Identity).map(Some)
}

fn actions(name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "AmazonEC2ContainerRegistryPullOnly" => PULL.to_vec(),
        "AmazonEC2ContainerRegistryReadOnly" => READ.to_vec(),
        "AmazonEC2ContainerRegistryPowerUser" => [READ.as_slice(), &PUSH].concat(),
        // The one of AWS also allows `cloudtrail:LookupEvents` and `iam:CreateServiceLinkedRole` ("AWS managed policies
        // for Amazon Elastic Container Registry", Amazon ECR user guide): services that are not emulated.
        "AmazonEC2ContainerRegistryFullAccess" => vec!["ecr:*"],
        "AdministratorAccess" => vec!["*"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_managed_policy_is_known_by_its_whole_arn() {
        for name in ["PullOnly", "ReadOnly", "PowerUser", "FullAccess"] {
            let arn = format!("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistry{name}");
            assert!(policy(&arn).unwrap().is_some(), "{arn}");
            assert_eq!(policy(&format!("{arn}2")), Ok(None));
        }
        assert_eq!(policy("arn:aws:iam::000000000000:policy/AdministratorAccess"), Ok(None));
        assert_eq!(policy("AdministratorAccess"), Ok(None));
    }
}
