//! CreateRepositoryCreationTemplate, DescribeRepositoryCreationTemplates and DeleteRepositoryCreationTemplate.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::pages::Page;
use super::registry_of;
use super::repositories::ResourceTag;
use super::repository_policies::parsed;
use super::tag_mutability;
use crate::accounts::RegistryId;
use crate::aws_json::JsonError;
use crate::clock::epoch_seconds;
use crate::cloud::{Cloud, blocking};
use crate::iam;
use crate::sigv4::Caller;
use crate::store::{AppliedFor, CreationTemplate, RepositoryPrefix, StoreError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateTemplate {
    prefix: String,
    #[serde(default)]
    description: String,
    applied_for: BTreeSet<AppliedFor>,
    #[serde(flatten)]
    mutability: tag_mutability::Written,
    #[serde(default)]
    resource_tags: Vec<ResourceTag>,
    repository_policy: Option<String>,
    lifecycle_policy: Option<String>,
    custom_role_arn: Option<String>,
}

pub(super) async fn create(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: CreateTemplate,
) -> Result<Value, JsonError> {
    iam::authorize_as_identity(&cloud, &caller.principal, "ecr:CreateRepositoryCreationTemplate", "*")?;
    let registry = registry_of(caller, None)?;
    let prefix = prefix(&input.prefix)?;
    if input.lifecycle_policy.is_some() {
        // Ignoring it would keep images that were to go.
        return Err(JsonError::invalid_parameter("lifecyclePolicy", "none: the emulator expires no images"));
    }
    let template = CreationTemplate {
        description: input.description,
        applied_for: input.applied_for,
        mutability: input.mutability.understood()?,
        tags: input.resource_tags.into_iter().map(ResourceTag::into_pair).collect(),
        policy: input.repository_policy.as_deref().map(parsed).transpose()?,
        custom_role_arn: input.custom_role_arn,
        created: cloud.now().unix_timestamp(),
    };
    let answer = of_registry(&registry, &description(&prefix, &template));
    let add = move || {
        let added = prefix.clone();
        let result =
            cloud.store.change_settings(&registry, |settings| settings.add_template(added, template));
        result.map_err(|error| refusal(error, &registry, &prefix))
    };
    blocking(add).await.map_err(JsonError::server)??;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTemplates {
    prefixes: Option<Vec<String>>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn describe(cloud: &Cloud, caller: &Caller, input: DescribeTemplates) -> Result<Value, JsonError> {
    const ACTION: &str = "ecr:DescribeRepositoryCreationTemplates";
    iam::authorize_as_identity(cloud, &caller.principal, ACTION, "*")?;
    let registry = registry_of(caller, None)?;
    let settings = cloud.store.settings(&registry);
    let wanted = input.prefixes.unwrap_or_default();
    let wanted = wanted.iter().map(|text| prefix(text)).collect::<Result<Vec<RepositoryPrefix>, _>>()?;
    if let Some(missing) = wanted.iter().find(|prefix| settings.template(prefix).is_none()) {
        return Err(refusal(StoreError::NoTemplate, &registry, missing));
    }
    let shown = settings.templates().filter(|(prefix, _)| wanted.is_empty() || wanted.contains(prefix));
    let entries = shown.map(|(prefix, template)| (prefix.as_str().to_owned(), description(prefix, template)));
    let (templates, next_token) = input.page.of(entries)?;
    let mut answer = json!({
        "registryId": registry.account.to_string(), "repositoryCreationTemplates": templates,
    });
    if let Some(token) = next_token {
        answer["nextToken"] = json!(token);
    }
    Ok(answer)
}

#[derive(Deserialize)]
pub(super) struct DeleteTemplate {
    prefix: String,
}

pub(super) async fn delete(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: DeleteTemplate,
) -> Result<Value, JsonError> {
    iam::authorize_as_identity(&cloud, &caller.principal, "ecr:DeleteRepositoryCreationTemplate", "*")?;
    let registry = registry_of(caller, None)?;
    let prefix = prefix(&input.prefix)?;
    let remove = move || {
        let removed = cloud.store.change_settings(&registry, |settings| settings.remove_template(&prefix));
        match removed {
            Ok(template) => Ok(of_registry(&registry, &description(&prefix, &template))),
            Err(error) => Err(refusal(error, &registry, &prefix)),
        }
    };
    blocking(remove).await.map_err(JsonError::server)?
}

fn prefix(text: &str) -> Result<RepositoryPrefix, JsonError> {
    text.parse()
        .map_err(|_| JsonError::invalid_parameter("prefix", "the beginning of repository names, or ROOT"))
}

fn refusal(error: StoreError, registry: &RegistryId, prefix: &RepositoryPrefix) -> JsonError {
    let (prefix, account) = (prefix.as_str(), registry.account);
    let of_registry = format!("in the registry with id '{account}'");
    match error {
        StoreError::NoTemplate => JsonError::new(
            "TemplateNotFoundException",
            format!("The Template with prefix '{prefix}' does not exist {of_registry}"),
        ),
        StoreError::TemplateExists => JsonError::new(
            "TemplateAlreadyExistsException",
            format!("The Template with prefix '{prefix}' already exists {of_registry}"),
        ),
        error => error.into(),
    }
}

fn of_registry(registry: &RegistryId, template: &Value) -> Value {
    json!({ "registryId": registry.account.to_string(), "repositoryCreationTemplate": template })
}

fn description(prefix: &RepositoryPrefix, template: &CreationTemplate) -> Value {
    let created = OffsetDateTime::from_unix_timestamp(template.created).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let tags: Vec<Value> =
        template.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let mut description = json!({
        "prefix": prefix.as_str(),
        "description": template.description,
        "encryptionConfiguration": { "encryptionType": "AES256" },
        "resourceTags": tags,
        "appliedFor": template.applied_for,
        "createdAt": epoch_seconds(created),
        "updatedAt": epoch_seconds(created),
    });
    tag_mutability::describe(&template.mutability, &mut description);
    if let Some(policy) = &template.policy {
        description["repositoryPolicy"] = json!(policy.text());
    }
    if let Some(role) = &template.custom_role_arn {
        description["customRoleArn"] = json!(role);
    }
    description
}
