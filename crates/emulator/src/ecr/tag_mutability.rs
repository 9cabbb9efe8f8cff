//! `imageTagMutability` and its filters, wherever they stand in a request or an answer; and PutImageTagMutability.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Named;
use crate::aws_json::JsonError;
use crate::cloud::{Cloud, blocking};
use crate::sigv4::Caller;
use crate::store::{MAX_FILTERS, TagFilter, TagMutability};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    image_tag_mutability: Option<Name>,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<WrittenFilter>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Name {
    Mutable,
    Immutable,
    MutableWithExclusion,
    ImmutableWithExclusion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenFilter {
    filter_type: FilterType,
    filter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum FilterType {
    Wildcard,
}

impl Written {
    /// What is meant; filters belong to the variants with exclusions, which need some.
    pub(super) fn understood(self) -> Result<TagMutability, JsonError> {
        const FILTERS: &str = "imageTagMutabilityExclusionFilters";
        let name = self.image_tag_mutability.unwrap_or(Name::Mutable);
        let immutable = matches!(name, Name::Immutable | Name::ImmutableWithExclusion);
        let with_exclusion = matches!(name, Name::MutableWithExclusion | Name::ImmutableWithExclusion);
        let filters = self.image_tag_mutability_exclusion_filters;
        if with_exclusion == filters.is_empty() || filters.len() > MAX_FILTERS {
            let constraint = "1 to 5 filters for a mutability with exclusions, and none for another";
            return Err(JsonError::invalid_parameter(FILTERS, constraint));
        }
        let parse = |WrittenFilter { filter_type: FilterType::Wildcard, filter }| {
            filter.parse().map_err(|_| {
                JsonError::invalid_parameter(FILTERS, "letters of tags and at most two wildcards")
            })
        };
        Ok(TagMutability { immutable, exclusions: filters.into_iter().map(parse).collect::<Result<_, _>>()? })
    }
}

/// Adds what a request would have said to the description of a repository or a template.
pub(super) fn describe(mutability: &TagMutability, description: &mut Value) {
    description["imageTagMutability"] = json!(mutability.name());
    if !mutability.exclusions.is_empty() {
        let filter = |filter: &TagFilter| json!({ "filterType": "WILDCARD", "filter": filter.as_str() });
        let filters: Vec<Value> = mutability.exclusions.iter().map(filter).collect();
        description["imageTagMutabilityExclusionFilters"] = json!(filters);
    }
}

#[derive(Deserialize)]
pub(super) struct PutImageTagMutability {
    #[serde(flatten)]
    named: Named,
    #[serde(flatten)]
    mutability: Written,
}

pub(super) async fn put(
    cloud: Arc<Cloud>,
    caller: &Caller,
    input: PutImageTagMutability,
) -> Result<Value, JsonError> {
    let (key, _) = input.named.find(&cloud, caller, "ecr:PutImageTagMutability")?;
    if input.mutability.image_tag_mutability.is_none() {
        return Err(JsonError::invalid_parameter("imageTagMutability", "must not be null"));
    }
    let mutability = input.mutability.understood()?;
    let mut answer = json!({ "registryId": key.registry.account().to_string(), "repositoryName": key.name });
    describe(&mutability, &mut answer);
    let change = move || {
        cloud.store.change(&key, |repository| {
            repository.mutability = mutability;
            Ok::<_, JsonError>(())
        })
    };
    blocking(change).await.map_err(JsonError::server)??;
    Ok(answer)
}
