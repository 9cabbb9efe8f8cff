//! Requests as they should not be, byte by byte: each has an answer of its own, and the next client is served.

use std::net::SocketAddr;
use std::time::Duration;

use ecru_emulator::Options;
use hyper::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Call;
use crate::stage::{IMAGE, Stage, digest_of};

/// Far beyond anything an answer takes; a request that is never answered fails the test instead of hanging it.
const DEADLINE: Duration = Duration::from_secs(60);

/// All that comes back for `bytes`, of which `end` says whether they are the last.
async fn answer_to(address: SocketAddr, bytes: &[u8], end: bool) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the emulator listens");
        let _ = stream.write_all(bytes).await;
        if end {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("an answer or an end")
}

/// The status codes in an answer to one or more requests.
fn statuses(answer: &str) -> Vec<&str> {
    answer.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)).collect()
}

#[tokio::test]
async fn malformed_heads_are_refused_or_ended() {
    let stage = Stage::new().await;
    let host = "host: localhost\r\n";
    for (request, expected) in [
        // RFC 9112 §3.2: a server must refuse a request with more than one Host.
        (format!("GET /v2/ HTTP/1.1\r\n{host}host: other\r\n\r\n"), &["400"][..]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}{host}\r\n"), &["400"]),
        (String::from("GET /v2/ HTTP/1.1\r\n\r\n"), &["400"]),
        (
            format!(
                "GET /v2/ HTTP/1.1\r\n{host}authorization: Basic QTpC\r\nauthorization: Basic QTpD\r\n\r\n"
            ),
            &["400"],
        ),
        (format!("GET /v2/ HTTP/1.1\r\n{host}content-length: 1\r\ncontent-length: 2\r\n\r\nab"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}content-length: -1\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}content-length: 99999999999999999999\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}transfer-encoding: gzip\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}x\0y: z\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}x: a\0b\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host} folded: x\r\n\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{host}no colon\r\n\r\n"), &["400"]),
        (format!("GET /v2/\0 HTTP/1.1\r\n{host}\r\n"), &["400"]),
        (format!("GET /v2/ HTTP/9.9\r\n{host}\r\n"), &["400"]),
        (format!("GET  HTTP/1.1\r\n{host}\r\n"), &["400"]),
        (format!("G{{}}T /v2/ HTTP/1.1\r\n{host}\r\n"), &["400"]),
        // The preface of HTTP/2 (RFC 9113 §3.4), which is not spoken here.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
        // The beginning of a TLS handshake.
        ("\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\u{3}".into(), &["400"]),
        (format!("GET /v2/ HTTP/1.1\r\n{}{host}\r\n", "x: y\r\n".repeat(200)), &["431"]),
        (String::from("\r\n\r\n\r\n"), &[]),
        (String::from("GET /v2/ HTTP/1.1\r\nhost: loc"), &[]),
    ] {
        let answer = answer_to(stage.main(), request.as_bytes(), true).await;
        assert_eq!(statuses(&answer), expected, "{request:?}: {answer}");
        assert_eq!(Call::get(stage.main(), "/v2/").send().await.status, 401);
    }
}

#[tokio::test]
async fn unusual_but_proper_requests_are_answered() {
    let stage = Stage::new().await;
    for (request, expected) in [
        ("GET /v2/ HTTP/1.0\r\n\r\n", "401"),
        ("GET http://localhost/v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n", "401"),
        // The target's host counts, whatever the header says (RFC 9112 §3.2.2).
        ("GET http://s3.amazonaws.com/v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n", "421"),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n", "404"),
        ("CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n", "404"),
        ("GET /v2/ HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", "401"),
    ] {
        let answer = answer_to(stage.main(), request.as_bytes(), true).await;
        assert_eq!(statuses(&answer), [expected], "{request:?}: {answer}");
    }
}

/// Content-Length and Transfer-Encoding together are how one request is smuggled inside another (RFC 9112 §11.2): the
/// length must not decide, and what follows must not be taken for a request.
#[tokio::test]
async fn a_request_cannot_be_smuggled_in_a_body() {
    let stage = Stage::new().await;
    let hidden = "DELETE /v2/hidden HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{hidden}\r\n0\r\n\r\n",
        hidden.len()
    );
    let answer = answer_to(stage.main(), request.as_bytes(), true).await;
    assert_eq!(statuses(&answer), ["400"], "{answer}");
    assert!(stage.emulator.requests().iter().all(|record| !record.target.contains("hidden")));
}

#[tokio::test]
async fn a_broken_chunked_body_is_an_error_of_the_protocol_spoken() {
    let stage = Stage::new().await;
    let authorization = stage.own_basic().await;
    stage.create("app");
    let location = stage.open_upload("app").await;
    let chunked = "host: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n";
    let broken = "\r\nzz\r\nhello\r\n0\r\n\r\n";
    let query = format!("POST / HTTP/1.1\r\n{chunked}{broken}");
    assert!(answer_to(stage.main(), query.as_bytes(), false).await.contains("<Code>RequestTimeout</Code>"));
    let json = format!(
        "POST / HTTP/1.1\r\n{chunked}x-amz-target: AmazonEC2ContainerRegistry_V20150921.ListImages\r\n{broken}"
    );
    assert!(answer_to(stage.main(), json.as_bytes(), false).await.contains("RequestTimeoutException"));
    let patch = format!("PATCH {location} HTTP/1.1\r\nauthorization: {authorization}\r\n{chunked}{broken}");
    assert!(answer_to(stage.main(), patch.as_bytes(), false).await.contains("BLOB_UPLOAD_INVALID"));
}

#[tokio::test]
async fn oversized_bodies_are_refused_in_the_words_of_each_protocol() {
    let stage = Stage::new().await;
    stage.create("app");
    let large = "x".repeat((1 << 20) + 1);
    let ecr = stage.ecr("CreateRepository", &large).await;
    assert_eq!(
        (ecr.status.as_u16(), ecr.json()["__type"].as_str()),
        (413, Some("RequestEntityTooLargeException"))
    );
    let sts = stage.sts(&stage.signer(0, "us-east-1", "sts"), &format!("Action={large}")).await;
    assert_eq!((sts.status.as_u16(), sts.element("Code")), (413, "RequestEntityTooLarge"));
    let manifest = stage.put_manifest("app", "v1", IMAGE, &"x".repeat(5 << 20)).await;
    assert_eq!((manifest.status.as_u16(), manifest.error_code().as_str()), (413, "SIZE_INVALID"));
    let page = Call::get(stage.main(), "/latest/meta-data/instance-id").body(large).send().await;
    assert_eq!(page.status, 401);
}

#[tokio::test]
async fn names_that_would_leave_a_folder_are_refused_as_what_they_are() {
    let parent = tempfile::tempdir().unwrap();
    let outside = parent.path().join("outside");
    std::fs::write(&outside, "kept").unwrap();
    let options = Options { state_dir: Some(parent.path().join("state")), ..Options::default() };
    let stage = Stage::with(options).await;
    stage.create("app");
    let digest = digest_of(b"x");
    for (method, path, code) in [
        (Method::GET, "/v2/../outside/manifests/v1".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2/%2e%2e/%2e%2e/outside/tags/list".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2/app%2f..%2f..%2foutside/tags/list".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2/app/../../outside/tags/list".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2/ap%00p/tags/list".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2//app/tags/list".to_owned(), "NAME_INVALID"),
        (Method::GET, "/v2/app/manifests/..".to_owned(), "TAG_INVALID"),
        (Method::GET, "/v2/app/manifests/%2e%2e%2foutside".to_owned(), "NOT_FOUND"),
        (Method::GET, "/v2/app/manifests/sha256:..%2f..%2foutside".to_owned(), "NOT_FOUND"),
        (Method::PUT, "/v2/app/manifests/%00".to_owned(), "TAG_INVALID"),
        (Method::GET, "/v2/app/blobs/sha256:../../outside".to_owned(), "NOT_FOUND"),
        (Method::GET, "/v2/app/blobs/sha512:00".to_owned(), "DIGEST_INVALID"),
        (Method::GET, format!("/v2/app/blobs/{}", digest.to_uppercase()), "DIGEST_INVALID"),
        (Method::GET, format!("/v2/app/blobs/{digest}00"), "DIGEST_INVALID"),
        (Method::GET, "/v2/app/blobs/uploads/..".to_owned(), "BLOB_UPLOAD_UNKNOWN"),
        (Method::PATCH, "/v2/app/blobs/uploads/%2e%2e%2f%2e%2e%2foutside".to_owned(), "NOT_FOUND"),
        (Method::PUT, format!("/v2/app/blobs/uploads/..?digest={digest}"), "BLOB_UPLOAD_UNKNOWN"),
        (Method::DELETE, "/v2/app/blobs/uploads/%00".to_owned(), "BLOB_UPLOAD_UNKNOWN"),
        (Method::POST, "/v2/app/blobs/uploads/?mount=..&from=../..".to_owned(), ""),
    ] {
        let answer = stage.registry_call(method.clone(), &path).await.send().await;
        assert!(answer.status.as_u16() < 500, "{method} {path}: {answer:?}");
        if !code.is_empty() {
            assert_eq!(answer.error_code(), code, "{method} {path}: {answer:?}");
        }
    }
    let blob = stage.emulator.addresses().blob;
    for path in ["/sha256/..%2f..%2foutside", "/sha256/%00", "/../outside", "/sha256/../../outside"] {
        let answer = Call::get(blob, path).send().await;
        assert_eq!((answer.status.as_u16(), answer.element("Code")), (404, "NoSuchKey"), "{path}");
    }
    let create = stage.ecr("CreateRepository", r#"{"repositoryName":"../../outside"}"#).await;
    assert_eq!(create.json()["__type"], "InvalidParameterException");
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_digest_that_is_not_of_the_content_keeps_nothing() {
    let stage = Stage::new().await;
    stage.create("app");
    let wrong = digest_of(b"other");
    for digest in [wrong.as_str(), "sha256:00", "sha512:00", "", "%00"] {
        let target = format!("{}?digest={digest}", stage.open_upload("app").await);
        let answer = stage.registry_call(Method::PUT, &target).await.body("content").send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (400, "DIGEST_INVALID"),
            "{digest}"
        );
    }
    let head = stage.registry_call(Method::HEAD, &format!("/v2/app/blobs/{wrong}")).await.send().await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn unknown_operations_are_called_so() {
    let stage = Stage::new().await;
    let ecr = stage.ecr("DeleteEverything", "{}").await;
    assert_eq!(
        (ecr.status.as_u16(), ecr.json()["__type"].as_str()),
        (400, Some("UnknownOperationException"))
    );
    let signer = stage.signer(0, "us-east-1", "ecr");
    let other = stage.json_call("DynamoDB_20120810", "ListTables", &signer, "{}").await;
    assert_eq!(other.json()["__type"], "UnknownOperationException");
    let sts = stage.sts(&stage.signer(0, "us-east-1", "sts"), "Action=DeleteEverything").await;
    assert_eq!(sts.element("Code"), "InvalidAction");
    let operations: Vec<_> =
        stage.emulator.requests().into_iter().map(|record| record.operation.unwrap_or_default()).collect();
    assert_eq!(operations, ["ecr:Unknown", "", "sts:Unknown"]);
}

/// More slow clients than there may be connections. Those that only hold one give it up to the next.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_only_hold_connections_keep_nobody_out() {
    const SLOW_CLIENTS: usize = 10_000;
    // Both ends of every connection are in this process, but the emulator keeps no more than it has seats for.
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, ..limits };
    setrlimit(Resource::Nofile, raised).expect("as many files as this user may have open");
    let clients = limits.maximum.map_or(SLOW_CLIENTS, |most| {
        SLOW_CLIENTS.min(usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(5_000))
    });
    assert!(clients > 4_500, "a limit of open files (ulimit -Hn) that allows more clients than seats");

    let stage = Stage::with(Options { control: Some(0), ..Options::default() }).await;
    let (main, mut held) = (stage.main(), Vec::new());
    for number in 0..clients {
        let mut stream = TcpStream::connect(main).await.expect("a connection");
        if number % 2 == 0 {
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: sl").await.unwrap_or_default();
        }
        held.push(stream);
        if number % 1_000 == 0 {
            let answer =
                tokio::time::timeout(DEADLINE, Call::get(main, "/v2/").send()).await.expect("an answer");
            assert_eq!(answer.status, 401);
        }
    }
    let control = stage.emulator.addresses().control.expect("a control address");
    for address in [(main, "/v2/", 401), (control, "/calls", 200)] {
        let (address, path, status) = address;
        let answer =
            tokio::time::timeout(DEADLINE, Call::get(address, path).send()).await.expect("an answer");
        assert_eq!(answer.status, status);
    }
    let stop = tokio::time::timeout(DEADLINE, stage.emulator.stop()).await;
    stop.expect("a stop");
}
