//! The one router: which path and host name lead to which service.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use crate::accounts::Region;
use crate::aws_json::JsonError;
use crate::cloud::Entrance;
use crate::sites::Site;
use crate::{aws_json, aws_query, container_credentials, ecr, ecr_public, imds, oidc, registry, sts};

pub(crate) fn router(entrance: Entrance) -> Router {
    Router::new()
        .route("/", any(aws_api))
        .route("/latest/{*path}", any(imds::answer))
        .route("/ecs/credentials/{*id}", any(container_credentials::answer_ecs))
        .route("/eks/v1/credentials", any(container_credentials::answer_eks))
        .route("/gitlab/{*path}", any(oidc::answer))
        .route("/v2", any(registry::ping))
        .route("/v2/", any(registry::ping))
        .route("/v2/{*path}", any(registry::answer))
        .route("/token", any(registry::public::token))
        .route("/token/", any(registry::public::token))
        .with_state(entrance)
}

/// An API that answers at `/`, with the region that the host name says.
enum Api {
    Ecr(Option<Region>),
    EcrPublic(Option<Region>),
    Sts(Option<Region>),
}

async fn aws_api(State(entrance): State<Entrance>, site: Site, request: Request) -> Response {
    if request.method() != Method::POST {
        return StatusCode::NOT_FOUND.into_response();
    }
    let cloud = entrance.cloud;
    let (parts, body) = request.into_parts();
    let target = aws_json::target(&parts.headers);
    let api = match site {
        Site::EcrApi(region) => Api::Ecr(Some(region)),
        Site::EcrPublicApi(region) => Api::EcrPublic(Some(region)),
        Site::StsApi(region) => Api::Sts(region),
        Site::Registry(_) | Site::Public => return StatusCode::NOT_FOUND.into_response(),
        Site::Any => match target {
            None => Api::Sts(None),
            Some((ecr::TARGET_PREFIX, _)) => Api::Ecr(None),
            Some((ecr_public::TARGET_PREFIX, _)) => Api::EcrPublic(None),
            Some(_) => return aws_json::respond(&cloud, Err(JsonError::unknown_operation())),
        },
    };
    // A target of another service is as good as none.
    let operation_of = |prefix| target.filter(|target| target.0 == prefix).map_or("", |target| target.1);
    match api {
        Api::Ecr(region) => {
            let operation = operation_of(ecr::TARGET_PREFIX);
            let result = ecr::call(cloud.clone(), operation, region.as_ref(), &parts, body).await;
            aws_json::respond(&cloud, result)
        }
        Api::EcrPublic(region) => {
            let operation = operation_of(ecr_public::TARGET_PREFIX);
            let result = ecr_public::call(cloud.clone(), operation, region.as_ref(), &parts, body).await;
            aws_json::respond(&cloud, result)
        }
        Api::Sts(region) => {
            let result = sts::call(&cloud, region.as_ref(), &parts, body).await;
            aws_query::respond(&cloud, result)
        }
    }
}
