//! What the emulated GitLab answers: how its tokens can be verified (OpenID Connect Discovery 1.0).

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::cloud::{Entrance, blocking};
use crate::sites::Site;

/// The operation as the call counters name it, for a path below `/gitlab/`.
pub(crate) fn operation(path: &str) -> Option<&'static str> {
    match path {
        ".well-known/openid-configuration" => Some("GetConfiguration"),
        "oauth/discovery/keys" => Some("GetKeys"),
        _ => None,
    }
}

/// Answers a request for `/gitlab/<path>`.
pub(crate) async fn answer(
    State(entrance): State<Entrance>,
    site: Site,
    Path(path): Path<String>,
    method: Method,
) -> Response {
    if site != Site::Any {
        return StatusCode::NOT_FOUND.into_response();
    }
    let cloud = entrance.cloud;
    let Some(operation) = operation(&path) else { return StatusCode::NOT_FOUND.into_response() };
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let document = if operation == "GetKeys" {
        match blocking(move || cloud.providers.gitlab.key_set()).await {
            Ok(Ok(keys)) => keys,
            _ => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    } else {
        cloud.providers.gitlab.configuration()
    };
    ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
