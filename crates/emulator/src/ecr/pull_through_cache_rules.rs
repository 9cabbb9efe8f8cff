//! CreatePullThroughCacheRule, DescribePullThroughCacheRules, ValidatePullThroughCacheRule and
//! DeletePullThroughCacheRule.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::pages::Page;
use super::registry_of;
use crate::accounts::RegistryId;
use crate::aws_json::JsonError;
use crate::clock::epoch_seconds;
use crate::cloud::{Cloud, blocking};
use crate::iam;
use crate::sigv4::Caller;
use crate::store::{CacheRule, RepositoryPrefix, StoreError, Upstream};

/// How long a rule's prefix is (Amazon ECR API reference, CreatePullThroughCacheRule).
const PREFIX_LENGTH: std::ops::RangeInclusive<usize> = 2..=30;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRule {
    registry_id: Option<String>,
    ecr_repository_prefix: String,
    upstream_registry_url: String,
    upstream_repository_prefix: Option<String>,
}

pub(super) async fn create(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: CreateRule,
) -> Result<Value, JsonError> {
    iam::authorize_as_identity(&cloud, &caller.principal, "ecr:CreatePullThroughCacheRule", "*")?;
    let registry = own_registry(caller, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix)?;
    let upstream_prefix = input.upstream_repository_prefix.as_deref().map(upstream_prefix).transpose()?;
    let upstream = upstream(&registry, &input.upstream_registry_url)?;
    let rule = CacheRule { upstream, upstream_prefix, created: cloud.now().unix_timestamp() };
    let answer = description(&registry, &prefix, &rule);
    let add = move || {
        let (added, of_registry) = (prefix.clone(), registry.clone());
        let result = cloud.store.change_settings(&registry, |settings| settings.cache_rules.add(added, rule));
        result.map_err(|error| refusal(error, &of_registry, &prefix))
    };
    blocking(add).await.map_err(JsonError::server)??;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRules {
    registry_id: Option<String>,
    ecr_repository_prefixes: Option<Vec<String>>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn describe(cloud: &Cloud, caller: &Caller, input: DescribeRules) -> Result<Value, JsonError> {
    iam::authorize_as_identity(cloud, &caller.principal, "ecr:DescribePullThroughCacheRules", "*")?;
    let registry = own_registry(caller, input.registry_id.as_deref())?;
    let rules = &cloud.store.settings(&registry).cache_rules;
    let wanted = input.ecr_repository_prefixes.unwrap_or_default();
    let wanted = wanted.iter().map(|text| prefix(text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(missing) = wanted.iter().find(|prefix| rules.get(prefix).is_none()) {
        return Err(refusal(StoreError::NoCacheRule, &registry, missing));
    }
    let shown = rules.iter().filter(|(prefix, _)| wanted.is_empty() || wanted.contains(prefix));
    let entries =
        shown.map(|(prefix, rule)| (prefix.as_str().to_owned(), description(&registry, prefix, rule)));
    let (rules, next_token) = input.page.of(entries)?;
    Ok(match next_token {
        Some(token) => json!({ "pullThroughCacheRules": rules, "nextToken": token }),
        None => json!({ "pullThroughCacheRules": rules }),
    })
}

/// Which rule is meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    registry_id: Option<String>,
    ecr_repository_prefix: String,
}

/// What the emulator's upstreams need, they have: an upstream that it does not hold is none of a rule.
pub(super) fn validate(cloud: &Cloud, caller: &Caller, input: &Named) -> Result<Value, JsonError> {
    iam::authorize_as_identity(cloud, &caller.principal, "ecr:ValidatePullThroughCacheRule", "*")?;
    let registry = own_registry(caller, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix)?;
    let settings = cloud.store.settings(&registry);
    let rule = settings.cache_rules.get(&prefix);
    let rule = rule.ok_or_else(|| refusal(StoreError::NoCacheRule, &registry, &prefix))?;
    let mut answer = description(&registry, &prefix, rule);
    answer["isValid"] = json!(true);
    Ok(answer)
}

/// Deletes a rule; the repositories that it filled stay.
pub(super) async fn delete(cloud: Arc<Cloud>, caller: &Caller, input: Named) -> Result<Value, JsonError> {
    iam::authorize_as_identity(&cloud, &caller.principal, "ecr:DeletePullThroughCacheRule", "*")?;
    let registry = own_registry(caller, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix)?;
    let remove =
        move || match cloud.store.change_settings(&registry, |settings| settings.cache_rules.remove(&prefix))
        {
            Ok(rule) => Ok(description(&registry, &prefix, &rule)),
            Err(error) => Err(refusal(error, &registry, &prefix)),
        };
    blocking(remove).await.map_err(JsonError::server)?
}

/// The caller's registry. Rules are no resources that a policy could open to others.
fn own_registry(caller: &Caller, registry_id: Option<&str>) -> Result<RegistryId, JsonError> {
    let registry = registry_of(caller, registry_id)?;
    if registry.account == caller.principal.account {
        return Ok(registry);
    }
    Err(JsonError::invalid_parameter("registryId", "the caller's own registry"))
}

fn prefix(text: &str) -> Result<RepositoryPrefix, JsonError> {
    let prefix = text.parse().ok().filter(|_| PREFIX_LENGTH.contains(&text.len()));
    prefix.ok_or_else(|| {
        let constraint = "the beginning of repository names, of 2 to 30 letters, or ROOT";
        JsonError::invalid_parameter("ecrRepositoryPrefix", constraint)
    })
}

fn upstream_prefix(text: &str) -> Result<RepositoryPrefix, JsonError> {
    let constraint = "the beginning of repository names, or ROOT";
    text.parse().map_err(|_| JsonError::invalid_parameter("upstreamRepositoryPrefix", constraint))
}

/// Of the registries that AWS takes, one that the emulator holds.
fn upstream(registry: &RegistryId, host: &str) -> Result<Upstream, JsonError> {
    let upstream = host.parse().ok().filter(|upstream: &Upstream| upstream.is_open_to(registry));
    upstream.ok_or_else(|| {
        let message = format!(
            "The emulator has no upstream `{host}`: it has public.ecr.aws and the account's other registries"
        );
        JsonError::new("UnsupportedUpstreamRegistryException", message)
    })
}

fn refusal(error: StoreError, registry: &RegistryId, prefix: &RepositoryPrefix) -> JsonError {
    let (prefix, account) = (prefix.as_str(), registry.account);
    let of_registry = format!("in the registry with id '{account}'");
    match error {
        StoreError::NoCacheRule => JsonError::new(
            "PullThroughCacheRuleNotFoundException",
            format!("The pull through cache rule with prefix '{prefix}' does not exist {of_registry}"),
        ),
        StoreError::CacheRuleExists => JsonError::new(
            "PullThroughCacheRuleAlreadyExistsException",
            format!("The pull through cache rule with prefix '{prefix}' already exists {of_registry}"),
        ),
        error => error.into(),
    }
}

fn description(registry: &RegistryId, prefix: &RepositoryPrefix, rule: &CacheRule) -> Value {
    let created = OffsetDateTime::from_unix_timestamp(rule.created).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    json!({
        "ecrRepositoryPrefix": prefix.as_str(),
        "upstreamRegistryUrl": rule.upstream.to_string(),
        "upstreamRegistry": rule.upstream.kind(),
        "upstreamRepositoryPrefix": rule.upstream_prefix.as_ref().map_or("ROOT", RepositoryPrefix::as_str),
        "registryId": registry.account.to_string(),
        "createdAt": epoch_seconds(created),
        "updatedAt": epoch_seconds(created),
    })
}
