//! The registry under `/v2/`: the OCI distribution specification 1.1 as Amazon ECR and ECR Public speak it.
//!
//! Repositories must be created first, unless a template creates them; blobs are downloaded from another address; and
//! everything needs a password, or for ECR Public at least a token that anybody gets.

mod auth;
mod blobs;
mod conversion;
pub(crate) mod documents;
mod errors;
pub(crate) mod manifests;
pub(crate) mod names;
mod operations;
pub(crate) mod public;
mod pull_through;
mod referrers;
mod tags;
pub(crate) mod uploads;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::accounts::{Registry, RegistryId};
use crate::cloud::{Cloud, Entrance, blocking};
use crate::iam;
use crate::principals::Principal;
use crate::requests::note_principal;
use crate::sites::Site;
use crate::store::{AppliedFor, Repository, RepositoryKey, Settings, StoreError};
pub(crate) use errors::RegistryError;
use names::RepositoryName;
use operations::{Operation, Route};

/// What `/v2/` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    Private(RegistryId),
    /// The registries of ECR Public, which one host name serves.
    Public,
}

/// The operation as the call counters name it, for a path below `/v2/`.
pub(crate) fn operation(method: &Method, path: &str) -> &'static str {
    if path.is_empty() {
        return "Ping";
    }
    let operation = Route::of(path).and_then(|route| Operation::of(route.kind, method));
    operation.map_or("Unknown", Operation::name)
}

/// Answers `/v2` and `/v2/`, which tell a client only whether its password is good.
pub(crate) async fn ping(entrance: State<Entrance>, site: Site, request: Request) -> Response {
    answer(entrance, site, Path(String::new()), request).await
}

/// Answers a request for `/v2/<path>`.
pub(crate) async fn answer(
    State(entrance): State<Entrance>,
    site: Site,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let Some(door) = entrance.door_of(&site) else { return StatusCode::NOT_FOUND.into_response() };
    let entrance = Entrance { door, ..entrance };
    let result = perform(&entrance, &site, &path, request).await;
    let mut response = result.unwrap_or_else(IntoResponse::into_response);
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert("docker-distribution-api-version", version);
    response
}

async fn perform(
    entrance: &Entrance,
    site: &Site,
    path: &str,
    request: Request,
) -> Result<Response, RegistryError> {
    let visitor = match &entrance.door {
        Door::Private(registry) => {
            auth::authenticate(&entrance.cloud, registry, request.headers()).map(Visitor::Known)
        }
        Door::Public => public::visitor(entrance, site, request.uri(), request.headers()),
    };
    if let Ok(Visitor::Known(principal)) = &visitor {
        note_principal(request.extensions(), &principal.arn);
    }
    if path.is_empty() {
        return visitor.map(|_| StatusCode::OK.into_response());
    }
    let asked = Route::of(path).and_then(|route| Ok((Operation::of(route.kind, request.method())?, route)));
    let visitor = visitor?;
    let (operation, route) = asked?;
    let place = Place::find(entrance, visitor, &route, operation).await?;
    let item = route.item;
    let query = request.uri().query().map(ToOwned::to_owned);
    match operation {
        Operation::HeadBlob => blobs::head(&place, item),
        Operation::GetBlob => blobs::redirect(&place, item, entrance.secure),
        Operation::StartUpload => uploads::start(&place, query.as_deref()).await,
        Operation::GetUpload => uploads::status(&place, item),
        Operation::PatchUpload => uploads::patch(&place, item, request.into_body()).await,
        Operation::PutUpload => uploads::finish(&place, item, query.as_deref(), request.into_body()).await,
        Operation::DeleteUpload => uploads::cancel(&place, item),
        Operation::HeadManifest | Operation::GetManifest => {
            manifests::get(&place, item, request.headers()).await
        }
        Operation::PutManifest => manifests::put(&place, item, request).await,
        Operation::DeleteManifest => manifests::delete(&place, item).await,
        Operation::ListReferrers => referrers::list(&place, item, query.as_deref()),
        Operation::ListTags => tags::list(&place, query.as_deref()),
    }
}

/// Who asks.
#[derive(Debug)]
enum Visitor {
    Known(Principal),
    /// Anybody, in a public registry.
    Anonymous,
}

impl Visitor {
    /// Whether it may do this to a repository, which need not exist.
    fn permit(&self, cloud: &Cloud, operation: Operation, key: &RepositoryKey) -> Result<(), RegistryError> {
        match (self, &key.registry) {
            (_, Registry::Public(_)) if operation.reads() => Ok(()),
            (Self::Anonymous, _) => Err(RegistryError::AnonymousChange),
            (Self::Known(principal), registry) => {
                Ok(iam::authorize_on_repository(cloud, principal, operation.action(registry), key)?)
            }
        }
    }
}

/// The repository that a request is about, and who asks.
struct Place {
    cloud: Arc<Cloud>,
    visitor: Visitor,
    key: RepositoryKey,
    /// What it is called in paths: in a public registry, its alias goes before.
    path_name: String,
    repository: Arc<Repository>,
}

impl Place {
    /// Finds the repository after asking whether the visitor may know of it: a denial does not tell if it exists.
    async fn find(
        entrance: &Entrance,
        visitor: Visitor,
        route: &Route<'_>,
        operation: Operation,
    ) -> Result<Self, RegistryError> {
        let (cloud, path_name) = (entrance.cloud.clone(), route.repository);
        let (registry, name) = named(entrance, path_name)?;
        let Some(registry) = registry else {
            let alias = path_name.split('/').next().unwrap_or_default();
            return Err(RegistryError::NameUnknown(alias.into(), name));
        };
        let key = RepositoryKey { registry, name };
        visitor.permit(&cloud, operation, &key)?;
        if operation.pulls() {
            pull_through::fill(&cloud, &visitor, &key, route.item).await?;
        }
        let repository = match cloud.store.find(&key) {
            Some(repository) => repository,
            None if operation.pushes() => create_on_push(&cloud, &visitor, &key).await?,
            None => return Err(unknown(&cloud, &key)),
        };
        Ok(Self { cloud, visitor, key, path_name: path_name.into(), repository })
    }

    /// The path by which clients reach something of the repository.
    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.path_name)
    }
}

/// Which registry and repository a path names; no registry, if it names an alias that nobody has.
fn named(entrance: &Entrance, path_name: &str) -> Result<(Option<Registry>, RepositoryName), RegistryError> {
    let name = |text: &str| text.parse().map_err(|_| RegistryError::NameInvalid);
    match &entrance.door {
        Door::Private(registry) => Ok((Some(registry.clone().into()), name(path_name)?)),
        Door::Public => {
            let (alias, rest) = path_name.split_once('/').ok_or(RegistryError::NameInvalid)?;
            let owner = entrance.cloud.public_aliases.owner(alias);
            Ok((owner.map(Registry::Public), name(rest)?))
        }
    }
}

fn unknown(cloud: &Cloud, key: &RepositoryKey) -> RegistryError {
    let registry = match &key.registry {
        Registry::Private(registry) => registry.account.to_string(),
        Registry::Public(account) => cloud.public_aliases.of(*account).to_owned(),
    };
    RegistryError::NameUnknown(registry, key.name.clone())
}

/// Creates a repository for a push, where a repository creation template says so; the pusher needs the permission for
/// it as well ("Private repository creation templates", Amazon ECR user guide).
async fn create_on_push(
    cloud: &Arc<Cloud>,
    visitor: &Visitor,
    key: &RepositoryKey,
) -> Result<Arc<Repository>, RegistryError> {
    let (Registry::Private(registry), Visitor::Known(principal)) = (&key.registry, visitor) else {
        return Err(unknown(cloud, key));
    };
    let settings = cloud.store.settings(registry);
    let template = settings.template_for(&key.name, AppliedFor::CreateOnPush);
    let template = template.ok_or_else(|| unknown(cloud, key))?;
    iam::authorize_on_repository(cloud, principal, "ecr:CreateRepository", key)?;
    created(cloud, key, template.settings()).await
}

/// The repository, made now unless another request made it meanwhile: several layers of one push arrive at once.
async fn created(
    cloud: &Arc<Cloud>,
    key: &RepositoryKey,
    settings: Settings,
) -> Result<Arc<Repository>, RegistryError> {
    let (cloud, key, now) = (cloud.clone(), key.clone(), cloud.now());
    let create = move || match cloud.store.create(key.clone(), settings, now) {
        Err(StoreError::RepositoryExists) => cloud.store.find(&key).ok_or(RegistryError::RepositoryGone),
        created => Ok(created?),
    };
    blocking(create).await?
}
