//! What the user can do where there is no token.

use super::error::{METADATA_OFF, NO_ROLE, NO_TOKEN};
use super::{Attempt, TokenError};

/// Where the SDK keeps the tokens of logins, and what the system says where there is none.
const SSO_FILE: &str = "/sso/cache/";
const NO_FILE: &str = "No such file";

impl TokenError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoIdentity { .. } if self.is_unanswered_metadata() => {
                "the instance's metadata service did not answer: in a container, raise the hop limit with \
                 `aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2 --instance-id ID`, or give \
                 this process another identity"
            }
            Self::NoIdentity { .. } if self.is_attempt(NO_ROLE) => {
                "attach a role to the instance with `aws ec2 associate-iam-instance-profile --iam-instance-profile \
                 Name=NAME --instance-id ID`, or give this process another identity"
            }
            Self::NoIdentity { .. } if self.is_attempt(METADATA_OFF) => {
                "switch it on with `aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID`, \
                 or give this process another identity"
            }
            Self::NoIdentity { only: Some(only), .. } => return Some(only.hint()),
            Self::NoIdentity { .. } if self.attempts().iter().any(Attempt::is_of_named_profile) => {
                "give the profile credentials in the AWS files of the user of this process, or unset AWS_PROFILE"
            }
            Self::NoIdentity { .. } => {
                "give the process that runs this helper an identity: an instance or task role, AWS_PROFILE, \
                 AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY"
            }
            Self::BrokenIdentity { cause } if cause.ends_with(NO_TOKEN) => {
                "declare it under `id_tokens:` of the job; before a job, for its `image:`, there is no such token: there \
                 the runner needs an identity of its own"
            }
            Self::BrokenIdentity { cause } if cause.contains(SSO_FILE) && cause.contains(NO_FILE) => {
                "log in with `aws sso login`, as the user and with the profile of this process"
            }
            Self::BrokenIdentity { .. } | Self::ProcessTimedOut { .. } => {
                "check with `aws sts get-caller-identity`, as the user and with the environment of this process"
            }
            Self::ExpiredIdentity { .. } => {
                "log in again or set fresh credentials; those of a role are renewed by themselves"
            }
            Self::ExpiredLogin { profile, .. } => {
                return Some(format!("log in again: `aws sso login --profile {profile}`"));
            }
            Self::AccessDenied { failure } if failure.operation == "AssumeRoleWithWebIdentity" => {
                "let the role's trust policy allow `sts:AssumeRoleWithWebIdentity` to the token's issuer, which the account \
                 must know as an identity provider, with the token's `aud` and `sub` (`ecru emit trust-policy` prints one)"
            }
            Self::AccessDenied { failure } if failure.operation.starts_with("AssumeRole") => {
                "name the principal in the role's trust policy, with its external ID or the token's `sub` if it asks \
                 for one, and let the principal do `sts:AssumeRole` on the role"
            }
            Self::AccessDenied { .. } => {
                "let the principal do `ecr:GetAuthorizationToken` on resource `*` (for ECR Public \
                 `ecr-public:GetAuthorizationToken` and `sts:GetServiceBearerToken`)"
            }
            Self::InvalidIdentity { .. } => {
                "check with `aws sts get-caller-identity`, and that the region is enabled for the account"
            }
            Self::ClockSkew { .. } => "set the clock: `timedatectl set-ntp true`",
            Self::WrongRegion { .. } => {
                "check the region in the registry's name, that it is enabled for the account (`aws account \
                 list-regions`), and that AWS_ENDPOINT_URL and its like name endpoints of that region"
            }
            Self::Throttled { .. } => {
                "wait a minute and try again, and leave AWS_ECR_DISABLE_CACHE unset, so that processes share one request"
            }
            Self::ServiceFailure { .. } => "try again later; see https://health.aws.amazon.com/health/status",
            Self::Refused { failure } if failure.request_id.is_some() => {
                "ask AWS Support with the number of the request"
            }
            Self::Refused { .. } => {
                "check AWS_ENDPOINT_URL and its like, and whether a proxy answers in AWS's place"
            }
            Self::MalformedAnswer { .. } => {
                "check AWS_ENDPOINT_URL and its like, and whether a proxy answers in AWS's place"
            }
            Self::Unreachable { endpoint, .. } if endpoint.starts_with("sts.") => {
                "check the route to AWS: DNS, security group, HTTPS_PROXY, NO_PROXY, or the VPC endpoint for `sts`, and the \
                 region in AWS_REGION"
            }
            // ECS and EKS: their addresses are fixed.
            Self::Unreachable { endpoint, .. } if endpoint.starts_with("169.254.170.") => {
                "check that this is a task or pod with a role, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI"
            }
            Self::Unreachable { .. } => {
                "check the route to AWS: the region in the registry's name, DNS, security group, HTTPS_PROXY, NO_PROXY, \
                 or the VPC endpoint for `ecr.api`"
            }
            Self::Tls { .. } => {
                "name the file with your proxy's or endpoint's root certificate in AWS_CA_BUNDLE"
            }
            Self::TimedOut { .. } => "check the route to AWS, or allow more seconds with ECRU_TIMEOUT",
            Self::Forbidden(error) => return error.hint(),
            Self::Shared { hint, .. } => return hint.clone(),
            // The sentence names the setting to mend.
            Self::Configuration { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
