//! ECR Public as clients see it: everybody pulls, owners push.

use std::collections::BTreeMap;

use ecru_emulator::{Identity, Options, StartError};
use hyper::Method;
use serde_json::{Value, json};

use crate::aws_apis::assert_error;
use crate::client::{Answer, Call};
use crate::stage::{Hands, IMAGE, Stage, account, digest_of, image};

const PREFIX: &str = "SpencerFrontendService";
const HOST: &str = "public.ecr.aws";

/// A stage where ECR Public has a port and account 1 a name.
async fn public_stage(options: Options) -> Stage {
    let public_aliases = BTreeMap::from([("team".to_owned(), account(1))]);
    let accounts = vec![account(1)];
    Stage::with(Options { public_port: Some(0), public_aliases, accounts, ..options }).await
}

impl Stage {
    async fn public_api(&self, number: u8, operation: &str, body: Value) -> Answer {
        let signer = self.signer(number, "us-east-1", "ecr-public");
        self.json_call(PREFIX, operation, &signer, &body.to_string()).await
    }

    /// The `Basic` header with the public password of an account's user.
    async fn public_basic(&self, number: u8) -> String {
        let answer = self.public_api(number, "GetAuthorizationToken", json!({})).await.json();
        format!("Basic {}", answer["authorizationData"]["authorizationToken"].as_str().unwrap())
    }

    /// The `Bearer` header that `/token/` gives for a `Basic` one, or without any.
    async fn bearer(&self, basic: Option<&str>) -> String {
        let call = Call::get(self.registry(HOST), "/token/?service=public.ecr.aws&scope=aws");
        let call = basic.into_iter().fold(call, |call, basic| call.header("authorization", basic));
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }

    async fn public_call(&self, method: Method, path: &str, bearer: &str) -> Answer {
        self.public_send(Call::new(method, self.registry(HOST), path), bearer).await
    }

    async fn public_send(&self, call: Call, bearer: &str) -> Answer {
        call.header("authorization", bearer).send().await
    }

    /// Pushes an image into a public repository, and gives the answer to its last request.
    async fn public_push(&self, path_name: &str, bearer: &str) -> Answer {
        for blob in [b"{}".as_slice(), b"layer"] {
            let uploads = format!("/v2/{path_name}/blobs/uploads/");
            let opened = self.public_call(Method::POST, &uploads, bearer).await;
            if opened.status != 202 {
                return opened;
            }
            let target = format!("{}?digest={}", opened.header("location"), digest_of(blob));
            let call = Call::new(Method::PUT, self.registry(HOST), &target).body(blob.to_vec());
            let put = self.public_send(call, bearer).await;
            assert_eq!(put.status, 201, "{put:?}");
        }
        let path = format!("/v2/{path_name}/manifests/v1");
        let call = Call::new(Method::PUT, self.registry(HOST), &path).header("content-type", IMAGE);
        let manifest = image(&digest_of(b"{}"), &digest_of(b"layer"));
        self.public_send(call.body(manifest), bearer).await
    }
}

#[tokio::test]
async fn strangers_are_sent_where_they_can_get_a_token() {
    let stage = public_stage(Options::default()).await;
    let challenge = async |address, host: &str| {
        let answer = Call::get(address, "/v2/").header("host", host).send().await;
        assert_eq!((answer.status.as_u16(), answer.text()), (401, "Not Authorized\n"));
        answer.header("www-authenticate").to_owned()
    };
    let sent_to = |realm: &str| format!("Bearer realm=\"{realm}\",service=\"{HOST}\",scope=\"aws\"");
    for host in [HOST, "ecr-public.aws.com"] {
        assert_eq!(challenge(stage.main(), host).await, sent_to(&format!("https://{host}/token/")));
    }
    // What reached it by another name finds it by that name again.
    let port = stage.registry(HOST);
    let local = format!("localhost:{}", port.port());
    assert_eq!(challenge(port, &local).await, sent_to(&format!("http://{local}/token/")));
    assert_eq!(challenge(port, "a\"b").await, sent_to("http://public.ecr.aws/token/"));

    let refused = async |authorization: &str| {
        stage.public_call(Method::GET, "/v2/", authorization).await.status.as_u16()
    };
    let basic = stage.public_basic(1).await;
    for authorization in
        [basic.as_str(), "Bearer x", "Bearer ecru-emulator-anonymous.1.00", &stage.own_basic().await]
    {
        assert_eq!(refused(authorization).await, 401, "{authorization}");
    }
    assert_eq!(refused(&basic.replace("Basic", "Bearer")).await, 200);
    // Only ECR Public has tokens.
    assert_eq!(Call::get(stage.main(), "/token/").send().await.status, 404);
    let wrong = Call::get(port, "/token/").header("authorization", &stage.own_basic().await).send().await;
    assert_eq!(wrong.status, 401);
}

#[tokio::test]
async fn everybody_pulls_and_only_the_owner_pushes() {
    let stage = public_stage(Options::default()).await;
    let created = stage.public_api(1, "CreateRepository", json!({ "repositoryName": "app" })).await.json();
    assert_eq!(created["repository"]["repositoryUri"], "public.ecr.aws/team/app");
    assert_eq!(created["repository"]["repositoryArn"], "arn:aws:ecr-public::000000000001:repository/app");
    let owner = stage.bearer(Some(&stage.public_basic(1).await)).await;
    let other = stage.bearer(Some(&stage.public_basic(0).await)).await;
    let nobody = stage.bearer(None).await;
    assert_eq!(stage.public_push("team/app", &owner).await.status, 201);

    for bearer in [&owner, &other, &nobody] {
        let pulled = stage.public_call(Method::GET, "/v2/team/app/manifests/v1", bearer).await;
        assert_eq!(pulled.status, 200);
        let blob = format!("/v2/team/app/blobs/{}", digest_of(b"layer"));
        assert_eq!(stage.public_call(Method::GET, &blob, bearer).await.status, 307);
        let tags = stage.public_call(Method::GET, "/v2/team/app/tags/list", bearer).await.json();
        assert_eq!(tags, json!({ "name": "team/app", "tags": ["v1"] }));
    }
    for bearer in [&other, &nobody] {
        let denied = stage.public_push("team/app", bearer).await;
        assert_eq!((denied.status.as_u16(), denied.error_code().as_str()), (403, "DENIED"));
        let deleted = stage.public_call(Method::DELETE, "/v2/team/app/manifests/v1", bearer).await;
        assert_eq!(deleted.status, 403);
    }
    let denied = stage.public_push("team/app", &other).await.json()["errors"][0]["message"].clone();
    assert_eq!(
        denied,
        "User: arn:aws:iam::000000000000:user/ecru is not authorized to perform: ecr-public:InitiateLayerUpload on \
         resource: arn:aws:ecr-public::000000000001:repository/app because no resource-based policy allows the \
         ecr-public:InitiateLayerUpload action"
    );
    for (path, code) in
        [("nobody/app", "NAME_UNKNOWN"), ("team/other", "NAME_UNKNOWN"), ("app", "NAME_INVALID")]
    {
        let answer = stage.public_call(Method::GET, &format!("/v2/{path}/tags/list"), &nobody).await;
        assert_eq!(answer.error_code(), code, "{path}");
    }
}

#[tokio::test]
async fn an_expired_password_is_refused_where_none_would_do() {
    let hands = Hands::new();
    let stage = public_stage(Options { clock: hands.clock(), ..Options::default() }).await;
    let basic = stage.public_basic(1).await;
    let (owner, nobody) = (stage.bearer(Some(&basic)).await, stage.bearer(None).await);
    hands.advance(12);
    let token = Call::get(stage.registry(HOST), "/token/").header("authorization", &basic).send().await;
    let denied = [token, stage.public_call(Method::GET, "/v2/", &owner).await];
    for answer in denied.into_iter().chain([stage.public_call(Method::GET, "/v2/", &nobody).await]) {
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (403, "DENIED"));
        let message = "Your authorization token has expired. Reauthenticate and try again.";
        assert_eq!(answer.json()["errors"][0]["message"], message);
    }
    let fresh = stage.bearer(None).await;
    assert_eq!(stage.public_call(Method::GET, "/v2/", &fresh).await.status, 200);
}

#[tokio::test]
async fn a_token_needs_both_permissions() {
    let allow = |actions: &[&str]| {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
    };
    let both = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"];
    let stage = public_stage(Options::default()).await;
    for (actions, missing) in [(&both[..1], Some(both[1])), (&both[1..], Some(both[0])), (&both[..], None)] {
        let user = Identity {
            account: account(1),
            name: "ecru".into(),
            policies: vec![allow(actions)],
            ..Identity::default()
        };
        stage.emulator.set_user(&user).unwrap();
        let answer = stage.public_api(1, "GetAuthorizationToken", json!({})).await;
        match missing {
            None => assert_eq!(answer.status, 200),
            Some(action) => {
                assert_error(&answer, 400, "AccessDeniedException");
                let end = format!("because no identity-based policy allows the {action} action");
                assert!(answer.json()["message"].as_str().unwrap().ends_with(&end));
            }
        }
    }
    // A password pushes what its principal may push now.
    let owner = stage.bearer(Some(&stage.public_basic(1).await)).await;
    assert_eq!(stage.public_push("team/app", &owner).await.status, 403);
}

#[tokio::test]
async fn public_repositories_are_created_described_and_deleted() {
    let stage = public_stage(Options::default()).await;
    for name in ["app", "other"] {
        let body = json!({ "repositoryName": name });
        assert_eq!(stage.public_api(0, "CreateRepository", body).await.status, 200);
    }
    let again = stage.public_api(0, "CreateRepository", json!({ "repositoryName": "app" })).await;
    assert_error(&again, 400, "RepositoryAlreadyExistsException");
    let all = stage.public_api(0, "DescribeRepositories", json!({})).await.json();
    let uris: Vec<&Value> =
        all["repositories"].as_array().unwrap().iter().map(|entry| &entry["repositoryUri"]).collect();
    assert_eq!(uris, ["public.ecr.aws/ecru-emulator-00/app", "public.ecr.aws/ecru-emulator-00/other"]);
    // Private repositories are others.
    let private = stage.ecr("DescribeRepositories", r#"{"repositoryNames":["app"]}"#).await;
    assert_error(&private, 400, "RepositoryNotFoundException");
    let one = json!({ "repositoryNames": ["none"] });
    assert_error(&stage.public_api(0, "DescribeRepositories", one).await, 400, "RepositoryNotFoundException");

    let owner = stage.bearer(Some(&stage.public_basic(0).await)).await;
    assert_eq!(stage.public_push("ecru-emulator-00/app", &owner).await.status, 201);
    let delete = async |body: Value| stage.public_api(0, "DeleteRepository", body).await;
    assert_error(&delete(json!({ "repositoryName": "app" })).await, 400, "RepositoryNotEmptyException");
    assert_eq!(delete(json!({ "repositoryName": "app", "force": true })).await.status, 200);
    assert_error(&delete(json!({ "repositoryName": "app" })).await, 400, "RepositoryNotFoundException");

    let registries = stage.public_api(1, "DescribeRegistries", json!({})).await.json();
    assert_eq!(registries["registries"][0]["registryUri"], "public.ecr.aws/team");
    assert_error(&stage.public_api(1, "PutImage", json!({})).await, 400, "UnknownOperationException");
}

#[tokio::test]
async fn what_is_no_alias_stops_the_start() {
    let public_aliases = BTreeMap::from([("Team".to_owned(), account(1))]);
    let options = Options { public_aliases, ..Options::default() };
    let error = ecru_emulator::Emulator::start(options).await.unwrap_err();
    assert!(matches!(&error, StartError::InvalidAlias(alias) if alias == "Team"), "{error:?}");
    assert!(error.hint().is_some());
}
