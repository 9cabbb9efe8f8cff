//! Starting, stopping, what stays and what does not.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use ecru_emulator::{CreateRepositoryError, Emulator, Options, Region, RegistryAt, StartError};
use hyper::Method;
use tokio::net::UnixStream;

use crate::client::Call;
use crate::stage::{Stage, account, digest_of, region};

async fn refusal(options: Options) -> StartError {
    Emulator::start(options).await.expect_err("a refusal")
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "192.0.2.1:5000", "[::]:0"] {
        let listen: SocketAddr = address.parse().unwrap();
        let error = refusal(Options { listen, ..Options::default() }).await;
        assert!(matches!(error, StartError::NotLoopback(refused) if refused == listen));
        assert!(error.hint().unwrap().starts_with("listen on 127.0.0.1:"));
    }
    let stage = Stage::new().await;
    let addresses = stage.emulator.addresses();
    assert!(addresses.main.ip().is_loopback() && addresses.blob.ip().is_loopback());
}

#[tokio::test]
async fn options_that_contradict_themselves_are_refused() {
    let own = RegistryAt { account: account(0), region: Region::default(), port: 0 };
    let other = RegistryAt { account: account(1), region: Region::default(), port: 0 };
    for registries in [vec![own], vec![other.clone(), other]] {
        let error = refusal(Options { registries, ..Options::default() }).await;
        assert!(matches!(error, StartError::DuplicateRegistry(_)));
        assert!(error.hint().is_some());
    }
    for role in ["", "a/b", "a b", &"r".repeat(65)] {
        let error = refusal(Options { instance_role: role.into(), ..Options::default() }).await;
        assert!(matches!(error, StartError::InvalidRole(_)));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = taken.local_addr().unwrap();
    let error = refusal(Options { listen, ..Options::default() }).await;
    assert_eq!(error.to_string(), format!("cannot listen on {listen} as the main listener"));
    assert!(error.hint().unwrap().contains("another port"));
}

#[tokio::test]
async fn dropping_it_frees_its_ports_and_its_files() {
    let parent = tempfile::tempdir().unwrap();
    let unix_socket = parent.path().join("socket");
    let stage = Stage::with(Options { unix_socket: Some(unix_socket.clone()), ..Options::default() }).await;
    let (main, blob) = (stage.main(), stage.emulator.addresses().blob);
    assert_eq!(Call::get(main, "/v2/").send().await.status, 401);
    drop(stage);
    for address in [main, blob] {
        TcpListener::bind(address).unwrap();
    }
    assert!(!unix_socket.exists());
}

#[tokio::test]
async fn stopping_lets_a_request_in_progress_end() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stage = Stage::new().await;
    let address = stage.main();
    let body = "Version=2011-06-15&Action=Nothing";
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The interim answer proves that the request is being handled.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));
    let stopping = tokio::spawn(stage.emulator.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("InvalidAction"), "{answer}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_state_folder_keeps_images_from_run_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state_dir: Some(folder.path().join("state")), ..Options::default() };
    let stage = Stage::with(options()).await;
    stage.create("team/app");
    stage.emulator.create_repository(account(1), &region("eu-west-1"), "there").unwrap();
    let manifest = stage.push_image("team/app", "v1").await;
    assert!(matches!(refusal(options()).await, StartError::State(_)));
    let old_password = stage.own_basic().await;
    stage.emulator.stop().await;

    let stage = Stage::with(options()).await;
    let answer = stage.registry_call(Method::GET, "/v2/team/app/manifests/v1").await.send().await;
    assert_eq!(answer.text(), manifest);
    let blob = format!("/v2/team/app/blobs/{}", digest_of(b"layer"));
    assert_eq!(stage.registry_call(Method::GET, &blob).await.send().await.status, 307);
    let again = stage.emulator.create_repository(account(1), &region("eu-west-1"), "there");
    assert!(matches!(again, Err(CreateRepositoryError::AlreadyExists { .. })));
    let ping = Call::get(stage.main(), "/v2/").header("authorization", &old_password);
    assert_eq!(ping.send().await.status, 401);
}

#[tokio::test]
async fn nothing_but_images_is_left_in_a_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with(Options { state_dir: Some(folder.path().into()), ..Options::default() }).await;
    stage.create("app");
    stage.push_image("app", "v1").await;
    stage.open_upload("app").await;
    let abandoned = folder.path().join("uploads/left by a crash");
    std::fs::write(&abandoned, "x").unwrap();
    stage.emulator.stop().await;
    Stage::with(Options { state_dir: Some(folder.path().into()), ..Options::default() }).await;
    assert_eq!(std::fs::read_dir(folder.path().join("uploads")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 3);
}

#[tokio::test]
async fn a_unix_socket_serves_what_the_main_listener_does() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("socket");
    // A socket that a dead process left behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let options = Options { unix_socket: Some(path.clone()), ..Options::default() };
    let stage = Stage::with(options.clone()).await;
    let stream = UnixStream::connect(&path).await.unwrap();
    let call = Call::get(stage.main(), "/v2/").header("authorization", &stage.own_basic().await);
    assert_eq!(call.send_over(stream).await.status, 200);
    assert!(matches!(refusal(options.clone()).await, StartError::Unix { .. }));

    let file = parent.path().join("file");
    std::fs::write(&file, "not a socket").unwrap();
    let error = refusal(Options { unix_socket: Some(file.clone()), ..options }).await;
    assert!(matches!(error, StartError::Unix { .. }));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "not a socket");
}

#[tokio::test]
async fn addresses_and_environment_lead_clients_here() {
    let stage = Stage::with_second_registry(Options::default()).await;
    let main = stage.main();
    let environment = stage.emulator.environment();
    let names: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "AWS_ENDPOINT_URL_ECR",
        "AWS_ENDPOINT_URL_ECR_PUBLIC",
        "AWS_ENDPOINT_URL_STS",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ];
    assert_eq!(names, expected);
    assert!(environment.iter().all(|(_, value)| *value == format!("http://{main}")));
    let addresses = serde_json::to_value(stage.emulator.addresses()).unwrap();
    assert_eq!(addresses["main"], main.to_string());
    let default = &addresses["registries"]["000000000000.dkr.ecr.us-east-1.amazonaws.com"];
    assert_eq!(*default, format!("localhost:{}", main.port()));
    assert!(addresses["tls"].is_null());
}

#[tokio::test]
async fn calls_are_counted_by_operation() {
    let stage = Stage::new().await;
    stage.create("app");
    let before = stage.emulator.calls();
    let basic = stage.own_basic().await;
    Call::get(stage.main(), "/v2/").send().await;
    Call::get(stage.main(), "/v2/app/manifests/v1").header("authorization", &basic).send().await;
    Call::get(stage.main(), "/v2/nothing").header("authorization", &basic).send().await;
    let calls = stage.emulator.calls().since(&before).to_string();
    let expected = "ecr:GetAuthorizationToken 1, registry:GetManifest 1, registry:Ping 1, registry:Unknown 1";
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn repositories_made_in_the_process_obey_the_same_rules() {
    let stage = Stage::new().await;
    let create = |name| stage.emulator.create_repository(account(0), &Region::default(), name);
    create("app").unwrap();
    assert!(matches!(create("app"), Err(CreateRepositoryError::AlreadyExists { .. })));
    let error = create("../app").unwrap_err();
    assert_eq!(error.to_string(), "`../app` is not a repository name");
    assert!(error.hint().is_some());
}
