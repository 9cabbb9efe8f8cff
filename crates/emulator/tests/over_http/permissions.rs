//! IAM as clients meet it: on every API and on every request to a registry.

use std::collections::BTreeMap;

use ecru_emulator::{CrossAccount, Identity, Options, StartError};
use hyper::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::aws_apis::assert_error;
use crate::client::{Answer, Call};
use crate::signer::Signer;
use crate::stage::{Stage, account};

const PRIVATE: &str = "AmazonEC2ContainerRegistry_V20150921";
const APP: &str = "arn:aws:ecr:us-east-1:000000000000:repository/app";
const PULL: [&str; 3] =
    ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];

fn policy(statements: Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn allow(actions: Value, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

/// May ask for a token, and pull from one repository.
fn pull_of_app() -> String {
    policy(json!([allow(json!("ecr:GetAuthorizationToken"), "*"), allow(json!(PULL), APP)]))
}

fn role(name: &str, policies: Vec<String>) -> Identity {
    Identity { name: name.into(), policies, ..Identity::default() }
}

/// A stage with an image in the repositories `app` and `other`.
async fn stage_with(options: Options) -> Stage {
    let stage = Stage::with(options).await;
    for name in ["app", "other"] {
        stage.create(name);
        stage.push_image(name, "v1").await;
    }
    stage
}

async fn assume(stage: &Stage, role: &str, rest: &[(&str, &str)]) -> Signer {
    let arn = format!("arn:aws:iam::000000000000:role/{role}");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("Action", "AssumeRole"), ("RoleArn", &arn), ("RoleSessionName", "job")]);
    form.extend_pairs(rest);
    let assumed = stage.sts(&stage.signer(0, "us-east-1", "sts"), &form.finish()).await;
    assert_eq!(assumed.status, 200, "{assumed:?}");
    stage.session_signer(&assumed, "us-east-1", "ecr")
}

struct Registry<'a> {
    stage: &'a Stage,
    basic: String,
}

impl Registry<'_> {
    async fn of<'a>(stage: &'a Stage, signer: &Signer) -> Registry<'a> {
        Registry { stage, basic: stage.basic_of(signer).await }
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        let call = Call::new(method, self.stage.main(), path);
        call.header("authorization", &self.basic).send().await
    }

    async fn pull(&self, repository: &str) -> u16 {
        self.call(Method::GET, &format!("/v2/{repository}/manifests/v1")).await.status.as_u16()
    }

    async fn start_push(&self, repository: &str) -> u16 {
        self.call(Method::POST, &format!("/v2/{repository}/blobs/uploads/")).await.status.as_u16()
    }
}

async fn set_policy(stage: &Stage, statements: Value) {
    let body = json!({ "repositoryName": "app", "policyText": policy(statements) }).to_string();
    assert_eq!(stage.ecr("SetRepositoryPolicy", &body).await.status, 200);
}

#[tokio::test]
async fn a_pull_only_role_pulls_and_does_nothing_else() {
    let roles = vec![role("pull", vec![pull_of_app()])];
    let stage = stage_with(Options { roles, ..Options::default() }).await;
    let session = assume(&stage, "pull", &[]).await;
    let registry = Registry::of(&stage, &session).await;
    assert_eq!((registry.pull("app").await, registry.pull("other").await), (200, 403));
    assert_eq!(registry.start_push("app").await, 403);
    let denied = registry.call(Method::GET, "/v2/app/tags/list").await;
    assert_eq!(
        denied.json()["errors"][0]["message"],
        format!(
            "User: arn:aws:sts::000000000000:assumed-role/pull/job is not authorized to perform: ecr:ListImages on \
             resource: {APP} because no identity-based policy allows the ecr:ListImages action"
        )
    );
    let created = stage.json_call(PRIVATE, "CreateRepository", &session, r#"{"repositoryName":"new"}"#).await;
    assert_error(&created, 400, "AccessDeniedException");
    let all = stage.json_call(PRIVATE, "DescribeRepositories", &session, "{}").await;
    assert_error(&all, 400, "AccessDeniedException");
}

#[tokio::test]
async fn a_token_needs_permission_too() {
    let roles = vec![role("nothing", vec![])];
    let stage = stage_with(Options { roles, ..Options::default() }).await;
    let session = assume(&stage, "nothing", &[]).await;
    let answer = stage.json_call(PRIVATE, "GetAuthorizationToken", &session, "{}").await;
    assert_error(&answer, 400, "AccessDeniedException");
    let message = "User: arn:aws:sts::000000000000:assumed-role/nothing/job is not authorized to perform: \
                   ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the \
                   ecr:GetAuthorizationToken action";
    assert_eq!(answer.json()["message"], message);
    let public = Signer { service: "ecr-public".into(), ..session.clone() };
    let answer = stage.json_call("SpencerFrontendService", "GetAuthorizationToken", &public, "{}").await;
    assert_error(&answer, 400, "AccessDeniedException");
    let sts = Signer { service: "sts".into(), ..session };
    let further = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/any&RoleSessionName=job";
    let answer = stage.sts(&sts, further).await;
    assert_eq!((answer.status.as_u16(), answer.element("Code")), (403, "AccessDenied"));
    // Who one is, everybody may ask (AWS STS API reference, GetCallerIdentity).
    assert_eq!(stage.sts(&sts, "Action=GetCallerIdentity").await.status, 200);
}

#[tokio::test]
async fn a_session_policy_narrows_the_registry_password() {
    let stage = stage_with(Options::default()).await;
    let session = assume(&stage, "deploy", &[("Policy", &pull_of_app())]).await;
    let registry = Registry::of(&stage, &session).await;
    assert_eq!((registry.pull("app").await, registry.pull("other").await), (200, 403));
    assert_eq!(registry.start_push("app").await, 403);
    let denied = registry.call(Method::GET, "/v2/other/manifests/v1").await;
    let message = denied.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("because no session policy allows the ecr:BatchGetImage action"), "{message}");
    // The same role without a policy may still push.
    let whole = Registry::of(&stage, &assume(&stage, "deploy", &[]).await).await;
    assert_eq!(whole.start_push("app").await, 202);
}

#[tokio::test]
async fn the_longest_session_policy_fits_into_a_password() {
    let stage = stage_with(Options::default()).await;
    let text = policy(json!([allow(json!("*"), "*")])).replace('}', &format!("{}}}", " ".repeat(300)));
    let quotes = text.replacen(r#""*""#, &format!("[{}\"*\"]", r#""ecr:X","#.repeat(100)), 1);
    let text = format!("{quotes:2048}");
    assert_eq!(text.len(), 2048);
    let registry = Registry::of(&stage, &assume(&stage, "deploy", &[("Policy", &text)]).await).await;
    assert_eq!(registry.pull("app").await, 200);
}

#[tokio::test]
async fn sessions_cannot_be_given_more_than_fits() {
    let stage = Stage::new().await;
    let mut body =
        "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/any&RoleSessionName=job".to_owned();
    for member in 1..=17 {
        let value = "x".repeat(256);
        body.push_str(&format!("&Tags.member.{member}.Key=k{member}&Tags.member.{member}.Value={value}"));
    }
    let refused = stage.sts(&stage.signer(0, "us-east-1", "sts"), &body).await;
    assert_eq!((refused.status.as_u16(), refused.element("Code")), (400, "PackedPolicyTooLarge"));
    let message = "Packed policy consumes 108% of allotted space, please use smaller policy.";
    assert_eq!(refused.element("Message"), message);
}

#[tokio::test]
async fn a_repository_policy_outweighs_a_session_policy_but_not_its_deny() {
    let stage = stage_with(Options::default()).await;
    let token = allow(json!("ecr:GetAuthorizationToken"), "*");
    let narrow = policy(json!([token]));
    let strict = policy(json!([token, { "Effect": "Deny", "Action": PULL, "NotResource": "none" }]));
    let narrow = Registry::of(&stage, &assume(&stage, "deploy", &[("Policy", &narrow)]).await).await;
    let strict = Registry::of(&stage, &assume(&stage, "deploy", &[("Policy", &strict)]).await).await;
    assert_eq!((narrow.pull("app").await, strict.pull("app").await), (403, 403));
    let to =
        |principal: &str| json!([{ "Effect": "Allow", "Action": PULL, "Principal": { "AWS": principal } }]);
    set_policy(&stage, to("arn:aws:sts::000000000000:assumed-role/deploy/job")).await;
    assert_eq!((narrow.pull("app").await, strict.pull("app").await), (200, 403));
    set_policy(&stage, to("arn:aws:iam::000000000000:role/deploy")).await;
    assert_eq!((narrow.pull("app").await, strict.pull("app").await), (403, 403));
    set_policy(&stage, json!([{ "Effect": "Deny", "Action": "ecr:*Get*", "Principal": "*" }])).await;
    let denied = stage.registry_call(Method::GET, "/v2/app/manifests/v1").await.send().await;
    let message = denied.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("with an explicit deny in a resource-based policy"), "{message}");
}

#[tokio::test]
async fn repository_policies_are_set_read_and_deleted() {
    let stage = stage_with(Options::default()).await;
    let named = r#"{"repositoryName":"app"}"#;
    for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
        assert_error(&stage.ecr(operation, named).await, 400, "RepositoryPolicyNotFoundException");
    }
    let statements = json!([{ "Sid": "all", "Effect": "Allow", "Action": "ecr:*", "Principal": "*" }]);
    set_policy(&stage, statements.clone()).await;
    let got = stage.ecr("GetRepositoryPolicy", named).await.json();
    assert_eq!(got["policyText"], policy(statements));
    assert_eq!((&got["repositoryName"], &got["registryId"]), (&json!("app"), &json!("000000000000")));
    assert_eq!(stage.ecr("DeleteRepositoryPolicy", named).await.json(), got);
    assert_error(&stage.ecr("GetRepositoryPolicy", named).await, 400, "RepositoryPolicyNotFoundException");
    for text in ["", "{}", &policy(json!([allow(json!("*"), "*")])), &"x".repeat(10_241)] {
        let body = json!({ "repositoryName": "app", "policyText": text }).to_string();
        assert_error(&stage.ecr("SetRepositoryPolicy", &body).await, 400, "InvalidParameterException");
    }
    let missing = stage.ecr("GetRepositoryPolicy", r#"{"repositoryName":"none"}"#).await;
    assert_error(&missing, 400, "RepositoryNotFoundException");
}

#[tokio::test]
async fn a_repository_policy_opens_it_to_another_account() {
    let options =
        Options { accounts: vec![account(1)], cross_account: CrossAccount::Deny, ..Options::default() };
    let stage = stage_with(options).await;
    let stranger = Registry::of(&stage, &stage.signer(1, "us-east-1", "ecr")).await;
    assert_eq!(stranger.pull("app").await, 403);
    let to_account = json!([{ "Effect": "Allow", "Action": PULL, "Principal": { "AWS": "000000000001" } }]);
    set_policy(&stage, to_account).await;
    assert_eq!((stranger.pull("app").await, stranger.pull("other").await), (200, 403));
    assert_eq!(stranger.start_push("app").await, 403);
}

#[tokio::test]
async fn tags_of_sessions_and_repositories_decide() {
    let same_team = json!({
        "Effect": "Allow", "Action": "ecr:*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } },
    });
    let policies = vec![policy(json!([allow(json!("ecr:GetAuthorizationToken"), "*"), same_team]))];
    let tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    let roles = vec![Identity { tags, ..role("team", policies) }];
    let stage = stage_with(Options { roles, ..Options::default() }).await;
    let body = r#"{"repositoryName":"tagged","tags":[{"Key":"team","Value":"blue"}]}"#;
    assert_eq!(stage.ecr("CreateRepository", body).await.status, 200);
    let list = "/v2/tagged/tags/list";
    let red = Registry::of(&stage, &assume(&stage, "team", &[]).await).await;
    assert_eq!(red.call(Method::GET, list).await.status, 403);
    let blue = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")];
    let blue = Registry::of(&stage, &assume(&stage, "team", &blue).await).await;
    assert_eq!(blue.call(Method::GET, list).await.status, 200);
    assert_eq!(blue.pull("app").await, 403);
}

#[tokio::test]
async fn a_password_has_the_permissions_that_its_principal_has_now() {
    let stage = stage_with(Options::default()).await;
    let deploy = Registry::of(&stage, &assume(&stage, "deploy", &[]).await).await;
    let user = Registry::of(&stage, &stage.signer(0, "us-east-1", "ecr")).await;
    assert_eq!((deploy.start_push("app").await, user.start_push("app").await), (202, 202));
    stage.emulator.set_role(&role("deploy", vec![pull_of_app()])).unwrap();
    assert_eq!((deploy.start_push("app").await, deploy.pull("app").await), (403, 200));
    assert_eq!(user.start_push("app").await, 202);
    stage.emulator.set_user(&role("ecru", vec![])).unwrap();
    assert_eq!((user.start_push("app").await, user.pull("app").await), (403, 403));
    assert!(stage.emulator.set_role(&role("deploy", vec!["{}".into()])).is_err());
    assert_eq!(deploy.pull("app").await, 200);
}

#[tokio::test]
async fn users_have_keys_and_policies_of_their_own() {
    let users = vec![role("reader", vec![pull_of_app()])];
    let stage = stage_with(Options { users, ..Options::default() }).await;
    let keys = stage.emulator.keys_of_user(account(0), "reader").unwrap();
    let signer = Signer {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key.expose_secret().to_owned(),
        ..stage.signer(0, "us-east-1", "ecr")
    };
    let registry = Registry::of(&stage, &signer).await;
    assert_eq!((registry.pull("app").await, registry.start_push("app").await), (200, 403));
    assert!(stage.emulator.keys_of_user(account(0), "nobody").is_none());
}

#[tokio::test]
async fn what_cannot_be_evaluated_stops_the_start() {
    let sourced = json!({
        "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "IpAddress": { "aws:SourceIp": "x" } },
    });
    let roles = vec![role("pull", vec![policy(json!([sourced]))])];
    let error = ecru_emulator::Emulator::start(Options { roles, ..Options::default() }).await.unwrap_err();
    assert!(matches!(error, StartError::InvalidPolicy { kind: "role", .. }), "{error:?}");
    let users = vec![role("a b", vec![])];
    let error = ecru_emulator::Emulator::start(Options { users, ..Options::default() }).await.unwrap_err();
    assert!(matches!(error, StartError::InvalidUser(_)), "{error:?}");
}
