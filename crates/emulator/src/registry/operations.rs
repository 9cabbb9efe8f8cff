//! Which request means which operation, and which permission each needs.

use axum::http::Method;

use super::errors::RegistryError;
use crate::accounts::Registry;

/// A path below `/v2/`, taken apart from its end, since repository names contain slashes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) repository: &'a str,
    pub(super) kind: Kind,
    /// The digest, reference or upload that the path ends with.
    pub(super) item: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Uploads,
    Upload,
    Manifest,
    Referrers,
    Tags,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Result<Self, RegistryError> {
        let route = |kind, repository, item| Ok(Self { repository, kind, item });
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return route(Kind::Tags, repository, "");
        }
        // Docker posts to `uploads/`, some clients to `uploads`.
        if let Some(repository) = path.trim_end_matches('/').strip_suffix("/blobs/uploads") {
            return route(Kind::Uploads, repository, "");
        }
        let (rest, item) = path.rsplit_once('/').ok_or(RegistryError::NoSuchRoute)?;
        for (suffix, kind) in [
            ("/blobs/uploads", Kind::Upload),
            ("/blobs", Kind::Blob),
            ("/manifests", Kind::Manifest),
            ("/referrers", Kind::Referrers),
        ] {
            if let Some(repository) = rest.strip_suffix(suffix) {
                return route(kind, repository, item);
            }
        }
        Err(RegistryError::NoSuchRoute)
    }
}

/// What can be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
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
    DeleteManifest,
    ListReferrers,
    ListTags,
}

impl Operation {
    pub(super) fn of(kind: Kind, method: &Method) -> Result<Self, RegistryError> {
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
            (Kind::Manifest, &Method::DELETE) => Self::DeleteManifest,
            (Kind::Referrers, &Method::GET) => Self::ListReferrers,
            (Kind::Tags, &Method::GET) => Self::ListTags,
            _ => return Err(RegistryError::Unsupported),
        })
    }

    pub(super) const fn name(self) -> &'static str {
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
            Self::DeleteManifest => "DeleteManifest",
            Self::ListReferrers => "ListReferrers",
            Self::ListTags => "ListTags",
        }
    }

    /// Whether it changes nothing. Everybody may do so in a public registry (Amazon ECR Public user guide, public
    /// registries).
    pub(super) const fn reads(self) -> bool {
        matches!(
            self,
            Self::HeadBlob
                | Self::GetBlob
                | Self::HeadManifest
                | Self::GetManifest
                | Self::ListReferrers
                | Self::ListTags
        )
    }

    /// Whether it is what a pull begins with, so that a cache may be filled for it.
    pub(super) const fn pulls(self) -> bool {
        matches!(self, Self::HeadManifest | Self::GetManifest)
    }

    /// Whether it is part of every push, so that a repository may be created for it.
    pub(super) const fn pushes(self) -> bool {
        matches!(self, Self::StartUpload | Self::PutManifest)
    }

    /// The IAM action that it needs: the ECR API's own operations, which the registry calls on the client's behalf
    /// (Amazon ECR user guide, IAM permissions for pushing an image; Amazon ECR Public user guide, the same).
    pub(super) const fn action(self, registry: &Registry) -> &'static str {
        let (private, public) = match self {
            Self::HeadBlob => ("ecr:BatchCheckLayerAvailability", "ecr-public:BatchCheckLayerAvailability"),
            Self::GetBlob => ("ecr:GetDownloadUrlForLayer", "ecr-public:GetDownloadUrlForLayer"),
            Self::StartUpload => ("ecr:InitiateLayerUpload", "ecr-public:InitiateLayerUpload"),
            Self::GetUpload | Self::PatchUpload | Self::DeleteUpload => {
                ("ecr:UploadLayerPart", "ecr-public:UploadLayerPart")
            }
            Self::PutUpload => ("ecr:CompleteLayerUpload", "ecr-public:CompleteLayerUpload"),
            Self::HeadManifest | Self::GetManifest => ("ecr:BatchGetImage", "ecr-public:BatchGetImage"),
            Self::PutManifest => ("ecr:PutImage", "ecr-public:PutImage"),
            Self::DeleteManifest => ("ecr:BatchDeleteImage", "ecr-public:BatchDeleteImage"),
            // Referrers are read as images are; which action AWS asks for here, it does not document.
            Self::ListReferrers => ("ecr:BatchGetImage", "ecr-public:BatchGetImage"),
            Self::ListTags => ("ecr:ListImages", "ecr-public:ListImages"),
        };
        match registry {
            Registry::Private(_) => private,
            Registry::Public(_) => public,
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
        assert_eq!(route("a/referrers/sha256:00"), Some(("a", Kind::Referrers, "sha256:00")));
        assert_eq!(route("a/tags/list"), Some(("a", Kind::Tags, "")));
        assert_eq!(route("_catalog"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_a_route_or_an_error(path in any::<String>()) {
            let _ = Route::of(&path);
        }
    }
}
