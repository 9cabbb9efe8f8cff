//! Runs on an engine that misbehaves: a few routes of the Docker API on a loopback port.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ecru_executor::{
    CredentialLookup, Engine, EngineError, Event, ImageError, JobSpec, LookupFuture, RunError, run_job,
};
use tokio_util::sync::CancellationToken;

/// Answers by method and path; what is not listed gets 404. A `None` is never answered.
#[derive(Default)]
struct FakeEngine {
    answers: HashMap<String, Option<(u16, String)>>,
    requests: Mutex<Vec<String>>,
}

impl FakeEngine {
    fn new() -> Self {
        Self::default()
            .answering("GET /version", 200, r#"{"ApiVersion":"1.41","Version":"20.10.24"}"#)
            .answering("GET /v1.41/info", 200, r#"{"Name":"fake","OSType":"linux","Architecture":"x86_64"}"#)
            .answering("GET /v1.41/containers/json", 200, "[]")
            .answering("GET /v1.41/networks", 200, "[]")
            .answering("GET /v1.41/volumes", 200, r#"{"Volumes":null}"#)
    }

    fn answering(mut self, request: &str, status: u16, body: &str) -> Self {
        self.answers.insert(request.to_owned(), Some((status, body.to_owned())));
        self
    }

    fn silent_on(mut self, request: &str) -> Self {
        self.answers.insert(request.to_owned(), None);
        self
    }

    async fn start(self) -> (Engine, Arc<Self>) {
        let fake = Arc::new(self);
        let address = fake.clone().serve().await;
        (Engine::connect(Some(&address)).await.unwrap(), fake)
    }

    async fn serve(self: Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(respond).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }
}

async fn respond(State(fake): State<Arc<FakeEngine>>, request: Request) -> Response {
    let request = format!("{} {}", request.method(), request.uri().path());
    let answer = fake.answers.get(&request).cloned();
    fake.requests.lock().unwrap().push(request);
    match answer {
        Some(Some((status, body))) => {
            (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body)
                .into_response()
        }
        Some(None) => std::future::pending().await,
        None => (StatusCode::NOT_FOUND, r#"{"message":"page not found"}"#).into_response(),
    }
}

struct Anonymous;

impl CredentialLookup for Anonymous {
    fn credential_for<'a>(&'a self, _image: &'a str) -> LookupFuture<'a> {
        Box::pin(async { Ok(None) })
    }
}

/// Runs a job that gets no further than the fake lets it, and returns the error and the events.
async fn failed_run(engine: &Engine) -> (RunError, Vec<String>) {
    let mut spec = JobSpec::new("test", "localhost/image:1", "true");
    spec.limits.cleanup = Duration::from_millis(300);
    let mut events = Vec::new();
    let mut observer = |event: Event<'_>| events.push(format!("{event:?}"));
    let outcome = run_job(engine, &spec, &Anonymous, &mut observer, &CancellationToken::new()).await;
    (outcome.unwrap_err(), events)
}

const NO_POOL: &str =
    r#"{"message":"could not find an available, non-overlapping IPv4 address pool among the defaults"}"#;

#[tokio::test]
async fn a_network_that_cannot_be_made_ends_the_run_with_a_hint() {
    let (engine, fake) =
        FakeEngine::new().answering("POST /v1.41/networks/create", 500, NO_POOL).start().await;

    let (error, events) = failed_run(&engine).await;

    assert!(matches!(error, RunError::NetworkNotCreated { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("prune")));
    assert!(events.is_empty(), "{events:?}");
    let requests = fake.requests.lock().unwrap();
    assert!(
        requests.iter().all(|request| request.contains(" /v1.41/") || request == "GET /version"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_removed_is_reported() {
    let (engine, _) = FakeEngine::new()
        .answering("POST /v1.41/networks/create", 500, NO_POOL)
        .answering("GET /v1.41/containers/json", 200, r#"[{"Id":"stuck"}]"#)
        .answering("DELETE /v1.41/containers/stuck", 500, r#"{"message":"device or resource busy"}"#)
        .start()
        .await;

    let (_, events) = failed_run(&engine).await;

    assert_eq!(
        events,
        [r#"NotRemoved { kind: "container", name: "stuck", reason: "device or resource busy" }"#]
    );
}

#[tokio::test]
async fn an_engine_that_falls_silent_holds_nobody_up() {
    let (engine, _) = FakeEngine::new()
        .answering("POST /v1.41/networks/create", 500, NO_POOL)
        .silent_on("GET /v1.41/containers/json")
        .start()
        .await;

    let (_, events) = failed_run(&engine).await;

    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with(r#"NotRemoved { kind: "run""#), "{events:?}");
}

/// Connects to a fake engine on a socket of the file system, and then removes the socket. Such a call fails without
/// waiting for anything, other than one over TCP.
async fn engine_that_died() -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let router = Router::new().fallback(respond).with_state(Arc::new(FakeEngine::new()));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Engine::connect(Some(&format!("unix://{}", socket.display()))).await.unwrap()
}

#[tokio::test]
async fn an_engine_that_died_holds_nobody_up() {
    let engine = engine_that_died().await;

    let run = tokio::time::timeout(Duration::from_secs(60), failed_run(&engine));
    let (error, events) = run.await.expect("the removal ends at its limit");

    assert!(matches!(error, RunError::Engine(EngineError::ConnectionLost { .. })), "{error:?}");
    let kinds = ["containers", "networks", "volumes"];
    let told =
        kinds.map(|kind| format!(r#"NotRemoved {{ kind: "{kind}", name: "with the label io.ecru.run="#));
    assert!(events.iter().zip(&told).all(|(event, told)| event.starts_with(told)), "{events:?}");
    assert_eq!(events.len(), kinds.len(), "{events:?}");
}

#[tokio::test]
async fn an_engine_that_refuses_the_connection_says_why() {
    let address =
        Arc::new(FakeEngine::new().answering("GET /v1.41/info", 403, r#"{"message":"not allowed here"}"#))
            .serve()
            .await;

    let error = Engine::connect(Some(&address)).await.unwrap_err();

    assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("403") && error.to_string().contains("not allowed here"), "{error}");
}

#[tokio::test]
async fn a_pull_that_fails_after_it_began_is_a_failure() {
    let stream = "{\"status\":\"Pulling from app\",\"id\":\"1\"}\r\n\
                  {\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n";
    let (engine, _) = FakeEngine::new().answering("POST /v1.41/images/create", 200, stream).start().await;

    let error = engine.pull_image("localhost/app:1", None, None, &mut |_| {}).await.unwrap_err();

    assert!(matches!(error, ImageError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_run_can_be_moved_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let (engine, _) = FakeEngine::new().start().await;
    let spec = JobSpec::new("test", "localhost/image:1", "true");
    let mut observer = |_: Event<'_>| {};
    let cancel = CancellationToken::new();
    cancel.cancel();

    let run = run_job(&engine, &spec, &Anonymous, &mut observer, &cancel);
    is_send(&run);

    assert!(matches!(run.await, Err(RunError::Cancelled)));
}
