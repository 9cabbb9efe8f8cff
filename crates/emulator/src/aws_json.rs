//! The protocol of ECR and ECR Public: AWS JSON 1.1.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::iam::Denied;
use crate::request_body::{self, BodyError};
use crate::sigv4::SignatureError;
use crate::store::StoreError;

/// Far more than any emulated operation takes.
const MAX_BODY: usize = 1024 * 1024;

/// An error as the SDKs read it: a code in `__type`, and a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl JsonError {
    /// An error that the caller made, which is every error but a server's.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// An error with a status of its own.
    pub(crate) fn with_status(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, ..Self::new(code, message) }
    }

    pub(crate) fn invalid_parameter(name: &str, constraint: &str) -> Self {
        let message = format!("Invalid parameter at '{name}' failed to satisfy constraint: '{constraint}'");
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::new(
            "UnknownOperationException",
            "The operation is not known, or the emulator does not have it.",
        )
    }

    pub(crate) fn server(cause: impl std::fmt::Display) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, code: "ServerException", message: format!("ecru-emulator: {cause}") }
    }
}

impl From<SignatureError> for JsonError {
    fn from(error: SignatureError) -> Self {
        let code = match error {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) | SignatureError::NoDate | SignatureError::MalformedDate(_) => {
                "IncompleteSignatureException"
            }
            SignatureError::UnknownKey => "UnrecognizedClientException",
            SignatureError::Expired => "ExpiredTokenException",
            _ => "InvalidSignatureException",
        };
        Self::new(code, error.to_string())
    }
}

impl From<Denied> for JsonError {
    fn from(denied: Denied) -> Self {
        Self::new("AccessDeniedException", denied.to_string())
    }
}

impl From<StoreError> for JsonError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRepository => {
                Self::new("RepositoryNotFoundException", "The repository was deleted")
            }
            _ => Self::server(error),
        }
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::server(error)
    }
}

impl From<BodyError> for JsonError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                ..Self::new("RequestEntityTooLargeException", error.to_string())
            },
            BodyError::TooSlow | BodyError::Broken => Self::new("RequestTimeoutException", error.to_string()),
        }
    }
}

/// What a request asks for: `X-Amz-Target: <service prefix>.<operation>`.
pub(crate) fn target(headers: &HeaderMap) -> Option<(&str, &str)> {
    headers.get("x-amz-target")?.to_str().ok()?.split_once('.')
}

pub(crate) async fn body(body: Body) -> Result<Bytes, JsonError> {
    Ok(request_body::read(body, MAX_BODY).await?)
}

/// The operation's input. Members that it does not know are ignored, as AWS does.
pub(crate) fn input<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| JsonError::new("SerializationException", error.to_string()))
}

pub(crate) fn respond(cloud: &Cloud, result: Result<Value, JsonError>) -> Response {
    let (status, body) = match result {
        Ok(output) => (StatusCode::OK, output),
        Err(JsonError { status, code, message }) => (status, json!({ "__type": code, "message": message })),
    };
    let headers = [
        (CONTENT_TYPE.as_str(), "application/x-amz-json-1.1".to_owned()),
        ("x-amzn-RequestId", cloud.seal.uuid()),
    ];
    (status, headers, body.to_string()).into_response()
}
