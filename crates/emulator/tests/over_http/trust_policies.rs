//! Who may assume a role, and by which managed policies a session is narrowed.

use ecru_emulator::{Emulator, GitLabClaims, GitLabIssuer, Identity, Options, SigningAlgorithm, StartError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::stage::{Stage, account};
use crate::web_identity::{code, exchange};

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
const GITLAB: &str = "arn:aws:iam::000000000000:oidc-provider/gitlab.example.com";

fn everything() -> Vec<String> {
    let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    vec![json!({ "Version": "2012-10-17", "Statement": statement }).to_string()]
}

fn trust(action: Value, principal: Value, condition: Value) -> String {
    let statement =
        json!({ "Effect": "Allow", "Action": action, "Principal": principal, "Condition": condition });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn deploy(trust_policy: String) -> Identity {
    let (name, policies) = ("deploy".into(), everything());
    Identity { name, policies, trust_policy: Some(trust_policy), ..Identity::default() }
}

async fn stage(trust_policy: String) -> Stage {
    let gitlab =
        GitLabIssuer { issuer: Some("https://gitlab.example.com".into()), ..GitLabIssuer::default() };
    let (accounts, roles) = (vec![account(1), account(2)], vec![deploy(trust_policy)]);
    Stage::with(Options { accounts, roles, gitlab, ..Options::default() }).await
}

async fn assume(stage: &Stage, number: u8, rest: &str) -> Answer {
    let body = format!("Action=AssumeRole&RoleArn={ROLE}&RoleSessionName=job{rest}");
    stage.sts(&stage.signer(number, "us-east-1", "sts"), &body).await
}

#[tokio::test]
async fn only_trusted_principals_assume_a_role() {
    let stage = stage(trust(json!("sts:AssumeRole"), json!({ "AWS": "000000000001" }), json!({}))).await;
    assert_eq!(assume(&stage, 1, "").await.status, 200);
    for number in [0, 2] {
        let denied = assume(&stage, number, "").await;
        assert_eq!(code(&denied), (403, "AccessDenied"));
        let message = denied.element("Message");
        assert!(
            message.ends_with("because no role trust policy allows the sts:AssumeRole action"),
            "{message}"
        );
    }
    // Tags need the role's permission too.
    let tagged = assume(&stage, 1, "&Tags.member.1.Key=team&Tags.member.1.Value=blue").await;
    assert!(tagged.element("Message").contains("sts:TagSession"));
    // A change holds at once, and without a trust policy everybody is trusted.
    stage.emulator.set_role(&Identity { trust_policy: None, ..deploy(String::new()) }).unwrap();
    assert_eq!(assume(&stage, 2, "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_trusted_by_its_subject_and_audience() {
    let condition = json!({
        "StringLike": { "gitlab.example.com:sub": "project_path:team/*:ref_type:branch:ref:main" },
        "StringEquals": { "gitlab.example.com:aud": "sts.amazonaws.com" },
    });
    let web = json!("sts:AssumeRoleWithWebIdentity");
    let stage = stage(trust(web, json!({ "Federated": GITLAB }), condition)).await;
    let status = async |claims: GitLabClaims| {
        let claims = GitLabClaims { algorithm: SigningAlgorithm::Es256, ..claims };
        let token = stage.emulator.gitlab_id_token(&claims).unwrap();
        exchange(&stage, ROLE, token.expose_secret(), &[]).await
    };
    let main = GitLabClaims::default();
    assert_eq!(status(main.clone()).await.status, 200);
    for claims in [
        GitLabClaims { git_ref: "feature".into(), ..main.clone() },
        GitLabClaims { project_path: "fork/app".into(), ..main.clone() },
        GitLabClaims { ref_type: "tag".into(), ..main.clone() },
        GitLabClaims { audience: "other".into(), ..main },
    ] {
        assert_eq!(code(&status(claims).await), (403, "AccessDenied"));
    }
    // Those with AWS identities are not named.
    assert_eq!(code(&assume(&stage, 0, "").await), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_trust_policy_that_cannot_be_evaluated_stops_the_start() {
    let to_all = |condition| trust(json!("sts:*"), json!("*"), condition);
    for text in [
        "{}".to_owned(),
        everything().remove(0),
        to_all(json!({ "StringEquals": { "sts:ExternalId": "x" } })),
        to_all(json!({ "StringEquals": { "gitlab.example.com:ref_protected": "true" } })),
    ] {
        let roles = vec![deploy(text)];
        let error = Emulator::start(Options { roles, ..Options::default() }).await.unwrap_err();
        assert!(matches!(error, StartError::InvalidPolicy { kind: "role", .. }), "{error:?}");
    }
    let users = vec![deploy(to_all(json!({})))];
    let error = Emulator::start(Options { users, ..Options::default() }).await.unwrap_err();
    assert!(matches!(error, StartError::InvalidPolicy { kind: "user", .. }), "{error:?}");
}

#[tokio::test]
async fn managed_policies_narrow_a_session_together_with_its_own() {
    let stage = Stage::new().await;
    let operation = |operation: &'static str, body: &'static str, assumed: Answer| {
        let signer = stage.session_signer(&assumed, "us-east-1", "ecr");
        let stage = &stage;
        async move {
            let prefix = "AmazonEC2ContainerRegistry_V20150921";
            stage.json_call(prefix, operation, &signer, body).await.status.as_u16()
        }
    };
    let named = |name: &str| format!("&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/{name}");
    let token = ("GetAuthorizationToken", "{}");
    let list = ("DescribeRepositories", "{}");
    let create = ("CreateRepository", r#"{"repositoryName":"new"}"#);
    for (name, (action, body), status) in [
        ("AmazonEC2ContainerRegistryPullOnly", token, 200),
        ("AmazonEC2ContainerRegistryPullOnly", list, 400),
        ("AmazonEC2ContainerRegistryReadOnly", list, 200),
        ("AmazonEC2ContainerRegistryPowerUser", create, 400),
        ("AmazonEC2ContainerRegistryFullAccess", create, 200),
        ("AdministratorAccess", list, 200),
    ] {
        let assumed = assume(&stage, 0, &named(name)).await;
        assert_ne!(assumed.element("PackedPolicySize"), "", "{assumed:?}");
        assert_eq!(operation(action, body, assumed).await, status, "{name} {action}");
    }
    // What one of them allows is allowed.
    let own = "&Policy=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C\
               %22Action%22%3A%22ecr%3ADescribeRepositories%22%2C%22Resource%22%3A%22*%22%7D%7D";
    let both = format!("{}{own}", named("AmazonEC2ContainerRegistryPullOnly"));
    for (action, body) in [token, list] {
        assert_eq!(operation(action, body, assume(&stage, 0, &both).await).await, 200);
    }
    let unknown = assume(&stage, 0, &named("ReadOnlyAccess")).await;
    assert_eq!(code(&unknown), (501, "NotImplemented"));
}
