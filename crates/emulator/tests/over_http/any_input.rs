//! Whatever arrives, the emulator answers it or closes the connection, and goes on serving.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ecru_emulator::Options;
use hyper::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::client::Call;
use crate::stage::Stage;

const CASES: u32 = 200;
/// Far beyond anything an answer takes; a request that is never answered fails the test instead of hanging it.
const DEADLINE: Duration = Duration::from_secs(60);

fn check<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap();
}

/// Sends bytes, with `end` as the last that will come, and reads what comes back until the emulator closes.
async fn exchange(address: SocketAddr, bytes: &[u8], end: bool) -> Result<Vec<u8>, TestCaseError> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the emulator listens");
        let _ = stream.write_all(bytes).await;
        if end {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::time::timeout(DEADLINE, exchange).await.map_err(|_| TestCaseError::fail("no answer"))
}

fn assert_still_serving(runtime: &Runtime, stage: &Stage) {
    assert_eq!(runtime.block_on(Call::get(stage.main(), "/v2/").send()).status, 401);
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    files
}

#[test]
fn any_bytes_on_a_connection() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new());
    for address in [stage.main(), stage.emulator.addresses().blob] {
        check(&any::<Vec<u8>>(), |bytes| runtime.block_on(exchange(address, &bytes, true)).map(drop));
    }
    assert_still_serving(&runtime, &stage);
}

#[test]
fn any_path_method_and_body_get_an_answer() {
    let runtime = Runtime::new().unwrap();
    let parent = tempfile::tempdir().unwrap();
    let state = parent.path().join("state");
    let stage = runtime.block_on(Stage::with(Options { state_dir: Some(state), ..Options::default() }));
    stage.create("app");
    let authorization = runtime.block_on(stage.own_basic());
    let before = files_below(parent.path());

    let method = prop::sample::select(vec!["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "X"]);
    let word = prop::sample::select(vec![
        "v2",
        "app",
        "blobs",
        "uploads",
        "manifests",
        "referrers",
        "tags",
        "list",
        "latest",
        "meta-data",
        "api",
        "token",
        "sha256:00",
        "..",
        "%2e%2e",
        "%2f",
        "%00",
        "%ff",
        "?mount=",
        "?digest=",
        "&from=app",
        "",
    ]);
    let piece = prop_oneof![3 => word.prop_map(String::from), 1 => "[!-~]{0,8}"];
    let path = prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.join("/")));
    check(&(method, path, any::<Vec<u8>>()), |(method, path, body)| {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let answer = runtime.block_on(exchange(stage.main(), &request, false))?;
        prop_assert!(answer.starts_with(b"HTTP/1.1 "), "no answer to {method} {path}");
        prop_assert!(!answer.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    });
    assert_still_serving(&runtime, &stage);
    runtime.block_on(stage.emulator.stop());
    let uploads = parent.path().join("state/uploads").display().to_string();
    let after: Vec<String> =
        files_below(parent.path()).into_iter().filter(|file| !file.starts_with(&uploads)).collect();
    assert_eq!(after, before);
}

#[test]
fn any_request_to_ecr_public_gets_an_answer() {
    let runtime = Runtime::new().unwrap();
    let options = Options { public_port: Some(0), ..Options::default() };
    let stage = runtime.block_on(Stage::with(options));
    let public = stage.registry("public.ecr.aws");
    let token = runtime.block_on(Call::get(public, "/token/").send()).json()["token"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let authorization =
        prop_oneof![Just(bearer), "Bearer [ -~]{0,60}", "Basic [A-Za-z0-9+/=]{0,60}", "[!-~][ -~]{0,60}"];
    let path = prop_oneof![
        "/token/?(\\?[!-~&&[^#]]{0,20})?",
        "/v2/(ecru-emulator-00|[a-z%]{0,9})/[a-z/]{0,9}/(manifests|blobs|referrers|tags)/[!-~&&[^#]]{0,20}",
    ];
    let method = prop::sample::select(vec!["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]);
    let host = "[!-~]{0,20}";
    check(&(method, path, host, authorization), |(method, path, host, authorization)| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\nconnection: close\r\n\r\n"
        );
        let answer = runtime.block_on(exchange(public, request.as_bytes(), false))?;
        prop_assert!(answer.starts_with(b"HTTP/1.1 "), "no answer to {method} {path}");
        prop_assert!(!answer.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    });
    assert_still_serving(&runtime, &stage);
}

#[test]
fn any_api_call_gets_an_answer() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new());
    let target = prop_oneof![
        Just("AmazonEC2ContainerRegistry_V20150921.CreateRepository".to_owned()),
        Just("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken".to_owned()),
        Just("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories".to_owned()),
        Just("AmazonEC2ContainerRegistry_V20150921.SetRepositoryPolicy".to_owned()),
        Just("AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage".to_owned()),
        Just("AmazonEC2ContainerRegistry_V20150921.ListImages".to_owned()),
        Just("SpencerFrontendService.GetAuthorizationToken".to_owned()),
        "[ -~]{0,40}",
    ];
    let host =
        prop_oneof![Just("localhost".to_owned()), "[a-z0-9.:]{0,30}", "[a-z0-9.]{0,9}\\.amazonaws\\.com"];
    let body = prop_oneof![
        any::<Vec<u8>>(),
        "\\{\"(registryIds|repositoryNames|repositoryName|maxResults|nextToken)\":[\\[\\]{}\"a-z0-9,-]{0,20}\\}"
            .prop_map(String::into_bytes),
        "Version=2011-06-15&Action=AssumeRole&(RoleArn|DurationSeconds|RoleSessionName)=[ -~]{0,40}"
            .prop_map(String::into_bytes),
    ];
    let service = prop::sample::select(vec!["ecr", "ecr-public", "sts"]);
    let authorization = prop::option::weighted(0.25, "[ -~]{0,80}");
    check(&(target, host, service, authorization, body), |(target, host, service, authorization, body)| {
        let call = Call::new(Method::POST, stage.main(), "/")
            .header("x-amz-target", &target)
            .header("host", &host)
            .body(body)
            .signed(&stage.signer(0, "us-east-1", service));
        let call = match &authorization {
            Some(broken) => call.header("authorization", broken),
            None => call,
        };
        let answer = runtime.block_on(async { tokio::time::timeout(DEADLINE, call.send()).await });
        let answer = answer.map_err(|_| TestCaseError::fail("no answer"))?;
        prop_assert!(!answer.status.is_server_error() || answer.status == 501, "{answer:?}");
        Ok(())
    });
    assert_still_serving(&runtime, &stage);
}

#[test]
fn heads_of_requests_have_a_limit() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new());
    let padding = "x".repeat(128 * 1024);
    for head in
        [format!("GET /{padding} HTTP/1.1\r\n\r\n"), format!("GET / HTTP/1.1\r\npadding: {padding}\r\n\r\n")]
    {
        let answer = runtime.block_on(exchange(stage.main(), head.as_bytes(), true)).unwrap();
        let refused =
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 431") || answer.starts_with(b"HTTP/1.1 414");
        assert!(refused, "{}", String::from_utf8_lossy(&answer));
    }
    assert_still_serving(&runtime, &stage);
}
