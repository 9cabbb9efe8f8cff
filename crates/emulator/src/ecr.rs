//! Amazon ECR's API, version 2015-09-21.

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
use crate::cloud::{Cloud, blocking};
use crate::cross_account;
use crate::registry::names::RepositoryName;
use crate::sigv4::{self, Caller};
use crate::store::{Repository, RepositoryKey, StoreError};
use crate::tokens::{self, Audience};

/// What `X-Amz-Target` starts with.
pub(crate) const TARGET_PREFIX: &str = "AmazonEC2ContainerRegistry_V20150921";

const OPERATIONS: [&str; 3] = ["GetAuthorizationToken", "CreateRepository", "DescribeRepositories"];

/// How many registry ids one request may name (Amazon ECR API reference, GetAuthorizationToken).
const MAX_REGISTRY_IDS: usize = 10;
/// How many repositories one answer lists unless asked otherwise, and at most (DescribeRepositories).
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// Answers one call. `region` is the one that the host name says, if it says one.
pub(crate) async fn call(
    cloud: Arc<Cloud>,
    operation: &str,
    region: Option<&Region>,
    request: &Parts,
    body: Body,
) -> Result<Value, JsonError> {
    let known = OPERATIONS.into_iter().find(|known| *known == operation);
    cloud.calls.count("ecr", known.unwrap_or("Unknown"));
    let body = aws_json::body(body).await?;
    let caller = sigv4::authenticate(request, &body, "ecr", region, &cloud.principals, cloud.now())?;
    match operation {
        "GetAuthorizationToken" => get_authorization_token(&cloud, &caller, aws_json::input(&body)?),
        "CreateRepository" => create_repository(cloud, &caller, aws_json::input(&body)?).await,
        "DescribeRepositories" => describe_repositories(&cloud, &caller, &aws_json::input(&body)?),
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRepository {
    registry_id: Option<String>,
    #[serde(default)]
    repository_name: String,
}

async fn create_repository(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: CreateRepository,
) -> Result<Value, JsonError> {
    let registry = registry_of(caller, input.registry_id.as_deref())?;
    let name = repository_name(&input.repository_name, "repositoryName")?;
    cross_account::authorize(
        cloud.cross_account,
        &caller.principal,
        "ecr:CreateRepository",
        &registry,
        &name,
    )?;
    let (key, now) = (RepositoryKey { registry: registry.clone(), name: name.clone() }, cloud.now());
    match blocking(move || cloud.store.create(key, now)).await.map_err(JsonError::server)? {
        Ok(repository) => Ok(json!({ "repository": description(&registry, &repository) })),
        Err(StoreError::RepositoryExists) => Err(JsonError::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                registry.account
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeRepositories {
    registry_id: Option<String>,
    repository_names: Option<Vec<String>>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

fn describe_repositories(
    cloud: &Cloud,
    caller: &Caller,
    input: &DescribeRepositories,
) -> Result<Value, JsonError> {
    const ACTION: &str = "ecr:DescribeRepositories";
    let registry = registry_of(caller, input.registry_id.as_deref())?;
    let describe = |repository: &Arc<Repository>| description(&registry, repository);
    let Some(names) = &input.repository_names else {
        cross_account::authorize(cloud.cross_account, &caller.principal, ACTION, &registry, "*")?;
        let (page, next_token) = page(cloud.store.list(&registry), input)?;
        let repositories: Vec<Value> = page.iter().map(describe).collect();
        return Ok(match next_token {
            Some(token) => json!({ "repositories": repositories, "nextToken": token }),
            None => json!({ "repositories": repositories }),
        });
    };
    if !(1..=DEFAULT_PAGE).contains(&names.len()) {
        return Err(JsonError::invalid_parameter("repositoryNames", "1 to 100 names"));
    }
    let found = names.iter().map(|name| {
        let name = repository_name(name, "repositoryNames")?;
        cross_account::authorize(cloud.cross_account, &caller.principal, ACTION, &registry, &name)?;
        let key = RepositoryKey { registry: registry.clone(), name };
        cloud.store.find(&key).as_ref().map(describe).ok_or_else(|| {
            JsonError::new("RepositoryNotFoundException", unknown_repository(&registry, &key.name))
        })
    });
    Ok(json!({ "repositories": found.collect::<Result<Vec<Value>, JsonError>>()? }))
}

/// A page of a registry's repositories, and the token for the next one: the last name of this one, encoded.
fn page(
    repositories: Vec<Arc<Repository>>,
    input: &DescribeRepositories,
) -> Result<(Vec<Arc<Repository>>, Option<String>), JsonError> {
    let size = input.max_results.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(JsonError::invalid_parameter("maxResults", "1 to 1000"));
    }
    let last = match &input.next_token {
        None => String::new(),
        Some(token) => BASE64
            .decode(token)
            .ok()
            .and_then(|name| String::from_utf8(name).ok())
            .ok_or_else(|| JsonError::invalid_parameter("nextToken", "a token of the emulator"))?,
    };
    let mut rest = repositories.into_iter().filter(|repository| repository.name.as_str() > last.as_str());
    let page: Vec<_> = rest.by_ref().take(size).collect();
    let next = rest.next().and(page.last()).map(|repository| BASE64.encode(repository.name.as_str()));
    Ok((page, next))
}

/// ECR's sentence for a repository that was not created; the API and `/v2/` both use it.
pub(crate) fn unknown_repository(registry: &RegistryId, name: &RepositoryName) -> String {
    format!("The repository with name '{name}' does not exist in the registry with id '{}'", registry.account)
}

fn registry_of(caller: &Caller, registry_id: Option<&str>) -> Result<RegistryId, JsonError> {
    let account = match registry_id {
        Some(id) => registry_account(id, "registryId")?,
        None => caller.principal.account,
    };
    Ok(RegistryId { account, region: caller.region.clone() })
}

fn registry_account(id: &str, parameter: &str) -> Result<AccountId, JsonError> {
    id.parse().map_err(|_| {
        JsonError::invalid_parameter(parameter, "an emulated account, 000000000000 to 000000000099")
    })
}

fn repository_name(name: &str, parameter: &str) -> Result<RepositoryName, JsonError> {
    name.parse().map_err(|_| {
        let constraint = format!("must satisfy regular expression '{}'", RepositoryName::PATTERN);
        JsonError::invalid_parameter(parameter, &constraint)
    })
}

fn description(registry: &RegistryId, repository: &Repository) -> Value {
    json!({
        "repositoryArn": registry.repository_arn(&repository.name),
        "registryId": registry.account.to_string(),
        "repositoryName": repository.name,
        "repositoryUri": format!("{}/{}", registry.host(), repository.name),
        "createdAt": epoch_seconds(repository.created()),
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": { "scanOnPush": false },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    })
}
