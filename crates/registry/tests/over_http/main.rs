//! The client over real sockets, against registries that answer as ECR, ECR Public and worse ones do.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

mod scripted;

use std::time::Duration;

use ecru_registry::{ImageFacts, Login, LookupError, Options, RegistryClient};

use crate::scripted::{Script, Scripted, answer};

const PASSWORD: &str = "hunter2-hunter2";
const HEAD: &str = "HEAD /v2/team/app/manifests/1";
const GET: &str = "GET /v2/team/app/manifests/1";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn manifest_headers(media_type: &str, digest: &str) -> String {
    format!("content-type: {media_type}\ndocker-content-digest: {digest}\n")
}

fn login() -> Login {
    Login::Password { username: "AWS".to_owned(), password: PASSWORD.into() }
}

async fn ask(registry: &Scripted, login: Option<&Login>) -> Result<ImageFacts, LookupError> {
    let options = Options { deadline: Some(Duration::from_secs(5)), ..Options::default() };
    let client = RegistryClient::new(&options).expect("a client");
    client.image(&registry.image("team/app:1"), login, "linux/amd64").await
}

fn script<const N: usize>(pairs: [(String, String); N]) -> Script {
    pairs.into()
}

/// The answers to HEAD and GET for an image that is refused.
fn refusing(status: u16, body: &str) -> Script {
    script([(HEAD.to_owned(), answer(status, "", "")), (GET.to_owned(), answer(status, "", body))])
}

#[tokio::test]
async fn an_index_is_followed_to_a_blob_that_is_kept_elsewhere() {
    let storage = Scripted::new(|_| {
        script([(
            "GET /bucket/layer".to_owned(),
            answer(200, "", r#"{"os":"linux","architecture":"amd64"}"#),
        )])
    })
    .await;
    let (index, child, config) = (digest("0"), digest("1"), digest("2"));
    let index_text = format!(
        r#"{{"manifests":[{{"digest":"{child}","size":9,"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#
    );
    let child_text = format!(
        r#"{{"config":{{"digest":"{config}","size":30}},"layers":[{{"digest":"{config}","size":1000}}]}}"#
    );
    let location = format!("location: http://127.0.0.1:{}/bucket/layer\n", storage.port);
    let registry = Scripted::new(|_| {
        script([
            (HEAD.to_owned(), answer(200, &manifest_headers(INDEX, &index), "")),
            (
                format!("GET /v2/team/app/manifests/{index}"),
                answer(200, &manifest_headers(INDEX, &index), &index_text),
            ),
            (
                format!("GET /v2/team/app/manifests/{child}"),
                answer(200, &manifest_headers(IMAGE, &child), &child_text),
            ),
            (format!("GET /v2/team/app/blobs/{config}"), answer(307, &location, "")),
        ])
    })
    .await;
    let facts = ask(&registry, Some(&login())).await.expect("the image is there");
    let expected = ImageFacts {
        digest: Some(index),
        media_type: Some(INDEX.to_owned()),
        platforms: vec!["linux/amd64".to_owned()],
        size: Some(1030),
    };
    assert_eq!(facts, expected);
    let seen = registry.seen();
    assert!(seen.iter().all(|head| head.contains("authorization: Basic ")), "{seen:?}");
    assert!(seen[0].contains(INDEX) && seen[0].contains(IMAGE), "{}", seen[0]);
    let stored = storage.seen();
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].to_lowercase().contains("authorization"), "{}", stored[0]);
}

#[tokio::test]
async fn the_missing_permission_is_told_though_head_has_no_words() {
    let body = r#"{"errors":[{"code":"DENIED","message":"User: arn:aws:iam::000000000000:user/ci is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy allows the ecr:BatchGetImage action"}]}"#;
    let registry = Scripted::new(|_| refusing(403, body)).await;
    let error = ask(&registry, Some(&login())).await.expect_err("it is refused");
    assert_eq!(error.missing_permission().map(|missing| missing.action.as_str()), Some("ecr:BatchGetImage"));
    assert_eq!(
        error.hint().as_deref(),
        Some("allow `ecr:BatchGetImage` on `arn:aws:ecr:us-east-1:000000000000:repository/team/app`")
    );
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let json = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#);
    for (status, body, with_login, kind) in [
        (404, json("NAME_UNKNOWN"), true, "repository_missing"),
        (404, json("MANIFEST_UNKNOWN"), true, "image_missing"),
        (
            403,
            "Your authorization token has expired. Reauthenticate and try again.".to_owned(),
            true,
            "expired",
        ),
        (401, "Not Authorized\n".to_owned(), true, "login_refused"),
        (401, "Not Authorized\n".to_owned(), false, "no_credentials"),
        (503, String::new(), true, "unexpected_answer"),
    ] {
        let registry = Scripted::new(|_| refusing(status, &body)).await;
        let login = login();
        let error = ask(&registry, with_login.then_some(&login)).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_password_goes_to_the_registry_s_own_realm() {
    let registry = Scripted::new(|port| {
        let challenge = format!(
            "www-authenticate: Bearer realm=\"http://localhost:{port}/token\",service=\"s\",scope=\"aws\"\n"
        );
        script([
            (HEAD.to_owned(), answer(401, &challenge, "")),
            (GET.to_owned(), answer(401, &challenge, "")),
            (
                "GET /token?service=s&scope=aws".to_owned(),
                answer(200, "", r#"{"token":"t0ken","access_token":"other"}"#),
            ),
        ])
    })
    .await;
    let error = ask(&registry, Some(&login())).await.expect_err("the token is refused too");
    assert_eq!(error.kind(), "login_refused");
    let seen = registry.seen();
    assert!(seen[1].starts_with("GET /token?") && seen[1].contains("authorization: Basic "), "{}", seen[1]);
    assert!(seen[2].contains("authorization: Bearer t0ken"), "{}", seen[2]);
}

#[tokio::test]
async fn no_other_host_gets_the_password() {
    let other = Scripted::new(|_| Script::new()).await;
    for realm in [
        format!("http://127.0.0.1:{}/token", other.port),
        "https://auth.example.org/token".to_owned(),
        "http://registry.example.org/token".to_owned(),
    ] {
        let challenge = format!("www-authenticate: Bearer realm=\"{realm}\"\n");
        let registry = Scripted::new(|_| script([(HEAD.to_owned(), answer(401, &challenge, ""))])).await;
        let error = ask(&registry, Some(&login())).await.expect_err("it goes nowhere else");
        assert_eq!(error.kind(), "foreign_realm", "{error}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn an_anonymous_pull_may_get_its_token_anywhere() {
    let realm = Scripted::new(|_| {
        script([(
            "GET /token?scope=repository%3Ateam%2Fapp%3Apull".to_owned(),
            answer(200, "", r#"{"token":"t0ken"}"#),
        )])
    })
    .await;
    let challenge = format!("www-authenticate: Bearer realm=\"http://127.0.0.1:{}/token\"\n", realm.port);
    let registry = Scripted::new(|_| script([(HEAD.to_owned(), answer(401, &challenge, ""))])).await;
    let error = ask(&registry, None).await.expect_err("the token is refused too");
    assert_eq!(error.kind(), "image_missing", "{error}");
    let asked = realm.seen();
    assert!(asked.len() == 1 && !asked[0].to_lowercase().contains("authorization"), "{asked:?}");
    assert!(registry.seen()[1].contains("authorization: Bearer t0ken"));

    let challenge = "www-authenticate: Bearer realm=\"http://registry.example.org/token\"\n";
    let registry = Scripted::new(|_| script([(HEAD.to_owned(), answer(401, challenge, ""))])).await;
    let error = ask(&registry, None).await.expect_err("nothing is got without TLS");
    assert_eq!(error.kind(), "unexpected_answer", "{error}");
}

/// The answers for an image without settings below a path.
fn image_at(path: &str) -> Script {
    let headers = manifest_headers(IMAGE, &digest("1"));
    script([
        (format!("HEAD {path}/1"), answer(200, &headers, "")),
        (format!("GET {path}/{}", digest("1")), answer(200, &headers, "{}")),
    ])
}

#[tokio::test]
async fn redirects_of_manifests_are_followed_without_the_password() {
    let other = Scripted::new(|_| image_at("/kept")).await;
    let to = |name: &str| {
        let location = format!("location: http://localhost:{}/kept/{name}\n", other.port);
        answer(307, &location, "")
    };
    let registry = Scripted::new(|_| {
        let by_digest = format!("GET /v2/team/app/manifests/{}", digest("1"));
        script([(HEAD.to_owned(), to("1")), (by_digest, to(&digest("1")))])
    })
    .await;
    let facts = ask(&registry, Some(&login())).await.expect("the image is there");
    assert_eq!(facts.digest, Some(digest("1")));
    let seen = other.seen();
    assert!(seen.len() == 2 && seen.iter().all(|head| head.contains(IMAGE)), "{seen:?}");
    assert!(!seen.concat().to_lowercase().contains("authorization"), "{seen:?}");
}

#[tokio::test]
async fn redirects_that_lead_nowhere_good_are_not_followed() {
    let beyond = Scripted::new(|_| Script::new()).await;
    let again = format!("location: http://localhost:{}/again\n", beyond.port);
    let second = Scripted::new(|_| script([("HEAD /again".to_owned(), answer(307, &again, ""))])).await;
    for (location, kind) in [
        ("location: http://registry.example.org/x\n".to_owned(), "unexpected_answer"),
        (String::new(), "unexpected_answer"),
        (format!("location: http://localhost:{}/again\n", second.port), "image_missing"),
    ] {
        let registry = Scripted::new(|_| script([(HEAD.to_owned(), answer(307, &location, ""))])).await;
        let error = ask(&registry, Some(&login())).await.expect_err("it is no answer");
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert!(beyond.seen().is_empty());
}

#[tokio::test]
async fn a_registry_that_knows_no_head_is_asked_by_get() {
    let headers = manifest_headers(IMAGE, &digest("1"));
    let registry = Scripted::new(|_| {
        script([
            (HEAD.to_owned(), answer(405, "", "")),
            (GET.to_owned(), answer(200, &headers, "{}")),
            (format!("GET /v2/team/app/manifests/{}", digest("1")), answer(200, &headers, "{}")),
        ])
    })
    .await;
    let facts = ask(&registry, Some(&login())).await.expect("the image is there");
    assert_eq!((facts.digest, facts.media_type.as_deref()), (Some(digest("1")), Some(IMAGE)));
}

#[tokio::test]
async fn a_registry_s_token_goes_to_the_registry_and_nowhere_else() {
    let realm = Scripted::new(|_| Script::new()).await;
    let challenge = format!("www-authenticate: Bearer realm=\"http://localhost:{}/token\"\n", realm.port);
    let registry = Scripted::new(|_| {
        script([
            (HEAD.to_owned(), answer(401, &challenge, "")),
            (GET.to_owned(), answer(401, &challenge, "")),
        ])
    })
    .await;
    let token = Login::Token("t0ken".into());
    let error = ask(&registry, Some(&token)).await.expect_err("it is refused");
    assert_eq!(error.kind(), "login_refused", "{error}");
    assert!(registry.seen().iter().all(|head| head.contains("authorization: Bearer t0ken")));
    assert!(realm.seen().is_empty());
}

#[tokio::test]
async fn answers_are_neither_endless_nor_late() {
    let long = "x".repeat(5 * 1024 * 1024);
    let registry = Scripted::new(|_| {
        script([(HEAD.to_owned(), answer(200, "", "")), (GET.to_owned(), answer(200, "", &long))])
    })
    .await;
    let error = ask(&registry, None).await.expect_err("it is too long");
    assert!(error.to_string().contains("longer than 4194304 bytes"), "{error}");

    let silent = Scripted::new(|_| script([(HEAD.to_owned(), "silence".to_owned())])).await;
    let options = Options { deadline: Some(Duration::from_millis(50)), ..Options::default() };
    let client = RegistryClient::new(&options).expect("a client");
    let answer = client.image(&silent.image("team/app:1"), None, "linux/amd64").await;
    assert_eq!(answer, Err(LookupError::TimedOut));
}

#[tokio::test]
async fn nobody_there_is_no_route() {
    let client = RegistryClient::new(&Options::default()).expect("a client");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let answer = client.image(&format!("127.0.0.1:{port}/a:1"), None, "linux/amd64").await;
    assert_eq!(answer.expect_err("nobody is there").kind(), "no_route");
}

#[test]
fn a_login_does_not_show_its_password() {
    assert!(!format!("{:?}", login()).contains(PASSWORD));
}
