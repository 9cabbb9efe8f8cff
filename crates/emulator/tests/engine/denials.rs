//! What the registry refuses, in the words that people read.

use serde_json::{Value, json};

use crate::shop::{PULL, Shop, may, policy, role};

const APP: &str = "arn:aws:ecr:us-east-1:000000000000:repository/team/app";
const OTHER: &str = "arn:aws:ecr:us-east-1:000000000000:repository/team/other";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_wrong_password_is_unauthorized_and_none_at_all_no_basic_auth() {
    let shop = Shop::open(Vec::new()).await;
    let stranger = shop.stranger("stranger");
    let said = stranger.log_in("ecru-emulator.guessed");
    assert!(!said.success && said.stderr.contains("401 Unauthorized"), "{said:?}");

    let image = shop.image("team/app:1");
    stranger.build(&image, 1);
    for verb in ["push", "pull"] {
        let complaint = stranger.failed(&[verb, &image]);
        assert!(complaint.contains("no basic auth credentials"), "{complaint}");
    }
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_pull_only_session_pulls_and_does_not_push() {
    let shop = Shop::open(vec![role("reader", vec![may(&PULL, "team/app")])]).await;
    let (owner, image) = (shop.owner().await, shop.image("team/app:1"));
    owner.build(&image, 1);
    owner.did(&["push", &image]);
    owner.forget(&image);

    let reader = shop.session("reader", &[]).await;
    reader.did(&["pull", &image]);
    let mine = shop.image("team/app:mine");
    reader.build(&mine, 2);
    let expected = format!(
        "denied: User: arn:aws:sts::000000000000:assumed-role/reader/job is not authorized to perform: \
         ecr:InitiateLayerUpload on resource: {APP} because no identity-based policy allows the \
         ecr:InitiateLayerUpload action"
    );
    assert_eq!(reader.failed(&["push", &mine]), expected);
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_session_for_one_repository_is_denied_the_other() {
    let shop = Shop::open(Vec::new()).await;
    let owner = shop.owner().await;
    let (app, other) = (shop.image("team/app:1"), shop.image("team/other:1"));
    for image in [&app, &other] {
        owner.build(image, 1);
        owner.did(&["push", image]);
        owner.forget(image);
    }
    let session = shop.session("deploy", &[("Policy", &may(&["ecr:*"], "team/app"))]).await;
    session.did(&["pull", &app]);
    let complaint = session.failed(&["pull", &other]);
    let expected = format!(
        "User: arn:aws:sts::000000000000:assumed-role/deploy/job is not authorized to perform: \
         ecr:BatchGetImage on resource: {OTHER} because no session policy allows the ecr:BatchGetImage action"
    );
    assert!(complaint.ends_with(&expected), "{complaint}");
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_explicit_deny_beats_a_repository_policy_that_allows() {
    let allowed: Value = serde_json::from_str(&may(&PULL, "team/app")).unwrap();
    let with_deny = |effect: &str| {
        let mut statements = allowed["Statement"].as_array().unwrap().clone();
        statements.push(json!({ "Effect": effect, "Action": "ecr:BatchGetImage", "Resource": OTHER }));
        policy(Value::Array(statements))
    };
    let roles = vec![role("narrow", vec![may(&PULL, "team/app")]), role("denied", vec![with_deny("Deny")])];
    let shop = Shop::open(roles).await;
    let (owner, other) = (shop.owner().await, shop.image("team/other:1"));
    owner.build(&other, 1);
    owner.did(&["push", &other]);
    owner.forget(&other);

    let everybody = json!([{ "Effect": "Allow", "Action": "ecr:*", "Principal": "*" }]);
    let body = json!({ "repositoryName": "team/other", "policyText": policy(everybody) }).to_string();
    assert_eq!(shop.stage.ecr("SetRepositoryPolicy", &body).await.status, 200);
    // The repository's policy gives what the role's own does not, but nothing gives what is denied.
    let narrow = shop.session("narrow", &[]).await;
    narrow.did(&["pull", &other]);
    narrow.forget(&other);
    let complaint = shop.session("denied", &[]).await.failed(&["pull", &other]);
    let expected = format!("on resource: {OTHER} with an explicit deny in an identity-based policy");
    assert!(complaint.ends_with(&expected), "{complaint}");
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_token_of_yesterday_has_expired() {
    let shop = Shop::open(Vec::new()).await;
    let (owner, image) = (shop.owner().await, shop.image("team/app:1"));
    owner.build(&image, 1);
    owner.did(&["push", &image]);
    shop.hands.advance(12);
    for verb in ["push", "pull"] {
        let complaint = owner.failed(&[verb, &image]);
        let expected = "Your authorization token has expired. Reauthenticate and try again.";
        assert!(complaint.ends_with(expected), "{complaint}");
    }
    let owner = shop.owner().await;
    owner.did(&["pull", &image]);
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_immutable_tag_is_not_pushed_again_for_another_image() {
    let shop = Shop::open(Vec::new()).await;
    let (owner, image) = (shop.owner().await, shop.image("team/app:1"));
    let body = json!({ "repositoryName": "team/app", "imageTagMutability": "IMMUTABLE" }).to_string();
    assert_eq!(shop.stage.ecr("PutImageTagMutability", &body).await.status, 200);
    owner.build(&image, 1);
    owner.did(&["push", &image]);
    owner.build(&image, 2);
    let expected = "tag invalid: The image tag '1' already exists in the 'team/app' repository and cannot be \
                    overwritten because the repository is immutable.";
    assert_eq!(owner.failed(&["push", &image]), expected);
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_repository_that_was_not_created_does_not_exist() {
    let shop = Shop::open(Vec::new()).await;
    let (owner, image) = (shop.owner().await, shop.image("team/unknown:1"));
    owner.build(&image, 1);
    let expected = "name unknown: The repository with name 'team/unknown' does not exist in the registry with id \
                    '000000000000'";
    assert_eq!(owner.failed(&["push", &image]), expected);
    shop.close();
}
