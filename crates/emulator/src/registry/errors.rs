//! What `/v2/` refuses, in ECR's words where they are known, else in the OCI distribution specification's codes.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::names::{Digest, RepositoryName, Tag};
use crate::ecr::unknown_repository;
use crate::iam::Denied;
use crate::request_body::BodyError;
use crate::store::StoreError;

/// Why a request to a registry fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    /// No credential, or none that this emulator made; with the challenge to answer.
    #[error("Not Authorized")]
    Unauthorized(String),
    /// The password is older than 12 hours, or of another region: ECR says the same for both.
    #[error("Your authorization token has expired. Reauthenticate and try again.")]
    TokenExpired,
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A change to a public repository by nobody in particular.
    #[error("Not Authorized")]
    AnonymousChange,
    #[error("not found")]
    NoSuchRoute,
    #[error("the operation is not supported")]
    Unsupported,
    #[error("invalid repository name")]
    NameInvalid,
    #[error("{}", unknown_repository(.0, .1))]
    NameUnknown(String, RepositoryName),
    #[error("`n` is not a number of results")]
    PageSizeInvalid,
    #[error("invalid tag")]
    TagInvalid,
    #[error(
        "The image tag '{}' already exists in the '{}' repository and cannot be overwritten because the repository \
         is immutable.",
        .0.as_str(), .1
    )]
    TagImmutable(Tag, RepositoryName),
    /// It was there when the request began.
    #[error("the repository was deleted")]
    RepositoryGone,
    #[error("invalid digest, or one that is not of the content")]
    DigestInvalid,
    #[error("Requested image not found")]
    ManifestUnknown,
    #[error("invalid manifest: {0}")]
    ManifestInvalid(String),
    #[error("the manifest refers to {0}, which is not in the repository")]
    ManifestBlobUnknown(Digest),
    /// In the words of BatchDeleteImage.
    #[error("Requested image referenced by manifest list: {0}")]
    ManifestReferenced(Digest),
    #[error("blob unknown to the repository")]
    BlobUnknown,
    #[error("upload unknown to the repository")]
    UploadUnknown,
    #[error("upload failed: {0}")]
    UploadInvalid(String),
    #[error("too many uploads are open")]
    TooManyUploads,
    #[error("{0}")]
    TooLarge(String),
    #[error("ecru-emulator: {0}")]
    Server(String),
}

impl RegistryError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::TokenExpired | Self::Denied(_) | Self::AnonymousChange | Self::ManifestReferenced(_) => {
                (StatusCode::FORBIDDEN, "DENIED")
            }
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::NameInvalid => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NameUnknown(..) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::PageSizeInvalid => (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID"),
            Self::RepositoryGone => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::TagInvalid | Self::TagImmutable(..) => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Self::DigestInvalid => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::ManifestUnknown => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::BlobUnknown => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadInvalid(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::TooManyUploads => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            Self::Server(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        if let Self::Unauthorized(realm) = &self {
            return challenge(realm);
        }
        let (status, code) = self.status_and_code();
        let body = json!({ "errors": [{ "code": code, "message": self.to_string() }] });
        (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
    }
}

/// ECR's 401: plain text, and headers as captured in NVIDIA/enroot issue 59 and google/go-containerregistry issue
/// 861, the empty `Sizes` included.
fn challenge(realm: &str) -> Response {
    let headers = [
        (WWW_AUTHENTICATE.as_str(), realm),
        (CONTENT_TYPE.as_str(), "text/plain; charset=utf-8"),
        ("sizes", ""),
    ];
    (StatusCode::UNAUTHORIZED, headers, "Not Authorized\n").into_response()
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRepository => Self::RepositoryGone,
            _ => Self::Server(error.to_string()),
        }
    }
}

impl From<std::io::Error> for RegistryError {
    fn from(error: std::io::Error) -> Self {
        Self::Server(error.to_string())
    }
}

impl From<tokio::task::JoinError> for RegistryError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Server(error.to_string())
    }
}

impl From<BodyError> for RegistryError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge(error.to_string()),
            BodyError::TooSlow | BodyError::Broken => Self::UploadInvalid(error.to_string()),
        }
    }
}
