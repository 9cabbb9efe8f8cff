//! What a request asks for, known at the entrance: for counters, faults and the log of requests.

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Path, Request};
use axum::http::Method;
use axum::http::request::Parts;

use crate::container_credentials::{ECS_PATH, EKS_PATH};
use crate::request_body::BodyError;
use crate::sites::Site;
use crate::{aws_json, aws_query, ecr, ecr_public, imds, oidc, registry, sts};

/// An operation that the emulator knows, as `(service, name)`.
pub(crate) type Operation = (&'static str, &'static str);

/// A request whose operation cannot be known, since its body does not arrive.
pub(crate) struct Unnamed {
    pub(crate) parts: Parts,
    pub(crate) error: BodyError,
}

/// The operation of a request to the bucket of layers.
pub(crate) fn of_bucket(request: &Request) -> Option<Operation> {
    request.uri().path().starts_with("/sha256/").then_some(("s3", "GetObject"))
}

/// The operation of a request to any other listener, if it is one that the emulator has a name for. STS says it in
/// the body only, which is read whole then and given back.
pub(crate) async fn of_request(request: Request) -> Result<(Option<Operation>, Request), Unnamed> {
    let (mut parts, body) = request.into_parts();
    let Some(site) = Site::of_request(&parts) else { return Ok((None, Request::from_parts(parts, body))) };
    if parts.uri.path() != "/" {
        let operation = of_path(&site, &mut parts).await;
        return Ok((operation, Request::from_parts(parts, body)));
    }
    if parts.method != Method::POST {
        return Ok((None, Request::from_parts(parts, body)));
    }
    let target = aws_json::target(&parts.headers);
    let operation_of = |prefix| target.filter(|target| target.0 == prefix).map_or("", |target| target.1);
    let operation = match (&site, target) {
        (Site::StsApi(_), _) | (Site::Any, None) => match aws_query::read(body).await {
            Ok(bytes) => {
                let operation = Some(("sts", sts::operation(&bytes)));
                return Ok((operation, Request::from_parts(parts, Body::from(bytes))));
            }
            Err(error) => return Err(Unnamed { parts, error }),
        },
        (Site::EcrApi(_), _) | (Site::Any, Some((ecr::TARGET_PREFIX, _))) => {
            Some(("ecr", ecr::operation(operation_of(ecr::TARGET_PREFIX))))
        }
        (Site::EcrPublicApi(_), _) | (Site::Any, Some((ecr_public::TARGET_PREFIX, _))) => {
            Some(("ecr-public", ecr_public::operation(operation_of(ecr_public::TARGET_PREFIX))))
        }
        _ => None,
    };
    Ok((operation, Request::from_parts(parts, body)))
}

async fn of_path(site: &Site, parts: &mut Parts) -> Option<Operation> {
    // The router has decoded it already. A path that cannot be decoded leads to no operation.
    let below = match Path::<String>::from_request_parts(parts, &()).await {
        Ok(Path(below)) => below,
        Err(_) => String::new(),
    };
    let path = parts.uri.path();
    if path.starts_with("/latest/") && *site == Site::Any {
        return imds::operation(&parts.method, &below).map(|name| ("imds", name));
    }
    if *site == Site::Any && parts.method == Method::GET {
        if path.starts_with(ECS_PATH) {
            return Some(("ecs", "GetCredentials"));
        }
        if path == EKS_PATH {
            return Some(("eks", "GetCredentials"));
        }
        if path.starts_with("/gitlab/") {
            return oidc::operation(&below).map(|name| ("gitlab", name));
        }
    }
    if matches!(path, "/token" | "/token/") {
        let is_asked = parts.method == Method::GET && matches!(site, Site::Any | Site::Public);
        return is_asked.then_some(("registry", "GetToken"));
    }
    let is_registry = path == "/v2" || path == "/v2/" || path.starts_with("/v2/");
    let serves_registry = matches!(site, Site::Any | Site::Registry(_) | Site::Public);
    (is_registry && serves_registry).then(|| ("registry", registry::operation(&parts.method, &below)))
}
