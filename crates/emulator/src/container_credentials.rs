//! Where containers find the credentials of their role: the endpoints of the Amazon ECS agent and of the EKS Pod
//! Identity Agent ("Container credential provider", AWS SDKs and tools reference guide).
//!
//! Their real paths, `/v2/credentials/<id>` at 169.254.170.2 and `/v1/credentials` at 169.254.170.23, would meet the
//! registry on the main listener, so that they are others here. SDKs take any path by
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI`.

use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::accounts::AccountId;
use crate::clock::rfc3339;
use crate::cloud::{Cloud, Entrance};
use crate::principals::Principal;
use crate::renewed_session::RenewedSession;
use crate::seal::Seal;
use crate::sites::Site;

/// The paths of the endpoints; that of ECS goes on with an identifier.
pub(crate) const ECS_PATH: &str = "/ecs/credentials/";
pub(crate) const EKS_PATH: &str = "/eks/v1/credentials";

/// The one task and the one pod, which have the same role.
pub(crate) struct Containers {
    role_arn: String,
    account: AccountId,
    task: RenewedSession,
    pod: RenewedSession,
    pub(crate) task_id: String,
    pub(crate) task_token: SecretString,
    pub(crate) pod_token: SecretString,
}

impl Containers {
    pub(crate) fn new(account: AccountId, role: &str, seal: &Seal) -> Self {
        let session = |name: &str| RenewedSession::new(Principal::role_session(account, role, name));
        let token = |kind| format!("ecru-emulator-{kind}-{}", hex::encode(seal.unpredictable())).into();
        let task_id = seal.uuid();
        Self {
            role_arn: format!("arn:aws:iam::{account}:role/{role}"),
            account,
            // The form of a task's identifier. What ECS names its sessions is not documented.
            task: session(&task_id.replace('-', "")),
            // `eks-<cluster>-<pod>-<UUID>` (Amazon EKS API reference, AssumedRoleUser).
            pod: session(&format!("eks-ecru-emulator-pod-{}", seal.uuid())),
            task_id,
            task_token: token("task"),
            pod_token: token("pod"),
        }
    }

    fn credentials(&self, session: &RenewedSession, cloud: &Cloud) -> Value {
        let keys = session.keys(cloud);
        json!({
            "RoleArn": self.role_arn,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key.expose_secret(),
            "Token": keys.session_token.expose_secret(),
            "Expiration": rfc3339(keys.expires),
        })
    }
}

/// Why there are no credentials; SDKs show `code` and `message`. The code about identifiers is the ECS agent's, the
/// others are the emulator's.
pub(crate) enum Refusal {
    NotFound,
    Method,
    NoToken,
    WrongToken,
    UnknownId,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "NotFound", "there are no credentials here"),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "credentials are read by GET")
            }
            Self::NoToken => {
                (StatusCode::UNAUTHORIZED, "Unauthorized", "the header Authorization is missing")
            }
            Self::WrongToken => {
                (StatusCode::UNAUTHORIZED, "Unauthorized", "the authorization token is wrong")
            }
            Self::UnknownId => (StatusCode::BAD_REQUEST, "InvalidIdInRequest", "no task has this identifier"),
        };
        (status, json_response(&json!({ "code": code, "message": message }))).into_response()
    }
}

/// Answers a request for `/ecs/credentials/<id>`.
pub(crate) async fn answer_ecs(
    State(entrance): State<Entrance>,
    site: Site,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let cloud = &entrance.cloud;
    let containers = &cloud.containers;
    check_request(&site, &method)?;
    check_token(&headers, &containers.task_token)?;
    if id != containers.task_id {
        return Err(Refusal::UnknownId);
    }
    Ok(json_response(&containers.credentials(&containers.task, cloud)))
}

/// Answers a request for `/eks/v1/credentials`.
pub(crate) async fn answer_eks(
    State(entrance): State<Entrance>,
    site: Site,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let cloud = &entrance.cloud;
    let containers = &cloud.containers;
    check_request(&site, &method)?;
    check_token(&headers, &containers.pod_token)?;
    let mut credentials = containers.credentials(&containers.pod, cloud);
    credentials["AccountId"] = containers.account.to_string().into();
    Ok(json_response(&credentials))
}

fn check_request(site: &Site, method: &Method) -> Result<(), Refusal> {
    match (site, method) {
        (Site::Any, &Method::GET) => Ok(()),
        (Site::Any, _) => Err(Refusal::Method),
        _ => Err(Refusal::NotFound),
    }
}

/// The header is the token and nothing else: it has no scheme.
fn check_token(headers: &HeaderMap, expected: &SecretString) -> Result<(), Refusal> {
    let given = headers.get(AUTHORIZATION).ok_or(Refusal::NoToken)?;
    // Hashes are compared, so that the time it takes tells nothing about how much of a guess was right.
    let is_same = Sha256::digest(given.as_bytes()) == Sha256::digest(expected.expose_secret());
    if is_same { Ok(()) } else { Err(Refusal::WrongToken) }
}

fn json_response(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}
