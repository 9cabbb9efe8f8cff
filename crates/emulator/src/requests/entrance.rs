//! What every request passes on its way in: it gets its name, is counted and recorded, and may meet a fault.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::{InProgress, capped, host_without_user};
use crate::aws_query;
use crate::cloud::Cloud;
use crate::faults::{self, Struck};
use crate::operations::{self, Operation, Unnamed};
use crate::sites::host_of;

/// Headers that decide who asks for what, so that there must not be two of them.
const SINGLE_HEADERS: [&str; 4] = ["host", "authorization", "x-amz-target", "x-amz-security-token"];

/// By which door a request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Main,
    Registry,
    Unix,
    Tls,
    Blobs,
    TlsBlobs,
}

impl Listener {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Registry => "registry",
            Self::Unix => "unix",
            Self::Tls => "tls",
            Self::Blobs => "blobs",
            Self::TlsBlobs => "tls-blobs",
        }
    }

    fn is_bucket(self) -> bool {
        matches!(self, Self::Blobs | Self::TlsBlobs)
    }
}

#[derive(Clone)]
struct Entrance {
    cloud: Arc<Cloud>,
    listener: Listener,
}

/// The router, with everything that enters it counted, recorded and exposed to faults.
pub(crate) fn watched(router: Router, cloud: &Arc<Cloud>, listener: Listener) -> Router {
    router.layer(from_fn_with_state(Entrance { cloud: cloud.clone(), listener }, enter))
}

async fn enter(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    let Entrance { cloud, listener } = &entrance;
    let since = Instant::now();
    let Named { operation, mut request, refusal } = named(cloud, *listener, request).await;
    if let Some((service, name)) = operation {
        cloud.calls.count(service, name);
    }
    let entry = cloud.requests.open(*listener, &request, operation, cloud.now());
    let progress = InProgress { entry: entry.clone(), since };
    let is_head = request.method() == Method::HEAD;
    let response = match refusal {
        Some(refusal) => refusal,
        None => {
            let host = host_without_user(host_of(request.uri(), request.headers()));
            let fault = cloud.faults.striking(operation, host, request.uri().path());
            entry.locked().fault = fault.as_ref().map(|fault| capped(&fault.to_string()));
            request.extensions_mut().insert(entry.clone());
            match fault {
                None => next.run(request).await,
                Some(fault) => {
                    let service = operation.map_or("", |(service, _)| service);
                    faults::answer(&fault, Struck { cloud, service, request, next }).await
                }
            }
        }
    };
    entry.locked().status = Some(response.status().as_u16());
    if is_head || response.body().is_end_stream() {
        return response;
    }
    response.map(|body| Body::new(Recorded { body, progress }))
}

/// A request with its operation, or with the reason for which it goes no further.
struct Named {
    operation: Option<Operation>,
    request: Request,
    refusal: Option<Response>,
}

async fn named(cloud: &Cloud, listener: Listener, request: Request) -> Named {
    if is_ambiguous(&request) {
        let refusal = (StatusCode::BAD_REQUEST, "the request has no host, or contradictory headers\n");
        return Named { operation: None, request, refusal: Some(refusal.into_response()) };
    }
    if listener.is_bucket() {
        return Named { operation: operations::of_bucket(&request), request, refusal: None };
    }
    match operations::of_request(request).await {
        Ok((operation, request)) => Named { operation, request, refusal: None },
        Err(Unnamed { parts, error }) => Named {
            operation: Some(("sts", "Unknown")),
            request: Request::from_parts(parts, Body::empty()),
            refusal: Some(aws_query::respond(cloud, Err(error.into()))),
        },
    }
}

/// Whether two readers could take it for two different requests. HTTP/1.1 asks for one `Host`, and for 400 otherwise
/// (RFC 9112 §3.2); hyper leaves that to its users.
fn is_ambiguous(request: &Request) -> bool {
    let count = |name: &str| request.headers().get_all(name).iter().count();
    let has_no_host = count("host") == 0 && request.version() == Version::HTTP_11;
    has_no_host || SINGLE_HEADERS.into_iter().any(|name| count(name) > 1)
}

/// A body whose bytes are counted before they are sent, so that who has received them finds them in the log.
struct Recorded {
    body: Body,
    progress: InProgress,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            self.progress.entry.locked().bytes += data.map_or(0, |data| data.len() as u64);
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
