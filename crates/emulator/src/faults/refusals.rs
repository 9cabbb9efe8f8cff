//! Errors that no request deserved, in the shape that each service gives its own.

use std::num::NonZeroU32;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::aws_json::{self, JsonError};
use crate::aws_query::{self, QueryError};
use crate::cloud::Cloud;
use crate::imds;

const MESSAGE: &str = "ecru-emulator: a fault was set";

/// An error with this status.
pub(super) fn refusal(cloud: &Cloud, service: &str, status: StatusCode) -> Response {
    let (json, query, registry, s3) = codes(status);
    match service {
        "ecr" | "ecr-public" => aws_json::respond(cloud, Err(JsonError::with_status(status, json, MESSAGE))),
        "sts" => aws_query::respond(cloud, Err(QueryError::new(status, query, MESSAGE))),
        "imds" => imds::refusal(status),
        "registry" => of_registry(status, registry, MESSAGE),
        "s3" => of_bucket(cloud, status, s3, MESSAGE),
        _ => (status, MESSAGE).into_response(),
    }
}

/// Error codes by status: of ECR ("Common errors", Amazon ECR API reference), of the Query protocol ("Common errors",
/// AWS STS API reference), of the OCI distribution specification, and of Amazon S3 ("Error responses", API reference).
fn codes(status: StatusCode) -> (&'static str, &'static str, &'static str, &'static str) {
    match status.as_u16() {
        401 => ("UnrecognizedClientException", "InvalidClientTokenId", "UNAUTHORIZED", "AccessDenied"),
        403 => ("AccessDeniedException", "AccessDenied", "DENIED", "AccessDenied"),
        404 => ("UnknownOperationException", "InvalidAction", "NAME_UNKNOWN", "NoSuchKey"),
        429 => ("ThrottlingException", "Throttling", "TOOMANYREQUESTS", "SlowDown"),
        503 => ("ServiceUnavailableException", "ServiceUnavailable", "UNAVAILABLE", "SlowDown"),
        400..=499 => ("ValidationException", "ValidationError", "UNSUPPORTED", "InvalidRequest"),
        _ => ("ServerException", "InternalFailure", "UNKNOWN", "InternalError"),
    }
}

/// What a caller that asks too often is told. The JSON and Query protocols say 400 and no time ("Common errors", as
/// above); a registry says 429, S3 503 SlowDown. The user guide of EC2 gives no status for metadata that is asked for
/// too often, only the advice to back off: it is 503 here, which its clients take for a reason to.
pub(super) fn throttling(cloud: &Cloud, service: &str, retry_after: Option<NonZeroU32>) -> Response {
    const RATE: &str = "Rate exceeded";
    let mut response = match service {
        "ecr" | "ecr-public" => aws_json::respond(cloud, Err(JsonError::new("ThrottlingException", RATE))),
        "sts" => {
            let error = QueryError::new(StatusCode::BAD_REQUEST, "Throttling", RATE);
            return aws_query::respond(cloud, Err(error));
        }
        "imds" => imds::refusal(StatusCode::SERVICE_UNAVAILABLE),
        "s3" => {
            of_bucket(cloud, StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        "registry" => of_registry(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", RATE),
        _ => (StatusCode::TOO_MANY_REQUESTS, RATE).into_response(),
    };
    let has_retry_after = response.status() != StatusCode::BAD_REQUEST;
    if let Some(seconds) = retry_after.filter(|_| has_retry_after) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.get()));
    }
    response
}

fn of_registry(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    let headers = [
        (CONTENT_TYPE.as_str(), "application/json; charset=utf-8"),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    (status, headers, body.to_string()).into_response()
}

fn of_bucket(cloud: &Cloud, status: StatusCode, code: &str, message: &str) -> Response {
    let request_id = cloud.seal.uuid();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>{request_id}</RequestId></Error>"
    );
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}
