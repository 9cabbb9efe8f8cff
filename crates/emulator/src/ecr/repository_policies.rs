//! SetRepositoryPolicy, GetRepositoryPolicy and DeleteRepositoryPolicy.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Named;
use crate::aws_json::JsonError;
use crate::cloud::{Cloud, blocking};
use crate::iam::policy::{Attached, Policy, PolicyError};
use crate::sigv4::Caller;
use crate::store::RepositoryKey;

/// How long a policy may be, in characters (Amazon ECR API reference, SetRepositoryPolicy).
const MAX_POLICY: usize = 10_240;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetRepositoryPolicy {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    policy_text: String,
}

/// Replaces the policy. A policy that would lock its author out is accepted, as with `force`.
pub(super) async fn set(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: SetRepositoryPolicy,
) -> Result<Value, JsonError> {
    let (key, _) = find(&cloud, caller, "ecr:SetRepositoryPolicy", &input.named)?;
    let policy = parsed(&input.policy_text)?;
    replace(cloud, key.clone(), Some(policy)).await?;
    Ok(description(&key, &input.policy_text))
}

/// A policy for a repository.
pub(super) fn parsed(text: &str) -> Result<Policy, JsonError> {
    if text.chars().count() > MAX_POLICY {
        return Err(JsonError::invalid_parameter("policyText", "at most 10240 characters"));
    }
    Policy::attached(text, Attached::Repository).map_err(|error| match error {
        PolicyError::Unsupported(_) => JsonError::new("InvalidParameterException", error.to_string()),
        _ => JsonError::invalid_parameter("PolicyText", "Invalid repository policy provided"),
    })
}

pub(super) fn get(cloud: &Cloud, caller: &Caller, input: &Named) -> Result<Value, JsonError> {
    let (key, policy) = find(cloud, caller, "ecr:GetRepositoryPolicy", input)?;
    let policy = policy.ok_or_else(|| no_policy(&key))?;
    Ok(description(&key, policy.text()))
}

pub(super) async fn delete(cloud: Arc<Cloud>, caller: &Caller, input: Named) -> Result<Value, JsonError> {
    let (key, policy) = find(&cloud, caller, "ecr:DeleteRepositoryPolicy", &input)?;
    let policy = policy.ok_or_else(|| no_policy(&key))?;
    replace(cloud, key.clone(), None).await?;
    Ok(description(&key, policy.text()))
}

fn find(
    cloud: &Cloud,
    caller: &Caller,
    action: &'static str,
    named: &Named,
) -> Result<(RepositoryKey, Option<Policy>), JsonError> {
    let (key, repository) = named.find(cloud, caller, action)?;
    Ok((key, repository.policy.clone()))
}

async fn replace(cloud: Arc<Cloud>, key: RepositoryKey, policy: Option<Policy>) -> Result<(), JsonError> {
    let change = move || {
        cloud.store.change(&key, |repository| {
            repository.policy = policy;
            Ok::<_, JsonError>(())
        })
    };
    blocking(change).await.map_err(JsonError::server)?
}

fn no_policy(key: &RepositoryKey) -> JsonError {
    let (name, account) = (&key.name, key.registry.account());
    JsonError::new(
        "RepositoryPolicyNotFoundException",
        format!(
            "Repository policy does not exist for the repository with name '{name}' in the registry with id \
             '{account}'"
        ),
    )
}

fn description(key: &RepositoryKey, policy_text: &str) -> Value {
    json!({
        "registryId": key.registry.account().to_string(),
        "repositoryName": key.name,
        "policyText": policy_text,
    })
}
