//! The control address: what tests and people outside this process ask and tell an emulator.
//!
//! It is no part of emulated AWS, so it has a listener of its own. A page in a browser must not reach it, not even by
//! a name that it lets point to loopback: requests from pages carry `Origin`, and those for such a name the name, so
//! both are refused.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::faults::Fault;
use crate::request_body;

/// A full list of the longest faults fits.
const MAX_BODY: usize = 256 * 1024;

pub(crate) fn router(cloud: Arc<Cloud>, address: SocketAddr) -> Router {
    Router::new()
        .route("/calls", get(calls))
        .route("/calls/reset", post(reset_calls))
        .route("/requests", get(requests))
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/stop", post(stop))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "there is no such path", Some(PATHS)) })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "the path has no such method", Some(PATHS))
        })
        .with_state(cloud)
        .layer(from_fn_with_state(address, no_strangers))
        .layer(middleware::map_response(uncached))
}

const PATHS: &str = "GET /calls, POST /calls/reset, GET /requests, GET, POST or DELETE /faults, POST /stop";

/// An error, as `{"error": …, "hint": …}`.
struct Refusal {
    status: StatusCode,
    error: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>, hint: Option<&str>) -> Self {
        Self { status, error: error.into(), hint: hint.map(Into::into) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, error, hint } = self;
        let body = match hint {
            Some(hint) => json!({ "error": error, "hint": hint }),
            None => json!({ "error": error }),
        };
        (status, as_json(&body)).into_response()
    }
}

fn as_json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn uncached(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, value);
    response
}

/// Lets only requests through that name this very address and that no page of a browser makes.
async fn no_strangers(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    match check_strangers(address, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check_strangers(address: SocketAddr, request: &Request) -> Result<(), Refusal> {
    let is_forwarded =
        |headers: &HeaderMap| headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
    if request.headers().contains_key(ORIGIN) || is_forwarded(request.headers()) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "requests of web pages and proxies are refused",
            None,
        ));
    }
    let own = [address.to_string(), format!("localhost:{}", address.port())];
    let is_own = |host: &str| own.iter().any(|own| own.eq_ignore_ascii_case(host));
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
    let named = matches!(hosts.as_slice(), [host] if host.to_str().is_ok_and(is_own));
    let asked = request.uri().authority().is_none_or(|authority| is_own(authority.as_str()));
    if named && asked {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::MISDIRECTED_REQUEST,
        error: "the request is for another host".into(),
        hint: Some(format!("ask http://{address}")),
    })
}

async fn calls(State(cloud): State<Arc<Cloud>>) -> Response {
    as_json(&cloud.calls.snapshot())
}

async fn reset_calls(State(cloud): State<Arc<Cloud>>) -> Response {
    as_json(&cloud.calls.take())
}

async fn requests(State(cloud): State<Arc<Cloud>>) -> Response {
    as_json(&json!({ "requests": cloud.requests.snapshot() }))
}

async fn faults(State(cloud): State<Arc<Cloud>>) -> Response {
    as_json(&json!({ "faults": cloud.faults.states() }))
}

/// Adds one fault or a list of them, each as JSON or as the text of a rule; all or none.
async fn add_faults(State(cloud): State<Arc<Cloud>>, body: Body) -> Result<Response, Refusal> {
    let bad = |error: String, hint| Refusal { status: StatusCode::BAD_REQUEST, error, hint };
    let body = request_body::read(body, MAX_BODY).await.map_err(|error| bad(error.to_string(), None))?;
    let value: Value = serde_json::from_slice(&body).map_err(|error| {
        bad(
            format!("the body is not JSON: {error}"),
            Some("\"ecr:GetAuthorizationToken=latency:200ms\"".into()),
        )
    })?;
    let values = match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    let parse = |value: Value| match value {
        Value::String(text) => Fault::parse(&text).map_err(|error| bad(error.to_string(), error.hint())),
        other => serde_json::from_value(other).map_err(|error| bad(error.to_string(), None)),
    };
    let new = values.into_iter().map(parse).collect::<Result<Vec<Fault>, _>>()?;
    cloud.faults.add(new).map_err(|error| bad(error.to_string(), error.hint()))?;
    Ok(faults(State(cloud)).await)
}

async fn clear_faults(State(cloud): State<Arc<Cloud>>) -> Result<Response, Refusal> {
    let cleared = cloud.faults.replace(Vec::new());
    cleared.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string(), None))?;
    Ok(faults(State(cloud)).await)
}

/// Whoever owns the emulator ends it; this only says so.
async fn stop(State(cloud): State<Arc<Cloud>>) -> Response {
    cloud.stop_requested.cancel();
    (StatusCode::ACCEPTED, as_json(&json!({ "stopping": true }))).into_response()
}
