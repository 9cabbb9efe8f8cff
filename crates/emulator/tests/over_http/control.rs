//! The control address, and the log of requests.

use std::net::{Ipv4Addr, SocketAddr};

use ecru_emulator::{Options, RegistryAt, StartError, TlsOptions};
use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Answer, Call};
use crate::stage::{Stage, account, credential_in, region};

async fn controlled() -> (Stage, SocketAddr) {
    let stage = Stage::with(Options { control: Some(0), ..Options::default() }).await;
    let address = stage.emulator.addresses().control.unwrap();
    (stage, address)
}

async fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    Call::new(Method::POST, address, path).body(body.to_owned()).send().await
}

#[tokio::test]
async fn there_is_no_control_address_unless_asked_for() {
    let stage = Stage::new().await;
    assert_eq!(stage.emulator.addresses().control, None);
}

#[tokio::test]
async fn counters_are_read_and_reset() {
    let (stage, control) = controlled().await;
    Call::get(stage.main(), "/v2/").send().await;
    let calls = Call::get(control, "/calls").send().await;
    assert_eq!((calls.json(), calls.header("cache-control")), (json!({ "registry:Ping": 1 }), "no-store"));
    let told = post(control, "/calls/reset", "").await;
    assert_eq!(told.json(), json!({ "registry:Ping": 1 }));
    assert_eq!(Call::get(control, "/calls").send().await.json(), json!({}));
    Call::get(stage.main(), "/v2/").send().await;
    stage.emulator.reset_calls();
    assert_eq!(stage.emulator.calls().total(), 0);
}

#[tokio::test]
async fn faults_are_set_listed_and_cleared() {
    let (stage, control) = controlled().await;
    let set = post(control, "/faults", r#""registry:Ping=status:503,count:1""#).await;
    let first = json!({ "operation": "registry:Ping", "effect": "status:503", "count": 1, "matched": 0, "applied": 0 });
    assert_eq!((set.status.as_u16(), set.json()), (200, json!({ "faults": [first] })));
    let more = r#"["sts:*=reset", {"operation": "ecr:*", "effect": "throttle", "after": 2}]"#;
    assert_eq!(post(control, "/faults", more).await.json()["faults"].as_array().unwrap().len(), 3);
    assert_eq!(Call::get(stage.main(), "/v2/").send().await.status, 503);
    let listed = Call::get(control, "/faults").send().await.json();
    assert_eq!((&listed["faults"][0]["matched"], &listed["faults"][0]["applied"]), (&json!(1), &json!(1)));
    let cleared = Call::new(Method::DELETE, control, "/faults").send().await;
    assert_eq!(cleared.json(), json!({ "faults": [] }));
    assert!(stage.emulator.faults().is_empty());
}

#[tokio::test]
async fn what_is_no_fault_is_refused_whole() {
    let (stage, control) = controlled().await;
    for (body, error) in [
        ("reset", "the body is not JSON"),
        (r#"["sts:*=reset", "sts:*=explode"]"#, "\"explode\" is not an effect"),
        (r#"{"operation":"*"}"#, "missing field `effect`"),
        (r#"{"operation":"*","effect":"reset","when":1}"#, "unknown field `when`"),
        ("7", "invalid type"),
    ] {
        let answer = post(control, "/faults", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"].as_str().unwrap().contains(error), "{answer:?}");
    }
    let many = serde_json::to_string(&vec!["*=reset"; 101]).unwrap();
    assert_eq!(post(control, "/faults", &many).await.status, 400);
    assert_eq!(post(control, "/faults", &" ".repeat(300 * 1024)).await.status, 400);
    assert!(stage.emulator.faults().is_empty());
    assert_eq!(post(control, "/calls", "").await.status, 405);
    assert_eq!(Call::get(control, "/latest/").send().await.status, 404);
}

#[tokio::test]
async fn whoever_owns_the_emulator_learns_that_it_should_stop() {
    let (stage, control) = controlled().await;
    assert_eq!(post(control, "/stop", "").await.status, 202);
    stage.emulator.stop_requested().await;
    stage.emulator.stop().await;
    assert!(tokio::net::TcpStream::connect(control).await.is_err());
}

#[tokio::test]
async fn pages_in_a_browser_and_other_names_are_refused() {
    let (_stage, control) = controlled().await;
    for host in ["evil.example", "localhost", "", "127.0.0.1", "000000000000.dkr.ecr.us-east-1.amazonaws.com"]
    {
        assert_eq!(Call::get(control, "/requests").header("host", host).send().await.status, 421, "{host}");
    }
    let localhost = format!("localhost:{}", control.port());
    assert_eq!(Call::get(control, "/calls").header("host", &localhost).send().await.status, 200);
    for (name, value) in
        [("origin", "null"), ("origin", "http://evil.example"), ("x-forwarded-for", "192.0.2.1")]
    {
        assert_eq!(
            Call::get(control, "/requests").header(name, value).send().await.status,
            403,
            "{name}: {value}"
        );
    }
    let absolute = Call::get(control, "http://evil.example/requests").send().await;
    assert_eq!(absolute.status, 421);
    let mut stream = tokio::net::TcpStream::connect(control).await.unwrap();
    let two =
        format!("GET /calls HTTP/1.1\r\nhost: {control}\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    stream.write_all(two.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn clients_of_emulated_aws_cannot_reach_it() {
    let (stage, control) = controlled().await;
    for path in ["/faults", "/requests", "/calls", "/stop"] {
        for host in [control.to_string(), stage.main().to_string()] {
            let call = Call::new(Method::POST, stage.main(), path).header("host", &host);
            assert_eq!(call.send().await.status, 404, "{path} {host}");
        }
    }
    assert_eq!(Call::get(control, "/v2/").send().await.status, 404);
    let taken = Options { control: Some(control.port()), ..Options::default() };
    let error = ecru_emulator::Emulator::start(taken).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { what: "the control address", .. }));
    assert_eq!(control.ip(), Ipv4Addr::LOCALHOST);
}

#[tokio::test]
async fn requests_are_recorded_with_what_became_of_them() {
    let second = RegistryAt { account: account(1), region: region("eu-west-1"), port: 0 };
    let stage = Stage::with(Options { registries: vec![second], ..Options::default() }).await;
    stage.create("app");
    let answer = stage.registry_call(Method::GET, "/v2/app/tags/list?n=5").await.send().await;
    let records = stage.emulator.requests();
    let [token, list] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(token.operation.as_deref(), Some("ecr:GetAuthorizationToken"));
    assert_eq!(list.operation.as_deref(), Some("registry:ListTags"));
    assert_eq!((list.method.as_str(), list.target.as_str()), ("GET", "/v2/app/tags/list?n=5"));
    assert_eq!((list.listener, list.host.as_str()), ("main", stage.main().to_string().as_str()));
    for record in [token, list] {
        assert_eq!(record.principal.as_deref(), Some("arn:aws:iam::000000000000:user/ecru"));
        assert_eq!(record.status, Some(200));
        assert!(record.duration_ms.is_some());
    }
    assert_eq!(list.bytes, answer.body.len() as u64);

    let second = stage.registry("000000000001.dkr.ecr.eu-west-1.amazonaws.com");
    Call::get(second, "/v2/").send().await;
    Call::get(stage.emulator.addresses().blob, "/nothing").send().await;
    Call::get(stage.main(), "/v2/").header("host", "s3.amazonaws.com").send().await;
    let after = stage.emulator.requests();
    let seen: Vec<_> = after[2..].iter().map(|record| (record.listener, record.status.unwrap())).collect();
    assert_eq!(seen, [("registry", 401), ("blobs", 404), ("main", 421)]);
    assert!(after[2..].iter().all(|record| record.principal.is_none()));
}

#[tokio::test]
async fn no_record_holds_a_secret() {
    let (stage, control) = controlled().await;
    stage.create("app");
    let signer = stage.signer(0, "us-east-1", "sts");
    let role =
        "Action=AssumeRole&RoleSessionName=job&RoleArn=arn:aws:iam::000000000000:role/r&Canary=hunter2";
    let assumed = stage.sts(&signer, role).await;
    let session = stage.session_signer(&assumed, "us-east-1", "ecr");
    let basic = stage.basic_of(&session).await;
    let digest = stage.push_blob("app", b"layer").await;
    let blob = format!("/v2/app/blobs/{digest}");
    let link = Call::get(stage.main(), &blob).header("authorization", &basic).send().await;
    let location = link.header("location").to_owned();
    let target = location.split_once("/sha256/").unwrap().1;
    Call::get(stage.emulator.addresses().blob, &format!("/sha256/{target}")).send().await;
    Call::get(stage.main(), "/v2/?hunter2&token=hunter2&X-Amz-Security-Token=hunter2").send().await;
    Call::get(stage.main(), "http://hunter2:hunter2@localhost/v2/").send().await;
    let log = Call::get(control, "/requests").send().await;
    let text = log.text();
    assert!(text.contains("GetObject") && text.contains("signature=***"), "{text}");
    let signature = target.split_once("signature=").unwrap().1;
    let secrets = [
        "hunter2",
        signature,
        &signer.secret_access_key,
        &session.secret_access_key,
        session.session_token.as_deref().unwrap(),
        &session.access_key_id,
        &basic["Basic ".len()..],
        &credential_in(&basic)["AWS:".len()..],
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Two emulators with everything that one can have, side by side.
#[tokio::test]
async fn two_emulators_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        let options = Options {
            control: Some(0),
            state_dir: Some(folder.path().join(name)),
            unix_socket: Some(folder.path().join(format!("{name}.sock"))),
            tls: Some(TlsOptions::default()),
            ..Options::default()
        };
        Stage::with_second_registry(options).await
    };
    let (one, two) = (start("one").await, start("two").await);
    let (first, second) = (one.emulator.addresses(), two.emulator.addresses());
    let ports = |addresses: &ecru_emulator::Addresses| {
        let tls = addresses.tls.as_ref().unwrap();
        [addresses.main, addresses.blob, addresses.control.unwrap(), tls.main, tls.blob]
            .map(|address| address.port())
    };
    assert!(ports(first).iter().all(|port| !ports(second).contains(port)));
    let ca =
        |addresses: &ecru_emulator::Addresses| std::fs::read(&addresses.tls.as_ref().unwrap().ca).unwrap();
    assert_ne!(ca(first), ca(second));

    post(first.control.unwrap(), "/faults", r#""registry:Ping=status:503""#).await;
    one.create("app");
    one.push_image("app", "v1").await;
    let socket = async |stage: &Stage| {
        let path = stage.emulator.addresses().unix.clone().unwrap();
        let stream = tokio::net::UnixStream::connect(path).await.unwrap();
        Call::get(stage.main(), "/v2/").send_over(stream).await.status.as_u16()
    };
    assert_eq!((socket(&one).await, socket(&two).await), (503, 401));
    let of_two = two.registry_call(Method::GET, "/v2/app/tags/list").await.send().await;
    assert_eq!(of_two.error_code(), "NAME_UNKNOWN");
    let stolen = Call::get(two.main(), "/v2/").header("authorization", &one.own_basic().await).send().await;
    assert_eq!(stolen.status, 401);
    assert_eq!(two.emulator.calls().get("registry:PutManifest"), 0);
    assert!(two.emulator.requests().iter().all(|record| record.fault.is_none()));

    assert_eq!(post(first.control.unwrap(), "/stop", "").await.status, 202);
    one.emulator.stop_requested().await;
    one.emulator.stop().await;
    assert_eq!(socket(&two).await, 401);
    assert!(folder.path().join("two.sock").exists() && !folder.path().join("one.sock").exists());
}
