//! Pull-through caches: what a pull asks for and the repository lacks is imported from upstream, the repository being
//! created if need be.
//!
//! Besides the permissions of every pull, whoever pulls needs `ecr:BatchImportUpstreamImage`, `ecr:CreateRepository` if
//! there is no such repository, and `ecr:TagResource` if it is created with tags ("IAM permissions required to sync an
//! upstream registry with an Amazon ECR private registry", Amazon ECR user guide). Who lacks one of them reads that the
//! repository, or the image, is not there ("Troubleshooting pull through cache issues", the same guide).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::errors::RegistryError;
use super::names::{Digest, Reference};
use super::{Visitor, created};
use crate::accounts::Registry;
use crate::cloud::{Cloud, blocking};
use crate::iam;
use crate::principals::Principal;
use crate::store::{AppliedFor, CreationTemplate, Repository, RepositoryKey, Settings, StoreError, Upstream};

/// Imports an image that a repository lacks and its upstream has. Where there is no rule, no permission or nothing
/// upstream, all stays as it is.
pub(super) async fn fill(
    cloud: &Arc<Cloud>,
    visitor: &Visitor,
    key: &RepositoryKey,
    reference: &str,
) -> Result<(), RegistryError> {
    let (Visitor::Known(principal), Ok(reference)) = (visitor, reference.parse()) else { return Ok(()) };
    let Some(origin) = origin(cloud, key) else { return Ok(()) };
    let cached = cloud.store.find(key);
    if cached.as_ref().is_some_and(|cached| image(cached, &reference).is_some()) {
        return Ok(());
    }
    let settings = settings(cloud, key);
    if !may_import(cloud, principal, key, cached.is_none().then_some(&settings)) {
        return Ok(());
    }
    let Some(upstream) = cloud.store.find(&origin) else { return Ok(()) };
    let Some(digest) = image(&upstream, &reference) else { return Ok(()) };
    if cached.is_none() {
        created(cloud, key, settings).await?;
    }
    let (cloud, key, now) = (cloud.clone(), key.clone(), cloud.now().unix_timestamp());
    let import = move || {
        cloud.store.change(&key, |repository| {
            copy(&upstream, digest, repository, now);
            if let Reference::Tag(tag) = reference {
                repository.tags.insert(tag, digest);
            }
            Ok::<_, StoreError>(())
        })
    };
    Ok(blocking(import).await??)
}

/// The repository upstream that a rule names for this one.
fn origin(cloud: &Cloud, key: &RepositoryKey) -> Option<RepositoryKey> {
    let Registry::Private(registry) = &key.registry else { return None };
    let settings = cloud.store.settings(registry);
    let (upstream, name) = settings.cache_rules.origin_of(&key.name)?;
    let (registry, name) = match upstream {
        Upstream::Ecr(registry) => (Registry::Private(registry.clone()), name.as_str()),
        Upstream::EcrPublic => {
            let (alias, name) = name.split_once('/')?;
            (Registry::Public(cloud.public_aliases.owner(alias)?), name)
        }
    };
    Some(RepositoryKey { registry, name: name.parse().ok()? })
}

/// What the repository is created with: as a template for caches says, if there is one.
fn settings(cloud: &Cloud, key: &RepositoryKey) -> Settings {
    let Registry::Private(registry) = &key.registry else { return Settings::default() };
    let settings = cloud.store.settings(registry);
    let template = settings.template_for(&key.name, AppliedFor::PullThroughCache);
    template.map(CreationTemplate::settings).unwrap_or_default()
}

/// Whether the principal may import, and `creating` such a repository.
fn may_import(
    cloud: &Cloud,
    principal: &Principal,
    key: &RepositoryKey,
    creating: Option<&Settings>,
) -> bool {
    let mut actions = vec!["ecr:BatchImportUpstreamImage"];
    if let Some(settings) = creating {
        actions.push("ecr:CreateRepository");
        if !settings.tags.is_empty() {
            actions.push("ecr:TagResource");
        }
    }
    let may = |action| iam::authorize_on_repository(cloud, principal, action, key).is_ok();
    actions.into_iter().all(may)
}

fn image(repository: &Repository, reference: &Reference) -> Option<Digest> {
    let digest = match reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => *repository.tags.get(tag)?,
    };
    repository.manifests.contains_key(&digest).then_some(digest)
}

/// Lists an image with all that it needs in another repository; the content is the same in all of them.
fn copy(from: &Repository, image: Digest, to: &mut Repository, now: i64) {
    let (mut waiting, mut seen) = (vec![image], BTreeSet::new());
    while let Some(digest) = waiting.pop() {
        let Some(record) = from.manifests.get(&digest).filter(|_| seen.insert(digest)) else { continue };
        waiting.extend(&record.children);
        let sizes = record.blobs.iter().filter_map(|blob| Some((*blob, *from.blobs.get(blob)?)));
        to.blobs.extend(sizes);
        let mut record = record.clone();
        record.pushed = now;
        to.manifests.entry(digest).or_insert(record);
    }
}
