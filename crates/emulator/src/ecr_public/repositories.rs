//! CreateRepository, DescribeRepositories, DeleteRepository and DescribeRegistries of ECR Public.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::{AccountId, Registry};
use crate::aws_json::JsonError;
use crate::clock::epoch_seconds;
use crate::cloud::{Cloud, blocking};
use crate::ecr::pages::Page;
use crate::ecr::repositories::ResourceTag;
use crate::ecr::{registry_account, repository_name, unknown_repository};
use crate::iam;
use crate::registry::public::HOST;
use crate::sigv4::Caller;
use crate::store::{Repository, RepositoryKey, Settings, StoreError};

/// How a request names a repository.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    registry_id: Option<String>,
    #[serde(default)]
    repository_name: String,
    #[serde(default)]
    tags: Vec<ResourceTag>,
    #[serde(default)]
    force: bool,
}

impl Named {
    /// The key of the repository, if the caller may perform `action` on it.
    fn key(&self, cloud: &Cloud, caller: &Caller, action: &'static str) -> Result<RepositoryKey, JsonError> {
        let account = account_of(caller, self.registry_id.as_deref())?;
        let name = repository_name(&self.repository_name, "repositoryName")?;
        let key = RepositoryKey { registry: Registry::Public(account), name };
        iam::authorize_on_repository(cloud, &caller.principal, action, &key)?;
        Ok(key)
    }
}

fn account_of(caller: &Caller, registry_id: Option<&str>) -> Result<AccountId, JsonError> {
    registry_id.map_or(Ok(caller.principal.account), |id| registry_account(id, "registryId"))
}

pub(super) async fn create(cloud: Arc<Cloud>, caller: &Caller, input: Named) -> Result<Value, JsonError> {
    let (key, now) = (input.key(&cloud, caller, "ecr-public:CreateRepository")?, cloud.now());
    let tags = input.tags.into_iter().map(ResourceTag::into_pair).collect();
    let settings = Settings { tags, ..Settings::default() };
    let create = move || match cloud.store.create(key.clone(), settings, now) {
        Ok(repository) => {
            let account = key.registry.account();
            Ok(json!({ "repository": description(&cloud, account, &repository), "catalogData": {} }))
        }
        Err(StoreError::RepositoryExists) => Err(JsonError::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{}' already exists in the registry with id '{}'",
                key.name,
                key.registry.account()
            ),
        )),
        Err(error) => Err(error.into()),
    };
    blocking(create).await.map_err(JsonError::server)?
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
    input: &DescribeRepositories,
) -> Result<Value, JsonError> {
    const ACTION: &str = "ecr-public:DescribeRepositories";
    let account = account_of(caller, input.registry_id.as_deref())?;
    let registry = Registry::Public(account);
    let Some(names) = &input.repository_names else {
        iam::authorize_on_registry(cloud, &caller.principal, ACTION, &registry)?;
        let repositories = cloud.store.list(&registry);
        let entries = repositories
            .iter()
            .map(|repository| (repository.name.as_str().to_owned(), description(cloud, account, repository)));
        let (repositories, next_token) = input.page.of(entries)?;
        return Ok(match next_token {
            Some(token) => json!({ "repositories": repositories, "nextToken": token }),
            None => json!({ "repositories": repositories }),
        });
    };
    let found = names.iter().map(|name| {
        let key =
            RepositoryKey { registry: registry.clone(), name: repository_name(name, "repositoryNames")? };
        iam::authorize_on_repository(cloud, &caller.principal, ACTION, &key)?;
        let repository = cloud.store.find(&key).ok_or_else(|| not_found(&key))?;
        Ok(description(cloud, account, &repository))
    });
    Ok(json!({ "repositories": found.collect::<Result<Vec<Value>, JsonError>>()? }))
}

pub(super) async fn delete(cloud: Arc<Cloud>, caller: &Caller, input: Named) -> Result<Value, JsonError> {
    let (key, force) = (input.key(&cloud, caller, "ecr-public:DeleteRepository")?, input.force);
    let remove = move || {
        let may_be_removed = |repository: &Repository| force || repository.manifests.is_empty();
        match cloud.store.remove(&key, may_be_removed) {
            Ok(repository) => {
                Ok(json!({ "repository": description(&cloud, key.registry.account(), &repository) }))
            }
            Err(StoreError::NoRepository) => Err(not_found(&key)),
            Err(StoreError::RepositoryNotEmpty) => Err(JsonError::new(
                "RepositoryNotEmptyException",
                format!(
                    "The repository with name '{}' in registry with id '{}' cannot be deleted because it still \
                     contains images",
                    key.name,
                    key.registry.account()
                ),
            )),
            Err(error) => Err(error.into()),
        }
    };
    blocking(remove).await.map_err(JsonError::server)?
}

fn not_found(key: &RepositoryKey) -> JsonError {
    let message = unknown_repository(key.registry.account(), &key.name);
    JsonError::new("RepositoryNotFoundException", message)
}

/// The caller's own registry, of which each account has one.
pub(super) fn registries(cloud: &Cloud, caller: &Caller) -> Result<Value, JsonError> {
    iam::authorize_as_identity(cloud, &caller.principal, "ecr-public:DescribeRegistries", "*")?;
    let account = caller.principal.account;
    let alias = cloud.public_aliases.of(account);
    let registry = json!({
        "registryId": account.to_string(),
        "registryArn": format!("arn:aws:ecr-public::{account}:registry/{account}"),
        "registryUri": format!("{HOST}/{alias}"),
        "verified": false,
        "aliases": [{
            "name": alias, "status": "ACTIVE", "primaryRegistryAlias": true, "defaultRegistryAlias": true,
        }],
    });
    Ok(json!({ "registries": [registry] }))
}

fn description(cloud: &Cloud, account: AccountId, repository: &Repository) -> Value {
    json!({
        "repositoryArn": Registry::Public(account).repository_arn(&repository.name),
        "registryId": account.to_string(),
        "repositoryName": repository.name,
        "repositoryUri": format!("{HOST}/{}/{}", cloud.public_aliases.of(account), repository.name),
        "createdAt": epoch_seconds(repository.created()),
    })
}
