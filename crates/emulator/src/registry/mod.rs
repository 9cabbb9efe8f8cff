//! The registry under `/v2/`: the OCI distribution specification 1.1 as Amazon ECR speaks it.
//!
//! Repositories must be created first, blobs are downloaded from another address, and everything needs a password.

mod auth;
mod blobs;
mod errors;
mod manifests;
pub(crate) mod names;
mod tags;
pub(crate) mod uploads;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::cloud::{Cloud, Entrance};
use crate::iam;
use crate::principals::Principal;
use crate::sites::Site;
use crate::store::{Repository, RepositoryKey};
use errors::RegistryError;
use names::RepositoryName;

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
    let registry = match site {
        Site::Any => entrance.registry.clone(),
        Site::Registry(registry) => registry,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let entrance = Entrance { registry, ..entrance };
    let result = if path.is_empty() {
        entrance.cloud.calls.count("registry", "Ping");
        let known = auth::authenticate(&entrance.cloud, &entrance.registry, request.headers());
        known.map(|_| StatusCode::OK.into_response())
    } else {
        perform(&entrance, &path, request).await
    };
    let mut response = result.unwrap_or_else(IntoResponse::into_response);
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert("docker-distribution-api-version", version);
    response
}

async fn perform(entrance: &Entrance, path: &str, request: Request) -> Result<Response, RegistryError> {
    let asked = Route::of(path).and_then(|route| Ok((Operation::of(route.kind, request.method())?, route)));
    let name = asked.as_ref().map_or("Unknown", |(operation, _)| operation.name());
    entrance.cloud.calls.count("registry", name);
    let principal = auth::authenticate(&entrance.cloud, &entrance.registry, request.headers())?;
    let (operation, Route { repository, item, .. }) = asked?;
    let place = Place::find(entrance, principal, repository, operation)?;
    let query = request.uri().query().map(ToOwned::to_owned);
    match operation {
        Operation::HeadBlob => blobs::head(&place, item),
        Operation::GetBlob => blobs::redirect(&place, item, entrance.secure),
        Operation::StartUpload => uploads::start(&place, query.as_deref()).await,
        Operation::GetUpload => uploads::status(&place, item),
        Operation::PatchUpload => uploads::patch(&place, item, request.into_body()).await,
        Operation::PutUpload => uploads::finish(&place, item, query.as_deref(), request.into_body()).await,
        Operation::DeleteUpload => uploads::cancel(&place, item),
        Operation::HeadManifest | Operation::GetManifest => manifests::get(&place, item).await,
        Operation::PutManifest => manifests::put(&place, item, request).await,
        Operation::ListTags => tags::list(&place, query.as_deref()),
    }
}

/// The repository that a request is about, and who asks.
struct Place {
    cloud: Arc<Cloud>,
    principal: Principal,
    key: RepositoryKey,
    repository: Arc<Repository>,
}

impl Place {
    /// Finds the repository after asking whether the principal may know of it: a denial does not tell if it exists.
    fn find(
        entrance: &Entrance,
        principal: Principal,
        name: &str,
        operation: Operation,
    ) -> Result<Self, RegistryError> {
        let (cloud, registry) = (entrance.cloud.clone(), entrance.registry.clone());
        let name: RepositoryName = name.parse().map_err(|_| RegistryError::NameInvalid)?;
        let key = RepositoryKey { registry, name };
        iam::authorize_on_repository(&cloud, &principal, operation.action(), &key)?;
        match cloud.store.find(&key) {
            Some(repository) => Ok(Self { cloud, principal, key, repository }),
            None => Err(RegistryError::NameUnknown(key.registry, key.name)),
        }
    }

    /// The path by which clients reach something of the repository.
    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.key.name)
    }
}

/// A path below `/v2/`, taken apart from its end, since repository names contain slashes.
#[derive(Debug, PartialEq, Eq)]
struct Route<'a> {
    repository: &'a str,
    kind: Kind,
    /// The digest, reference or upload that the path ends with.
    item: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blob,
    Uploads,
    Upload,
    Manifest,
    Tags,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Result<Self, RegistryError> {
        let route = |kind, repository, item| Ok(Self { repository, kind, item });
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return route(Kind::Tags, repository, "");
        }
        // Docker posts to `uploads/`, some clients to `uploads`.
        if let Some(repository) = path.trim_end_matches('/').strip_suffix("/blobs/uploads") {
            return route(Kind::Uploads, repository, "");
        }
        let (rest, item) = path.rsplit_once('/').ok_or(RegistryError::NoSuchRoute)?;
        for (suffix, kind) in
            [("/blobs/uploads", Kind::Upload), ("/blobs", Kind::Blob), ("/manifests", Kind::Manifest)]
        {
            if let Some(repository) = rest.strip_suffix(suffix) {
                return route(kind, repository, item);
            }
        }
        Err(RegistryError::NoSuchRoute)
    }
}

/// What can be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    HeadBlob,
    GetBlob,
    StartUpload,
    GetUpload,
    PatchUpload,
    PutUpload,
    DeleteUpload,
    HeadManifest,
    GetManifest,
    PutManifest,
    ListTags,
}

impl Operation {
    fn of(kind: Kind, method: &Method) -> Result<Self, RegistryError> {
        Ok(match (kind, method) {
            (Kind::Blob, &Method::HEAD) => Self::HeadBlob,
            (Kind::Blob, &Method::GET) => Self::GetBlob,
            (Kind::Uploads, &Method::POST) => Self::StartUpload,
            (Kind::Upload, &Method::GET) => Self::GetUpload,
            (Kind::Upload, &Method::PATCH) => Self::PatchUpload,
            (Kind::Upload, &Method::PUT) => Self::PutUpload,
            (Kind::Upload, &Method::DELETE) => Self::DeleteUpload,
            (Kind::Manifest, &Method::HEAD) => Self::HeadManifest,
            (Kind::Manifest, &Method::GET) => Self::GetManifest,
            (Kind::Manifest, &Method::PUT) => Self::PutManifest,
            (Kind::Tags, &Method::GET) => Self::ListTags,
            _ => return Err(RegistryError::Unsupported),
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::HeadBlob => "HeadBlob",
            Self::GetBlob => "GetBlob",
            Self::StartUpload => "StartUpload",
            Self::GetUpload => "GetUpload",
            Self::PatchUpload => "PatchUpload",
            Self::PutUpload => "PutUpload",
            Self::DeleteUpload => "DeleteUpload",
            Self::HeadManifest => "HeadManifest",
            Self::GetManifest => "GetManifest",
            Self::PutManifest => "PutManifest",
            Self::ListTags => "ListTags",
        }
    }

    /// The IAM action that it needs: the ECR API's own operations, which the registry calls on the client's behalf
    /// (Amazon ECR user guide, IAM permissions for pushing an image).
    const fn action(self) -> &'static str {
        match self {
            Self::HeadBlob => "ecr:BatchCheckLayerAvailability",
            Self::GetBlob => "ecr:GetDownloadUrlForLayer",
            Self::StartUpload => "ecr:InitiateLayerUpload",
            Self::GetUpload | Self::PatchUpload | Self::DeleteUpload => "ecr:UploadLayerPart",
            Self::PutUpload => "ecr:CompleteLayerUpload",
            Self::HeadManifest | Self::GetManifest => "ecr:BatchGetImage",
            Self::PutManifest => "ecr:PutImage",
            Self::ListTags => "ecr:ListImages",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_names_may_look_like_routes() {
        let route = |path| Route::of(path).ok().map(|route| (route.repository, route.kind, route.item));
        assert_eq!(route("a/b/manifests/v1"), Some(("a/b", Kind::Manifest, "v1")));
        assert_eq!(route("a/manifests/manifests/v1"), Some(("a/manifests", Kind::Manifest, "v1")));
        assert_eq!(route("a/blobs/sha256:00"), Some(("a", Kind::Blob, "sha256:00")));
        assert_eq!(route("a/blobs/uploads"), Some(("a", Kind::Uploads, "")));
        assert_eq!(route("a/blobs/uploads/"), Some(("a", Kind::Uploads, "")));
        assert_eq!(route("a/blobs/uploads/id"), Some(("a", Kind::Upload, "id")));
        assert_eq!(route("a/tags/list"), Some(("a", Kind::Tags, "")));
        assert_eq!(route("_catalog"), None);
        assert_eq!(route("a/referrers/sha256:00"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_a_route_or_an_error(path in any::<String>()) {
            let _ = Route::of(&path);
        }
    }
}
