//! What goes wrong on purpose, as clients see it.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecru_emulator::{Fault, Options};
use hyper::Method;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Answer, Call};
use crate::stage::{Hands, Stage, credential_in, digest_of};

/// Far beyond what anything takes here; something that never comes fails the test instead of hanging it.
const DEADLINE: Duration = Duration::from_secs(30);

async fn stage_with(rules: &[&str]) -> Stage {
    let stage = Stage::new().await;
    set(&stage, rules);
    stage
}

fn set(stage: &Stage, rules: &[&str]) {
    let faults = rules.iter().map(|rule| Fault::parse(rule).unwrap()).collect();
    stage.emulator.set_faults(faults).unwrap();
}

/// Everything that comes back for `request` until the end, or the error that ends it.
async fn raw(address: SocketAddr, request: &str) -> (Vec<u8>, std::io::Result<usize>) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer).await;
        (answer, end)
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("an end")
}

async fn raw_token(stage: &Stage) -> (String, std::io::Result<usize>) {
    let token = "PUT /latest/api/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                 x-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
    let (answer, end) = raw(stage.main(), token).await;
    (String::from_utf8(answer).unwrap(), end)
}

fn metadata_token(stage: &Stage) -> Call {
    Call::new(Method::PUT, stage.main(), "/latest/api/token")
        .header("x-aws-ec2-metadata-token-ttl-seconds", "60")
}

async fn token_and_answer(stage: &Stage) -> (String, Answer) {
    let answer = stage.ecr("GetAuthorizationToken", "{}").await;
    let token = answer.json()["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned();
    (token, answer)
}

async fn ping(stage: &Stage, token: &str) -> Answer {
    Call::get(stage.main(), "/v2/").header("authorization", &format!("Basic {token}")).send().await
}

#[tokio::test]
async fn a_fault_strikes_only_what_it_is_for_and_as_often_as_it_says() {
    let stage = stage_with(&["ecr:GetAuthorizationToken=status:500,after:1,count:2"]).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(stage.ecr("GetAuthorizationToken", "{}").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    assert_eq!(stage.ecr("DescribeRepositories", "{}").await.status, 200);
    let state = &stage.emulator.faults()[0];
    assert_eq!((state.matched, state.applied), (4, 2));
    assert_eq!(stage.emulator.calls().get("ecr:GetAuthorizationToken"), 4);
    let faults: Vec<_> = stage.emulator.requests().into_iter().map(|record| record.fault.is_some()).collect();
    assert_eq!(faults, [false, true, true, false, false]);
}

#[tokio::test]
async fn a_struck_request_changes_nothing() {
    let stage = stage_with(&["ecr:CreateRepository=status:500,count:1"]).await;
    let create = async || stage.ecr("CreateRepository", r#"{"repositoryName":"app"}"#).await;
    assert_eq!(create().await.status, 500);
    assert_eq!(create().await.status, 200);
}

#[tokio::test]
async fn errors_have_the_shape_of_each_service() {
    let stage = stage_with(&["*=status:500"]).await;
    let ecr = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!((ecr.status.as_u16(), ecr.json()["__type"].as_str()), (500, Some("ServerException")));
    assert!(!ecr.header("x-amzn-requestid").is_empty());
    let sts = stage.sts(&stage.signer(0, "us-east-1", "sts"), "Action=GetCallerIdentity").await;
    assert_eq!((sts.element("Type"), sts.element("Code")), ("Receiver", "InternalFailure"));
    let registry = Call::get(stage.main(), "/v2/").send().await;
    assert_eq!((registry.status.as_u16(), registry.error_code().as_str()), (500, "UNKNOWN"));
    let blob = Call::get(stage.emulator.addresses().blob, "/sha256/00").send().await;
    assert_eq!(blob.element("Code"), "InternalError");

    for status in [401, 403, 404] {
        set(&stage, &[&format!("imds:*=status:{status}")]);
        let answer = metadata_token(&stage).send().await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(&format!("<h1>{status} - ")), "{answer:?}");
    }
}

#[tokio::test]
async fn throttling_is_told_as_each_protocol_tells_it() {
    let stage = stage_with(&["*=throttle:7"]).await;
    let ecr = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!((ecr.status.as_u16(), ecr.json()["__type"].as_str()), (400, Some("ThrottlingException")));
    assert_eq!(ecr.json()["message"], "Rate exceeded");
    assert_eq!(ecr.header("retry-after"), "");
    let sts = stage.sts(&stage.signer(0, "us-east-1", "sts"), "Action=GetCallerIdentity").await;
    assert_eq!((sts.status.as_u16(), sts.element("Code")), (400, "Throttling"));
    let registry = Call::get(stage.main(), "/v2/").send().await;
    assert_eq!((registry.status.as_u16(), registry.error_code().as_str()), (429, "TOOMANYREQUESTS"));
    assert_eq!(registry.header("retry-after"), "7");
    let blob = Call::get(stage.emulator.addresses().blob, "/sha256/00").send().await;
    assert_eq!((blob.status.as_u16(), blob.element("Code")), (503, "SlowDown"));
}

#[tokio::test]
async fn a_silent_request_is_never_answered_but_ends_with_the_emulator() {
    let stage = stage_with(&["imds:PutToken=silence"]).await;
    let main = stage.main();
    let request = "PUT /latest/api/token HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let asking = tokio::spawn(async move { raw(main, request).await });
    while stage.emulator.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(Call::get(main, "/v2/").send().await.status, 401);
    assert_eq!(stage.emulator.requests()[0].status, None);
    stage.emulator.stop().await;
    assert_eq!(asking.await.unwrap().0, b"");
}

#[tokio::test]
async fn a_wait_ends_with_the_emulator() {
    let stage = stage_with(&["*=latency:1h"]).await;
    let main = stage.main();
    let asking = tokio::spawn(async move { Call::get(main, "/v2/").send().await.status });
    while stage.emulator.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(DEADLINE, stage.emulator.stop()).await.expect("a stop");
    assert_eq!(asking.await.unwrap(), 401);
}

#[tokio::test]
async fn latency_comes_before_the_answer() {
    let stage = stage_with(&["registry:Ping=latency:30ms"]).await;
    let start = std::time::Instant::now();
    assert_eq!(Call::get(stage.main(), "/v2/").send().await.status, 401);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn a_reset_is_one_and_no_end() {
    let stage = stage_with(&["imds:PutToken=reset,count:1"]).await;
    let (answer, end) = raw_token(&stage).await;
    assert_eq!(answer, "");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(raw_token(&stage).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let stage = stage_with(&["imds:PutToken=truncate:10"]).await;
    let (answer, _) = raw_token(&stage).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), 10);
    assert!(length.parse::<usize>().unwrap() > 10, "{head}");
}

#[tokio::test]
async fn a_large_blob_is_truncated_where_it_says() {
    let stage = Stage::new().await;
    stage.create("app");
    let digest = stage.push_blob("app", &vec![7; 3 << 20]).await;
    let blob = stage.registry_call(Method::GET, &format!("/v2/app/blobs/{digest}")).await.send().await;
    set(&stage, &["s3:GetObject=truncate:1MiB"]);
    let address = stage.emulator.addresses().blob;
    let target = blob.header("location").strip_prefix(&format!("http://{address}")).unwrap().to_owned();
    let (answer, _) = raw(address, &format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - body, 1 << 20);
    assert!(String::from_utf8_lossy(&answer[..body]).contains("content-length: 3145728"));
}

#[tokio::test]
async fn a_body_trickles() {
    let stage = stage_with(&["imds:PutToken=trickle:1"]).await;
    let mut stream = TcpStream::connect(stage.main()).await.unwrap();
    let request =
        "PUT /latest/api/token HTTP/1.1\r\nhost: x\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") || answer.ends_with("\r\n\r\n") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).await.unwrap();
        answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 1);
    tokio::time::timeout(DEADLINE, stage.emulator.stop()).await.expect("a stop");
    // The rest of the token never comes.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 10);
}

#[tokio::test]
async fn a_body_swells_and_remains_json() {
    let stage = stage_with(&["ecr:GetAuthorizationToken=pad:64MiB"]).await;
    let (token, answer) = token_and_answer(&stage).await;
    assert_eq!(answer.body.len(), 64 << 20);
    assert_eq!(answer.header("content-length"), (64 << 20).to_string());
    assert_eq!(ping(&stage, &token).await.status, 200);
}

#[tokio::test]
async fn json_is_broken_in_two_ways() {
    let stage = stage_with(&["*=not-json,count:1", "*=wrong-json,count:1"]).await;
    let broken = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!((broken.status.as_u16(), broken.header("content-type")), (200, "application/x-amz-json-1.1"));
    assert!(serde_json::from_slice::<serde_json::Value>(&broken.body).is_err());
    let wrong = stage.ecr("GetAuthorizationToken", "{}").await;
    assert!(wrong.json()["authorizationData"].is_null() && wrong.status == 200);
}

#[tokio::test]
async fn a_token_can_have_every_flaw() {
    let stage = Stage::new().await;
    for (flaw, status) in [("expired", 403), ("foreign", 401)] {
        set(&stage, &[&format!("ecr:GetAuthorizationToken=token:{flaw}")]);
        let (token, answer) = token_and_answer(&stage).await;
        assert!(credential_in(&format!("Basic {token}")).starts_with("AWS:ecru-emulator."));
        assert!(answer.json()["authorizationData"][0]["expiresAt"].is_number());
        assert_eq!(ping(&stage, &token).await.status, status, "{flaw}");
    }
    for (flaw, end) in [("cr", "\r"), ("lf", "\n"), ("crlf", "\r\n")] {
        set(&stage, &[&format!("ecr:GetAuthorizationToken=token:{flaw}")]);
        let credential = credential_in(&format!("Basic {}", token_and_answer(&stage).await.0));
        assert!(credential.starts_with(&format!("AWS:ecru-emulator{end}.")), "{flaw}");
    }
    set(&stage, &["ecr:GetAuthorizationToken=token:bad-base64"]);
    assert!(BASE64.decode(token_and_answer(&stage).await.0).is_err());
    set(&stage, &["ecr:GetAuthorizationToken=token:no-colon"]);
    assert!(!credential_in(&format!("Basic {}", token_and_answer(&stage).await.0)).contains(':'));
    set(&stage, &["ecr-public:GetAuthorizationToken=token:bad-base64"]);
    let signer = stage.signer(0, "us-east-1", "ecr-public");
    let public = stage.json_call("SpencerFrontendService", "GetAuthorizationToken", &signer, "{}").await;
    let token = public.json()["authorizationData"]["authorizationToken"].clone();
    assert!(BASE64.decode(token.as_str().unwrap()).is_err());
}

#[tokio::test]
async fn an_endpoint_can_be_of_another_place() {
    let stage = Stage::new().await;
    for (foreign, host) in [
        ("region", "us-west-2.amazonaws.com"),
        ("partition", "cn-north-1.amazonaws.com.cn"),
        ("domain", "us-east-1.amazonaws.com.example"),
    ] {
        set(&stage, &[&format!("ecr:GetAuthorizationToken=endpoint:{foreign}")]);
        let (_, answer) = token_and_answer(&stage).await;
        let endpoint = answer.json()["authorizationData"][0]["proxyEndpoint"].clone();
        assert_eq!(endpoint, format!("https://000000000000.dkr.ecr.{host}"));
    }
}

#[tokio::test]
async fn an_expiry_is_what_the_fault_says_and_only_that() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let now = 1_800_000_000;
    for (shift, seconds) in [("60s", 60), ("-1h", -3600)] {
        set(&stage, &[&format!("*=expiry:{shift}")]);
        let (token, answer) = token_and_answer(&stage).await;
        let expires = answer.json()["authorizationData"][0]["expiresAt"].as_f64().unwrap();
        assert!((expires - f64::from(now + seconds)).abs() < 1.0);
        set(&stage, &[]);
        assert_eq!(ping(&stage, &token).await.status, 200);
    }
    set(&stage, &["*=expiry:60s"]);
    let role = "Action=AssumeRole&RoleSessionName=job&RoleArn=arn:aws:iam::000000000000:role/r";
    let assumed = stage.sts(&stage.signer(0, "us-east-1", "sts"), role).await;
    assert_eq!(assumed.element("Expiration"), "2027-01-15T08:01:00Z");
    let token = metadata_token(&stage).send().await;
    let path = "/latest/meta-data/iam/security-credentials/ecru-emulator-instance";
    let keys = Call::get(stage.main(), path).header("x-aws-ec2-metadata-token", token.text()).send().await;
    assert_eq!(keys.json()["Expiration"], "2027-01-15T08:01:00Z");
}

#[tokio::test]
async fn a_wrong_clock_is_wrong_in_checks_in_expiries_and_in_the_date() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    set(&stage, &["ecr:*=clock:+13h"]);
    let refused = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!(refused.json()["__type"], "InvalidSignatureException");
    assert_eq!(refused.header("date"), "Fri, 15 Jan 2027 21:00:00 GMT");
    // A client that goes by the date of the answer is understood.
    hands.advance(13);
    let signer = stage.signer(0, "us-east-1", "ecr");
    hands.advance(-13);
    let target = ("AmazonEC2ContainerRegistry_V20150921", "GetAuthorizationToken");
    let answer = stage.json_call(target.0, target.1, &signer, "{}").await;
    let expires = answer.json()["authorizationData"][0]["expiresAt"].as_f64().unwrap();
    assert!((expires - f64::from(1_800_000_000 + 25 * 3600)).abs() < 1.0);
    // Other operations have the right time.
    assert_eq!(stage.sts(&stage.signer(0, "us-east-1", "sts"), "Action=GetCallerIdentity").await.status, 200);
}

#[tokio::test]
async fn a_header_can_be_missing_and_an_answer_elsewhere() {
    let stage = stage_with(&["imds:PutToken=without-header:x-aws-ec2-metadata-token-ttl-seconds"]).await;
    let answer = metadata_token(&stage).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("x-aws-ec2-metadata-token-ttl-seconds")), (200, ""));
    set(&stage, &["ecr:*=redirect:http://127.0.0.1:9/elsewhere"]);
    let answer = stage.ecr("GetAuthorizationToken", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "http://127.0.0.1:9/elsewhere"));
}

#[tokio::test]
async fn faults_choose_by_path_and_host() {
    let stage = stage_with(&["registry:*=status:503,path:/v2/app/*,host:localhost"]).await;
    let get = |path: &str, host: &str| Call::get(stage.main(), path).header("host", host).send();
    assert_eq!(get("/v2/app/tags/list", "localhost").await.status, 503);
    assert_eq!(get("/v2/other/tags/list", "localhost").await.status, 401);
    assert_eq!(get("/v2/app/tags/list", "127.0.0.1").await.status, 401);
}

#[tokio::test]
async fn a_rule_from_the_start_counts_from_the_first_request() {
    let faults = vec![Fault::parse("registry:GetManifest=status:404,count:1").unwrap()];
    let stage = Stage::with(Options { faults, ..Options::default() }).await;
    stage.create("app");
    stage.push_image("app", "v1").await;
    let get = async || stage.registry_call(Method::GET, "/v2/app/manifests/v1").await.send().await;
    assert_eq!(get().await.error_code(), "NAME_UNKNOWN");
    assert_eq!(get().await.header("docker-content-digest"), digest_of(&get().await.body));
}

#[test]
fn any_effect_on_any_service_is_survived() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new());
    let effect = prop::sample::select(vec![
        "latency:1ms",
        "reset",
        "truncate:0",
        "truncate:5",
        "truncate:1GiB",
        "trickle:100000",
        "pad:1",
        "pad:70KiB",
        "not-json",
        "wrong-json",
        "status:400",
        "status:599",
        "throttle",
        "throttle:1",
        "token:crlf",
        "token:expired",
        "endpoint:domain",
        "clock:-8784h",
        "clock:+8784h",
        "expiry:-8784h",
        "without-header:content-type",
        "redirect:http://localhost/",
    ]);
    let request = prop::sample::select(vec![
        "GET /v2/ HTTP/1.1\r\n",
        "HEAD /v2/a/manifests/b HTTP/1.1\r\n",
        "GET /sha256/00 HTTP/1.1\r\n",
        "PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n",
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nx-amz-target: AmazonEC2ContainerRegistry_V20150921.X\r\n",
        "GET /none HTTP/1.0\r\n",
    ]);
    let config =
        proptest::test_runner::Config { cases: 150, failure_persistence: None, ..Default::default() };
    let result =
        proptest::test_runner::TestRunner::new(config).run(&(effect, request), |(effect, request)| {
            set(&stage, &[&format!("*={effect}")]);
            let request = format!("{request}host: x\r\nconnection: close\r\n\r\n");
            for address in [stage.main(), stage.emulator.addresses().blob] {
                let (answer, _) = runtime.block_on(raw(address, &request));
                prop_assert!(answer.is_empty() == (effect == "reset"), "{effect} {request}");
            }
            Ok(())
        });
    result.unwrap();
    set(&stage, &[]);
    assert_eq!(runtime.block_on(Call::get(stage.main(), "/v2/").send()).status, 401);
}
