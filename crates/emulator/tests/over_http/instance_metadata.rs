//! The instance metadata service in all its modes.

use ecru_emulator::{InstanceMetadata, Options};
use hyper::Method;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Answer, Call};
use crate::signer::Signer;
use crate::stage::{Hands, Stage};

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

async fn token(stage: &Stage, ttl: &str) -> Answer {
    Call::new(Method::PUT, stage.main(), "/latest/api/token").header(TTL, ttl).send().await
}

async fn get(stage: &Stage, path: &str, token: &str) -> Answer {
    Call::get(stage.main(), path).header("x-aws-ec2-metadata-token", token).send().await
}

#[tokio::test]
async fn a_token_tells_its_time_to_live() {
    let stage = Stage::new().await;
    for ttl in ["1", "21600"] {
        let answer = token(&stage, ttl).await;
        assert_eq!((answer.status.as_u16(), answer.header(TTL)), (200, ttl));
        assert!(answer.text().len() > 40);
    }
    for ttl in ["0", "21601", "-1", "", "x", "99999999999999999999"] {
        assert_eq!(token(&stage, ttl).await.status, 400, "{ttl}");
    }
    let none = Call::new(Method::PUT, stage.main(), "/latest/api/token").send().await;
    assert_eq!(none.status, 400);
    let forwarded = Call::new(Method::PUT, stage.main(), "/latest/api/token")
        .header(TTL, "60")
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(forwarded.send().await.status, 403);
    assert_eq!(Call::get(stage.main(), "/latest/api/token").send().await.status, 405);
}

#[tokio::test]
async fn nothing_is_told_without_a_valid_token() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let path = "/latest/meta-data/placement/region";
    assert_eq!(Call::get(stage.main(), path).send().await.status, 401);
    assert_eq!(get(&stage, path, "wrong").await.status, 401);
    let token = token(&stage, "60").await;
    assert_eq!(get(&stage, path, token.text()).await.text(), "us-east-1");
    assert_eq!(get(&Stage::new().await, path, token.text()).await.status, 401);
    hands.advance(1);
    assert_eq!(get(&stage, path, token.text()).await.status, 401);
}

#[tokio::test]
async fn the_instance_knows_its_role_and_place() {
    let stage = Stage::with(Options { instance_role: "runner".into(), ..Options::default() }).await;
    let token = token(&stage, "60").await;
    let text = async |path| get(&stage, path, token.text()).await.text().to_owned();
    assert_eq!(text("/latest/meta-data/iam/security-credentials/").await, "runner");
    assert_eq!(text("/latest/meta-data/iam/security-credentials").await, "runner");
    assert_eq!(text("/latest/meta-data/placement/availability-zone").await, "us-east-1a");
    let document = get(&stage, "/latest/dynamic/instance-identity/document", token.text()).await.json();
    assert_eq!(document["accountId"], "000000000000");
    assert_eq!(document["region"], "us-east-1");
    let info = get(&stage, "/latest/meta-data/iam/info", token.text()).await.json();
    assert_eq!(info["InstanceProfileArn"], "arn:aws:iam::000000000000:instance-profile/runner");
    for path in [
        "/latest/meta-data/iam/security-credentials/other",
        "/latest/meta-data/iam/security-credentials/runner/x",
        "/latest/user-data",
        "/latest/meta-data/../api",
    ] {
        assert_eq!(get(&stage, path, token.text()).await.status, 404, "{path}");
    }
    let post = Call::new(Method::POST, stage.main(), "/latest/meta-data/instance-id").send().await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn role_credentials_work_and_are_renewed_before_they_expire() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let credentials = async || {
        let token = token(&stage, "60").await;
        let path = "/latest/meta-data/iam/security-credentials/ecru-emulator-instance";
        get(&stage, path, token.text()).await.json()
    };
    let first = credentials().await;
    assert_eq!((&first["Code"], &first["Type"]), (&"Success".into(), &"AWS-HMAC".into()));
    assert_eq!(first["LastUpdated"], "2027-01-15T08:00:00Z");
    assert_eq!(first["Expiration"], "2027-01-15T14:00:00Z");
    assert!(first["SecretAccessKey"].is_string());

    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    let signer = Signer {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("Token")),
        ..stage.signer(0, "us-east-1", "sts")
    };
    let identity = stage.sts(&signer, "Action=GetCallerIdentity").await;
    let arn = "arn:aws:sts::000000000000:assumed-role/ecru-emulator-instance/i-0ec0000000000ec00";
    assert_eq!(identity.element("Arn"), arn);

    hands.advance(5);
    assert_eq!(credentials().await, first);
    hands.advance(1);
    assert_ne!(credentials().await["AccessKeyId"], first["AccessKeyId"]);
}

#[tokio::test]
async fn aws_hosts_have_no_metadata() {
    let stage = Stage::new().await;
    let call = Call::new(Method::PUT, stage.main(), "/latest/api/token").header(TTL, "60");
    assert_eq!(call.header("host", "sts.amazonaws.com").send().await.status, 404);
}

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

async fn stage_in(mode: InstanceMetadata) -> Stage {
    Stage::with(Options { instance_metadata: mode, ..Options::default() }).await
}

/// The statuses of the role list without a token and with one that is wrong.
async fn statuses(stage: &Stage) -> (u16, u16) {
    let without = Call::get(stage.main(), ROLES).send().await.status.as_u16();
    (without, get(stage, ROLES, "wrong").await.status.as_u16())
}

#[tokio::test]
async fn version_one_needs_no_token() {
    let both = stage_in(InstanceMetadata::V1AndV2).await;
    assert_eq!(statuses(&both).await, (200, 401));
    let token = token(&both, "60").await;
    assert_eq!(get(&both, ROLES, token.text()).await.status, 200);
    let old = stage_in(InstanceMetadata::V1Only).await;
    assert_eq!(statuses(&old).await, (200, 200));
    let put = Call::new(Method::PUT, old.main(), "/latest/api/token").header(TTL, "60").send().await;
    assert_eq!(put.status, 404);
}

#[tokio::test]
async fn an_instance_can_have_no_role_no_metadata_or_not_exist() {
    let without_role = stage_in(InstanceMetadata::NoRole).await;
    let token = token(&without_role, "60").await;
    for path in [ROLES, "/latest/meta-data/iam/info", "/latest/meta-data/iam/security-credentials"] {
        assert_eq!(get(&without_role, path, token.text()).await.status, 404, "{path}");
    }
    let region = get(&without_role, "/latest/meta-data/placement/region", token.text()).await;
    assert_eq!(region.status, 200);
    for (mode, status) in [(InstanceMetadata::Absent, 404), (InstanceMetadata::Disabled, 403)] {
        let stage = stage_in(mode).await;
        assert_eq!(statuses(&stage).await, (status, status));
        for method in [Method::PUT, Method::GET, Method::DELETE] {
            let call = Call::new(method, stage.main(), "/latest/api/token").header(TTL, "60");
            assert_eq!(call.send().await.status, status);
        }
    }
}

#[tokio::test]
async fn behind_a_hop_too_many_no_token_arrives() {
    for (mode, without_token) in [(InstanceMetadata::HopLimit, 401), (InstanceMetadata::HopLimitV1AndV2, 200)]
    {
        let stage = stage_in(mode).await;
        let mut stream = tokio::net::TcpStream::connect(stage.main()).await.unwrap();
        let put = format!("PUT /latest/api/token HTTP/1.1\r\nhost: {}\r\n{TTL}: 60\r\n\r\n", stage.main());
        stream.write_all(put.as_bytes()).await.unwrap();
        // Once it is counted, an answer would be under way; other requests are answered meanwhile.
        while stage.emulator.calls().get("imds:PutToken") == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(statuses(&stage).await, (without_token, 401));
        let silence = stream.try_read(&mut [0]).unwrap_err();
        assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn the_instances_own_credentials_are_of_no_use() {
    let stage = Stage::new().await;
    let token = token(&stage, "60").await;
    let path = "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance";
    let credentials = get(&stage, path, token.text()).await.json();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let signer = Signer {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("Token")),
        ..stage.signer(0, "us-east-1", "ecr")
    };
    let prefix = "AmazonEC2ContainerRegistry_V20150921";
    let answer = stage.json_call(prefix, "GetAuthorizationToken", &signer, "{}").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["__type"]), (400, &"AccessDeniedException".into()));
}
