//! Rows 12, 14 to 16, 18 and 21: AWS says no, nothing, nonsense or too much, or cannot be reached.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::said::{assert_rule, assert_says, fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, Stage};

/// Something that makes a proper answer improper.
type Change = Box<dyn Fn(&mut Value) + Send + Sync>;

fn change(name: &'static str, to: Value) -> Change {
    Box::new(move |data| data[name] = to.clone())
}

fn token_of(bytes: &[u8]) -> Change {
    change("authorizationToken", json!(aws::base64(bytes)))
}

/// Checks that nothing was handed out or kept, and returns what standard error says.
fn refused(aws: &Responder) -> String {
    let stage = Stage::with(aws);
    let stderr = stage.get(FRANKFURT).not_found().to_owned();
    assert!(stage.cached_files("json").is_empty(), "a refused answer was kept");
    assert_says(&stderr, &[FRANKFURT]);
    stderr
}

#[test]
fn row_12_aws_fails_or_throttles() {
    fault("AWS answers 500 or throttles, and nothing is cached");
    for (reply, words) in [
        (aws::refusal(500, "ServerException", "oops"), ["AWS failed", "oops"]),
        (Reply::http(503, &[], "<html>busy</html>"), ["AWS failed", "503"]),
    ] {
        let aws = Responder::start(move |_| reply.clone());
        assert_says(&refused(&aws), &words);
        assert_eq!(aws.count(), 3);
    }
    for reply in [
        aws::refusal(400, "ThrottlingException", "Rate exceeded"),
        aws::refusal(429, "TooManyRequestsException", "slow down"),
    ] {
        let aws = Responder::start(move |_| reply.clone());
        let run = Stage::with(&aws).get(FRANKFURT).within(10);
        assert_says(
            run.not_found(),
            &["throttled", "hint: wait a minute and try again", "AWS_ECR_DISABLE_CACHE"],
        );
        // The SDK's three tries, and twice or three times more until the deadline.
        assert!((6..=12).contains(&aws.count()), "{}", aws.count());
    }
    // Where somebody has said how often, that counts.
    let aws = Responder::start(|_| aws::refusal(400, "ThrottlingException", "Rate exceeded"));
    let mut stage = Stage::with(&aws);
    stage.set("AWS_MAX_ATTEMPTS", "2");
    assert_says(stage.get(FRANKFURT).not_found(), &["throttled"]);
    assert_eq!(aws.count(), 2);
    held("exit 1 before the deadline, and the cause is named; a throttle is waited out until then");
}

#[test]
fn row_12_a_throttle_that_ends() {
    fault("AWS throttles for 1.5 seconds");
    let started = std::sync::OnceLock::new();
    let aws = Responder::start(move |request| match started.get_or_init(std::time::Instant::now).elapsed() {
        age if age < std::time::Duration::from_millis(1500) => {
            aws::refusal(400, "ThrottlingException", "Rate exceeded")
        }
        _ => aws::token(request),
    });
    assert_eq!(Stage::with(&aws).get(FRANKFURT).secret(), PASSWORD);
    held("served within the deadline");
}

#[test]
fn row_14_aws_is_silent() {
    fault("AWS accepts the connection and says nothing");
    let aws = Responder::start(|_| Reply::Silence);
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_TIMEOUT", "1");
    let run = stage.get(FRANKFURT).within(3);
    assert_says(run.not_found(), &["no answer after", &aws.address().to_string(), "hint: ", "ECRU_TIMEOUT"]);
    // Within the default limit as well.
    let run = Stage::with(&aws).get(FRANKFURT).within(10);
    assert_says(run.not_found(), &["no answer after"]);
    held("exit 1 at the deadline, and who was silent is named");
}

#[test]
fn row_15_an_answer_that_is_no_token() {
    fault("the body is cut off, is no JSON, or its token no base64 with a colon");
    for reply in [
        Reply::http(200, &[], "<html>hello</html>"),
        Reply::http(200, &[], r#"{"authorizationData":["#),
        Reply::http(200, &[], "null"),
        Reply::http(200, &[], ""),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"authorizationData\":[{".to_vec()),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffff\r\n{".to_vec()),
        Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()),
        Reply::Bytes(vec![0; 100]),
        Reply::Bytes(Vec::new()),
    ] {
        refused(&Responder::start(move |_| reply.clone()));
    }
    for change in [
        change("authorizationToken", json!("no base64")),
        change("authorizationToken", json!("")),
        change("authorizationToken", json!(7)),
        change("authorizationToken", Value::Null),
        token_of(b"AWS"),
        token_of(b"AWS:"),
        token_of(b"aws:NEVER-SHOWN"),
        token_of(b"\xff\xfe:NEVER-SHOWN"),
    ] {
        refused(&Responder::start(move |request| aws::answer(request, &change)));
    }
    held("17 answers refused, none kept");
}

#[test]
fn row_16_an_answer_that_is_meant_for_others() {
    fault("a token with line ends, expired, or for another region, partition or domain");
    let changes = [
        token_of(b"AWS:NEVER-SHOWN\r\nevil"),
        token_of(b"AWS:NEVER-SHOWN\n"),
        token_of(b"AWS:NEVER-SHOWN\0"),
        change("expiresAt", json!(aws::now() - 1)),
        change("expiresAt", json!(0)),
        change("expiresAt", json!(-1.0e300)),
        change("expiresAt", Value::Null),
        change("proxyEndpoint", json!("https://000000000001.dkr.ecr.us-east-1.amazonaws.com")),
        change("proxyEndpoint", json!("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.cn")),
        change("proxyEndpoint", json!("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.evil.com")),
        change("proxyEndpoint", json!("http://000000000001.dkr.ecr.eu-central-1.amazonaws.com")),
        change("proxyEndpoint", json!("https://public.ecr.aws")),
        change("proxyEndpoint", json!("")),
        change("proxyEndpoint", Value::Null),
    ];
    let count = changes.len();
    for change in changes {
        refused(&Responder::start(move |request| aws::answer(request, &change)));
    }
    let one = json!({ "authorizationToken": aws::base64(b"AWS:NEVER-SHOWN"), "expiresAt": aws::now() + 60 });
    for list in [json!([]), json!([one, one]), Value::Null] {
        let body = json!({ "authorizationData": list });
        refused(&Responder::start(move |_| aws::json_reply(200, &body)));
    }
    held(format!("{} answers refused, none kept", count + 3));
}

#[test]
fn row_18_an_answer_that_is_too_long_or_too_slow() {
    fault("a body without end, and one of a byte now and then");
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"authorizationData\":[".to_vec();
    let aws = Responder::start(move |_| Reply::Endless(head.clone()));
    assert_says(&refused(&aws), &["it is too long"]);
    let endless_head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    refused(&Responder::start(move |_| Reply::Endless(endless_head.clone())));

    let mut stage = Stage::new();
    stage.set_keys().set("ECRU_TIMEOUT", "1.5").set("AWS_ENDPOINT_URL_ECR", &dripping());
    assert_says(stage.get(FRANKFURT).within(4).not_found(), &["no answer after"]);
    held("not read to its end; ended at the deadline");
}

/// The address of a server that answers a byte at a time, for as long as somebody listens.
fn dripping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 8 * 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n");
                while stream.write_all(b" ").is_ok() {
                    // The slowness is the fault.
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
            });
        }
    });
    url
}

#[test]
fn row_21_no_way_to_aws() {
    fault("the name is not found, the proxy is down, refuses or wants a password");
    let mut stage = Stage::new();
    // A label that no resolver sends a question for: it is longer than DNS allows.
    let endpoint = format!("https://{}.example", "a".repeat(64));
    stage.set_keys().set("AWS_ENDPOINT_URL_ECR", &endpoint);
    let run = stage.get(FRANKFURT);
    assert_rule(&run);
    assert_says(run.not_found(), &["cannot be reached", "hint: "]);

    let mut stage = Stage::new();
    let dead = dead_url();
    let shown = format!("through the proxy {} cannot be reached", dead.trim_start_matches("http://"));
    // With a scheme, or as curl and Go take it.
    for address in [dead.as_str(), dead.trim_start_matches("http://")] {
        stage.set_keys().set("HTTPS_PROXY", address);
        assert_says(stage.get(FRANKFURT).not_found(), &[&shown, "hint: "]);
    }
    stage.set("HTTPS_PROXY", "socks5h://u:NEVER-SHOWN@127.0.0.1:1");
    assert_says(stage.get(FRANKFURT).not_found(), &["HTTPS_PROXY is not", "write http://HOST:PORT"]);
    // A SOCKS proxy for others is passed over: the request goes its way.
    stage.unset("HTTPS_PROXY").set("ALL_PROXY", "socks5h://u:NEVER-SHOWN@127.0.0.1:1");
    stage.set("AWS_ENDPOINT_URL_ECR", &format!("https://{}.example", "a".repeat(64)));
    let run = stage.get(FRANKFURT);
    assert_says(run.not_found(), &["without ALL_PROXY, which names no HTTP proxy, cannot be reached"]);

    for (status, words) in [(407, "proxy authorization required"), (502, "tunnel error")] {
        let proxy = Responder::start(move |_| Reply::http(status, &[], ""));
        let url = proxy.url().replace("http://", "http://user:proxy-NEVER-SHOWN@");
        let mut stage = Stage::new();
        stage.set_keys().set("HTTPS_PROXY", &url).set("NO_PROXY", "unrelated.example");
        let run = stage.get(FRANKFURT);
        let shown = format!("through the proxy {} cannot be reached", proxy.address());
        assert_says(run.not_found(), &[&shown, words, "hint: ", "HTTPS_PROXY"]);
        assert!(proxy.count() > 0);
    }

    // Metadata and this machine are never asked through a proxy.
    let (aws, metadata) = (aws::proper(), aws::metadata());
    let proxy = Responder::start(|_| Reply::http(403, &[], ""));
    let mut stage = Stage::new();
    stage.unset("AWS_EC2_METADATA_DISABLED");
    stage.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url()).set("AWS_ENDPOINT_URL_ECR", &aws.url());
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
        stage.set(variable, &proxy.url());
    }
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(proxy.count(), 0);
    held("exit 1 with the cause; metadata and this machine are asked directly");
}

#[test]
fn row_21_a_page_in_the_place_of_aws() {
    fault("a proxy or a firewall answers with a page of its own");
    for status in [302, 401, 403, 404] {
        let aws = Responder::start(move |_| {
            Reply::http(status, &[("content-type", "text/html")], "<p>blocked</p>")
        });
        let stderr = refused(&aws);
        assert_says(
            &stderr,
            &["cannot be used", &format!("its status is {status}"), "whether a proxy answers"],
        );
        assert!(!stderr.contains("AWS Support"), "{stderr}");
    }
    held("told as an answer that is none of AWS's");
}
