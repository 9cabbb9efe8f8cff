//! Amazon ECR's API, version 2015-09-21.

mod account_settings;
mod creation_templates;
mod images;
pub(crate) mod pages;
mod pull_through_cache_rules;
pub(crate) mod repositories;
mod repository_policies;
mod tag_mutability;

use std::fmt::Display;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::{AccountId, Region, RegistryId};
use crate::aws_json::{self, JsonError};
use crate::clock::epoch_seconds;
use crate::cloud::Cloud;
use crate::iam;
use crate::registry::names::RepositoryName;
use crate::sigv4::{self, Caller};
use crate::store::{Repository, RepositoryKey};
use crate::tokens::{self, Audience};

/// What `X-Amz-Target` starts with.
pub(crate) const TARGET_PREFIX: &str = "AmazonEC2ContainerRegistry_V20150921";

const OPERATIONS: [&str; 20] = [
    "GetAuthorizationToken",
    "CreateRepository",
    "DescribeRepositories",
    "DeleteRepository",
    "ListImages",
    "DescribeImages",
    "BatchDeleteImage",
    "SetRepositoryPolicy",
    "GetRepositoryPolicy",
    "DeleteRepositoryPolicy",
    "PutImageTagMutability",
    "CreateRepositoryCreationTemplate",
    "DescribeRepositoryCreationTemplates",
    "DeleteRepositoryCreationTemplate",
    "CreatePullThroughCacheRule",
    "DescribePullThroughCacheRules",
    "ValidatePullThroughCacheRule",
    "DeletePullThroughCacheRule",
    "PutAccountSetting",
    "GetAccountSetting",
];

/// How many registry ids one request may name (Amazon ECR API reference, GetAuthorizationToken).
const MAX_REGISTRY_IDS: usize = 10;

/// The operation as the call counters name it.
pub(crate) fn operation(name: &str) -> &'static str {
    OPERATIONS.into_iter().find(|known| *known == name).unwrap_or("Unknown")
}

/// Answers one call. `region` is the one that the host name says, if it says one.
pub(crate) async fn call(
    cloud: Arc<Cloud>,
    operation: &str,
    region: Option<&Region>,
    request: &Parts,
    body: Body,
) -> Result<Value, JsonError> {
    let body = aws_json::body(body).await?;
    let caller = sigv4::authenticate(request, &body, "ecr", region, &cloud.principals, cloud.now())?;
    match operation {
        "GetAuthorizationToken" => get_authorization_token(&cloud, &caller, aws_json::input(&body)?),
        "CreateRepository" => repositories::create(cloud, &caller, aws_json::input(&body)?).await,
        "DescribeRepositories" => repositories::describe(&cloud, &caller, aws_json::input(&body)?),
        "DeleteRepository" => repositories::delete(cloud, &caller, aws_json::input(&body)?).await,
        "PutImageTagMutability" => tag_mutability::put(cloud, &caller, aws_json::input(&body)?).await,
        "ListImages" => images::list(&cloud, &caller, &aws_json::input(&body)?),
        "DescribeImages" => images::describe(&cloud, &caller, &aws_json::input(&body)?),
        "BatchDeleteImage" => images::delete(cloud, &caller, aws_json::input(&body)?).await,
        "SetRepositoryPolicy" => repository_policies::set(cloud, &caller, aws_json::input(&body)?).await,
        "GetRepositoryPolicy" => repository_policies::get(&cloud, &caller, &aws_json::input(&body)?),
        "DeleteRepositoryPolicy" => {
            repository_policies::delete(cloud, &caller, aws_json::input(&body)?).await
        }
        "CreateRepositoryCreationTemplate" => {
            creation_templates::create(cloud, &caller, aws_json::input(&body)?).await
        }
        "DescribeRepositoryCreationTemplates" => {
            creation_templates::describe(&cloud, &caller, aws_json::input(&body)?)
        }
        "DeleteRepositoryCreationTemplate" => {
            creation_templates::delete(cloud, &caller, aws_json::input(&body)?).await
        }
        "CreatePullThroughCacheRule" => {
            pull_through_cache_rules::create(cloud, &caller, aws_json::input(&body)?).await
        }
        "DescribePullThroughCacheRules" => {
            pull_through_cache_rules::describe(&cloud, &caller, aws_json::input(&body)?)
        }
        "ValidatePullThroughCacheRule" => {
            pull_through_cache_rules::validate(&cloud, &caller, &aws_json::input(&body)?)
        }
        "DeletePullThroughCacheRule" => {
            pull_through_cache_rules::delete(cloud, &caller, aws_json::input(&body)?).await
        }
        "PutAccountSetting" => account_settings::put(cloud, &caller, aws_json::input(&body)?).await,
        "GetAccountSetting" => account_settings::get(&cloud, &caller, &aws_json::input(&body)?),
        _ => Err(JsonError::unknown_operation()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetAuthorizationToken {
    registry_ids: Option<Vec<String>>,
}

/// One token, once for each registry asked for. The ids change nothing about what the token is good for: it
/// represents the caller in every registry of the region (Amazon ECR API reference, `registryIds`).
fn get_authorization_token(
    cloud: &Cloud,
    caller: &Caller,
    input: GetAuthorizationToken,
) -> Result<Value, JsonError> {
    iam::authorize_as_identity(cloud, &caller.principal, "ecr:GetAuthorizationToken", "*")?;
    let accounts = match input.registry_ids {
        None => vec![caller.principal.account],
        Some(ids) if (1..=MAX_REGISTRY_IDS).contains(&ids.len()) => {
            ids.iter().map(|id| registry_account(id, "registryIds")).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(JsonError::invalid_parameter("registryIds", "1 to 10 registries")),
    };
    let minted = tokens::mint(&cloud.seal, Audience::Ecr, &caller.principal, &caller.region, cloud.now())?;
    let token = BASE64.encode(format!("AWS:{}", minted.password.expose_secret()));
    let data: Vec<Value> = accounts
        .into_iter()
        .map(|account| {
            let registry = RegistryId { account, region: caller.region.clone() };
            json!({
                "authorizationToken": token,
                "expiresAt": epoch_seconds(minted.expires),
                "proxyEndpoint": format!("https://{}", registry.host()),
            })
        })
        .collect();
    Ok(json!({ "authorizationData": data }))
}

/// ECR's sentence for a repository that was not created; the API and `/v2/` both use it.
pub(crate) fn unknown_repository(registry: impl Display, name: &RepositoryName) -> String {
    format!("The repository with name '{name}' does not exist in the registry with id '{registry}'")
}

/// How a request names a repository.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    registry_id: Option<String>,
    #[serde(default)]
    repository_name: String,
}

impl Named {
    /// The repository, if the caller may perform `action` on it; a denial does not tell if it exists.
    fn find(
        &self,
        cloud: &Cloud,
        caller: &Caller,
        action: &'static str,
    ) -> Result<(RepositoryKey, Arc<Repository>), JsonError> {
        let registry = registry_of(caller, self.registry_id.as_deref())?;
        let name = repository_name(&self.repository_name, "repositoryName")?;
        let key = RepositoryKey { registry: registry.into(), name };
        iam::authorize_on_repository(cloud, &caller.principal, action, &key)?;
        let repository = cloud.store.find(&key).ok_or_else(|| {
            JsonError::new(
                "RepositoryNotFoundException",
                unknown_repository(key.registry.account(), &key.name),
            )
        })?;
        Ok((key, repository))
    }
}

fn registry_of(caller: &Caller, registry_id: Option<&str>) -> Result<RegistryId, JsonError> {
    let account = match registry_id {
        Some(id) => registry_account(id, "registryId")?,
        None => caller.principal.account,
    };
    Ok(RegistryId { account, region: caller.region.clone() })
}

pub(crate) fn registry_account(id: &str, parameter: &str) -> Result<AccountId, JsonError> {
    id.parse().map_err(|_| {
        JsonError::invalid_parameter(parameter, "an emulated account, 000000000000 to 000000000099")
    })
}

pub(crate) fn repository_name(name: &str, parameter: &str) -> Result<RepositoryName, JsonError> {
    name.parse().map_err(|_| {
        let constraint = format!("must satisfy regular expression '{}'", RepositoryName::PATTERN);
        JsonError::invalid_parameter(parameter, &constraint)
    })
}
