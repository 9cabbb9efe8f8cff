//! ListImages, DescribeImages and BatchDeleteImage.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Named;
use super::pages::Page;
use crate::aws_json::JsonError;
use crate::cloud::{Cloud, blocking};
use crate::registry::names::{Digest, Tag};
use crate::sigv4::Caller;
use crate::store::{Repository, RepositoryKey, StoreError};

/// How many images one request may name (Amazon ECR API reference, DescribeImages and BatchDeleteImage).
const MAX_IMAGES: usize = 100;

/// An image by digest, by tag or by both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
}

/// Why an image that was named is not there, as `failureCode` and `failureReason` say it.
type Failure = (&'static str, &'static str);

const NOT_FOUND: Failure = ("ImageNotFound", "Requested image not found");

impl ImageId {
    /// The digest of the image and the tag that it was named by.
    fn find(&self, repository: &Repository) -> Result<(Digest, Option<Tag>), Failure> {
        let tag: Option<Tag> = match &self.image_tag {
            Some(text) => {
                Some(text.parse().map_err(|_| ("InvalidImageTag", "Invalid request parameters: image tag"))?)
            }
            None => None,
        };
        let tagged =
            tag.as_ref().map(|tag| repository.tags.get(tag).copied().ok_or(NOT_FOUND)).transpose()?;
        let digest: Digest = match (&self.image_digest, tagged) {
            (None, None) => {
                return Err((
                    "MissingDigestAndTag",
                    "Invalid request parameters: both tag and digest cannot be null",
                ));
            }
            (None, Some(tagged)) => tagged,
            (Some(text), tagged) => {
                let digest = text
                    .parse()
                    .map_err(|_| ("InvalidImageDigest", "Invalid request parameters: image digest"))?;
                if tagged.is_some_and(|tagged| tagged != digest) {
                    return Err(("ImageTagDoesNotMatchDigest", "Requested tag does not match digest"));
                }
                digest
            }
        };
        if repository.manifests.contains_key(&digest) { Ok((digest, tag)) } else { Err(NOT_FOUND) }
    }
}

#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TagStatus {
    Tagged,
    Untagged,
    #[default]
    Any,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    tag_status: TagStatus,
}

impl Filter {
    fn holds(&self, is_tagged: bool) -> bool {
        match self.tag_status {
            TagStatus::Tagged => is_tagged,
            TagStatus::Untagged => !is_tagged,
            TagStatus::Any => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Images {
    #[serde(flatten)]
    named: Named,
    image_ids: Option<Vec<ImageId>>,
    #[serde(default)]
    filter: Filter,
    #[serde(flatten)]
    page: Page,
}

/// Every tag with its digest, and the digests without tags.
pub(super) fn list(cloud: &Cloud, caller: &Caller, input: &Images) -> Result<Value, JsonError> {
    let (_, repository) = input.named.find(cloud, caller, "ecr:ListImages")?;
    let mut entries = Vec::new();
    for digest in repository.manifests.keys() {
        let tags = tags_of(&repository, *digest);
        if !input.filter.holds(!tags.is_empty()) {
            continue;
        }
        if tags.is_empty() {
            entries.push((digest.to_string(), json!({ "imageDigest": digest })));
        }
        let tagged =
            |tag: &&str| (format!("{digest} {tag}"), json!({ "imageDigest": digest, "imageTag": tag }));
        entries.extend(tags.iter().map(tagged));
    }
    let (image_ids, next_token) = input.page.of(entries)?;
    Ok(match next_token {
        Some(token) => json!({ "imageIds": image_ids, "nextToken": token }),
        None => json!({ "imageIds": image_ids }),
    })
}

pub(super) fn describe(cloud: &Cloud, caller: &Caller, input: &Images) -> Result<Value, JsonError> {
    let (key, repository) = input.named.find(cloud, caller, "ecr:DescribeImages")?;
    let Some(image_ids) = &input.image_ids else {
        let digests = repository.manifests.keys().copied();
        let shown = digests.filter(|digest| input.filter.holds(!tags_of(&repository, *digest).is_empty()));
        let entries = shown.map(|digest| (digest.to_string(), details(&key, &repository, digest)));
        let (image_details, next_token) = input.page.of(entries)?;
        return Ok(match next_token {
            Some(token) => json!({ "imageDetails": image_details, "nextToken": token }),
            None => json!({ "imageDetails": image_details }),
        });
    };
    check_number(image_ids)?;
    let found = image_ids.iter().map(|image| match image.find(&repository) {
        Ok((digest, _)) => Ok(details(&key, &repository, digest)),
        Err(_) => Err(not_found(&key, image)),
    });
    Ok(json!({ "imageDetails": found.collect::<Result<Vec<Value>, JsonError>>()? }))
}

fn check_number(image_ids: &[ImageId]) -> Result<(), JsonError> {
    if (1..=MAX_IMAGES).contains(&image_ids.len()) {
        return Ok(());
    }
    Err(JsonError::invalid_parameter("imageIds", "1 to 100 images"))
}

fn not_found(key: &RepositoryKey, image: &ImageId) -> JsonError {
    let shown = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".into());
    let (digest, tag) = (shown(&image.image_digest), shown(&image.image_tag));
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository \
         with name '{}' in the registry with id '{}'",
        key.name,
        key.registry.account()
    );
    JsonError::new("ImageNotFoundException", message)
}

fn tags_of(repository: &Repository, digest: Digest) -> Vec<&str> {
    repository.tags_of(digest).map(Tag::as_str).collect()
}

fn details(key: &RepositoryKey, repository: &Repository, digest: Digest) -> Value {
    let mut details = json!({
        "registryId": key.registry.account().to_string(),
        "repositoryName": key.name,
        "imageDigest": digest,
    });
    if let Some(record) = repository.manifests.get(&digest) {
        details["imageManifestMediaType"] = json!(record.media_type);
        details["imageSizeInBytes"] = json!(record.image_size);
        details["imagePushedAt"] = json!(record.pushed);
        if let Some(artifact_type) = &record.artifact_type {
            details["artifactMediaType"] = json!(artifact_type);
        }
    }
    let tags = tags_of(repository, digest);
    if !tags.is_empty() {
        details["imageTags"] = json!(tags);
    }
    details
}

/// Deletes images by digest, and tags by tag.
pub(super) async fn delete(cloud: Arc<Cloud>, caller: &Caller, input: Images) -> Result<Value, JsonError> {
    let (key, _) = input.named.find(&cloud, caller, "ecr:BatchDeleteImage")?;
    let image_ids = input.image_ids.unwrap_or_default();
    check_number(&image_ids)?;
    let delete = move || {
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        cloud.store.change(&key, |repository| {
            for image in image_ids {
                match delete_one(repository, &image) {
                    Ok(gone) => deleted.extend(gone),
                    Err((code, reason)) => failures.push(json!({
                        "imageId": image, "failureCode": code, "failureReason": reason,
                    })),
                }
            }
            Ok::<_, JsonError>(())
        })?;
        Ok::<_, JsonError>(json!({ "imageIds": deleted, "failures": failures }))
    };
    blocking(delete).await.map_err(JsonError::server)?
}

fn delete_one(repository: &mut Repository, image: &ImageId) -> Result<Vec<Value>, Failure> {
    let (digest, named_tag) = image.find(repository)?;
    let tags = repository.delete_image(digest, named_tag).map_err(|error| match error {
        StoreError::ImageInIndex => {
            ("ImageReferencedByManifestList", "Requested image referenced by manifest list")
        }
        _ => NOT_FOUND,
    })?;
    if tags.is_empty() {
        return Ok(vec![json!({ "imageDigest": digest })]);
    }
    Ok(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag.as_str() })).collect())
}
