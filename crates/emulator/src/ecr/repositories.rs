//! CreateRepository, DescribeRepositories and DeleteRepository.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::Page;
use super::{Named, registry_of, repository_name, tag_mutability, unknown_repository};
use crate::accounts::RegistryId;
use crate::aws_json::JsonError;
use crate::clock::epoch_seconds;
use crate::cloud::{Cloud, blocking};
use crate::iam;
use crate::sigv4::Caller;
use crate::store::{Repository, RepositoryKey, Settings, StoreError};

/// How many names one DescribeRepositories may have (Amazon ECR API reference).
const MAX_NAMES: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepository {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    tags: Vec<ResourceTag>,
    #[serde(flatten)]
    mutability: tag_mutability::Written,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResourceTag {
    key: String,
    #[serde(default)]
    value: String,
}

impl ResourceTag {
    pub(crate) fn into_pair(self) -> (String, String) {
        (self.key, self.value)
    }
}

pub(super) async fn create(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: CreateRepository,
) -> Result<Value, JsonError> {
    let registry = registry_of(caller, input.named.registry_id.as_deref())?;
    let name = repository_name(&input.named.repository_name, "repositoryName")?;
    let (key, now) = (RepositoryKey { registry: registry.clone().into(), name: name.clone() }, cloud.now());
    iam::authorize_on_repository(&cloud, &caller.principal, "ecr:CreateRepository", &key)?;
    let settings = Settings {
        tags: input.tags.into_iter().map(ResourceTag::into_pair).collect(),
        mutability: input.mutability.understood()?,
        policy: None,
    };
    match blocking(move || cloud.store.create(key, settings, now)).await.map_err(JsonError::server)? {
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
pub(super) struct DescribeRepositories {
    registry_id: Option<String>,
    repository_names: Option<Vec<String>>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn describe(
    cloud: &Cloud,
    caller: &Caller,
    input: DescribeRepositories,
) -> Result<Value, JsonError> {
    const ACTION: &str = "ecr:DescribeRepositories";
    let registry = registry_of(caller, input.registry_id.as_deref())?;
    let Some(names) = input.repository_names else {
        iam::authorize_on_registry(cloud, &caller.principal, ACTION, &registry.clone().into())?;
        let repositories = cloud.store.list(&registry.clone().into());
        let entries = repositories
            .iter()
            .map(|repository| (repository.name.as_str().to_owned(), description(&registry, repository)));
        let (repositories, next_token) = input.page.of(entries)?;
        return Ok(match next_token {
            Some(token) => json!({ "repositories": repositories, "nextToken": token }),
            None => json!({ "repositories": repositories }),
        });
    };
    if !(1..=MAX_NAMES).contains(&names.len()) {
        return Err(JsonError::invalid_parameter("repositoryNames", "1 to 100 names"));
    }
    let found = names.into_iter().map(|repository_name| {
        let named = Named { registry_id: input.registry_id.clone(), repository_name };
        named.find(cloud, caller, ACTION).map(|(_, repository)| description(&registry, &repository))
    });
    Ok(json!({ "repositories": found.collect::<Result<Vec<Value>, JsonError>>()? }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepository {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    force: bool,
}

/// Removes a repository, with its images only if `force` says so. Content stays in the state folder: other
/// repositories may have the same.
pub(super) async fn delete(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: DeleteRepository,
) -> Result<Value, JsonError> {
    let (key, _) = input.named.find(&cloud, caller, "ecr:DeleteRepository")?;
    let registry = registry_of(caller, input.named.registry_id.as_deref())?;
    let name = key.name.clone();
    let may_be_removed = move |repository: &Repository| input.force || repository.manifests.is_empty();
    let remove = move || cloud.store.remove(&key, may_be_removed);
    match blocking(remove).await.map_err(JsonError::server)? {
        Ok(repository) => Ok(json!({ "repository": description(&registry, &repository) })),
        Err(StoreError::RepositoryNotEmpty) => Err(JsonError::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still \
                 contains images",
                registry.account
            ),
        )),
        Err(StoreError::NoRepository) => {
            Err(JsonError::new("RepositoryNotFoundException", unknown_repository(registry.account, &name)))
        }
        Err(error) => Err(error.into()),
    }
}

fn description(registry: &RegistryId, repository: &Repository) -> Value {
    let mut description = json!({
        "repositoryArn": registry.repository_arn(&repository.name),
        "registryId": registry.account.to_string(),
        "repositoryName": repository.name,
        "repositoryUri": format!("{}/{}", registry.host(), repository.name),
        "createdAt": epoch_seconds(repository.created()),
        "imageScanningConfiguration": { "scanOnPush": false },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    });
    tag_mutability::describe(&repository.mutability, &mut description);
    description
}
