//! AssumeRoleWithWebIdentity, by tokens of the emulated GitLab and of other issuers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ecru_emulator::{
    Emulator, GitLabClaims, GitLabIssuer, IdentityProvider, Options, ProviderError, SigningAlgorithm,
    StartError,
};
use hyper::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::client::{Answer, Call};
use crate::stage::{Hands, Stage, account};

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

fn es256() -> GitLabClaims {
    GitLabClaims { algorithm: ES256, ..GitLabClaims::default() }
}

fn token_of(stage: &Stage, claims: &GitLabClaims) -> String {
    stage.emulator.gitlab_id_token(claims).unwrap().expose_secret().to_owned()
}

/// A call that nobody signs.
pub(crate) async fn exchange(stage: &Stage, role: &str, token: &str, rest: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("Version", "2011-06-15"), ("Action", "AssumeRoleWithWebIdentity")]);
    form.extend_pairs([("RoleArn", role), ("RoleSessionName", "job"), ("WebIdentityToken", token)]);
    form.extend_pairs(rest);
    Call::new(Method::POST, stage.main(), "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish())
        .send()
        .await
}

pub(crate) fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.element("Code"))
}

async fn get(stage: &Stage, path: &str) -> Value {
    Call::get(stage.main(), path).send().await.json()
}

#[tokio::test]
async fn a_token_of_gitlab_becomes_a_session_of_a_role() {
    let stage = Stage::new().await;
    for algorithm in [SigningAlgorithm::Rs256, ES256] {
        let claims = GitLabClaims { algorithm, ..GitLabClaims::default() };
        let answer = exchange(&stage, ROLE, &token_of(&stage, &claims), &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let issuer = stage.emulator.gitlab_issuer();
        let provider = format!("arn:aws:iam::000000000000:oidc-provider/{}", &issuer["http://".len()..]);
        assert_eq!(answer.element("SubjectFromWebIdentityToken"), claims.subject());
        assert_eq!(answer.element("Provider"), provider);
        assert_eq!(answer.element("Audience"), "sts.amazonaws.com");
        let arn = "arn:aws:sts::000000000000:assumed-role/deploy/job";
        assert_eq!(answer.element("Arn"), arn);
        let signer = stage.session_signer(&answer, "us-east-1", "sts");
        assert_eq!(stage.sts(&signer, "Action=GetCallerIdentity").await.element("Arn"), arn);
    }
    assert_eq!(stage.emulator.calls().get("sts:AssumeRoleWithWebIdentity"), 2);
}

#[tokio::test]
async fn a_session_lasts_up_to_twelve_hours_and_takes_policies() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let token = token_of(&stage, &es256());
    let answer = exchange(&stage, ROLE, &token, &[("DurationSeconds", "43200")]).await;
    assert_eq!(answer.element("Expiration"), "2027-01-15T20:00:00Z");
    let answer = exchange(&stage, ROLE, &token, &[("DurationSeconds", "43201")]).await;
    assert_eq!(code(&answer), (400, "ValidationError"));

    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:List*","Resource":"*"}}"#;
    let narrow = exchange(&stage, ROLE, &token, &[("Policy", policy)]).await;
    assert_eq!(narrow.element("PackedPolicySize"), "3");
    let signer = stage.session_signer(&narrow, "us-east-1", "ecr");
    let prefix = "AmazonEC2ContainerRegistry_V20150921";
    let denied = stage.json_call(prefix, "GetAuthorizationToken", &signer, "{}").await;
    let message = denied.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("no session policy allows"), "{message}");
    let long = "x".repeat(2049);
    assert_eq!(code(&exchange(&stage, ROLE, &token, &[("Policy", &long)]).await), (400, "ValidationError"));
}

#[tokio::test]
async fn a_token_holds_for_its_time_and_its_audience() {
    let hands = Hands::new();
    let gitlab = GitLabIssuer { audiences: vec!["sts".into(), "other".into()], ..GitLabIssuer::default() };
    let stage = Stage::with(Options { clock: hands.clock(), gitlab, ..Options::default() }).await;
    let with = |name: &str, value: Value| GitLabClaims {
        audience: "sts".into(),
        overrides: Map::from_iter([(name.to_owned(), value)]),
        ..es256()
    };
    let good = token_of(&stage, &with("aud", json!(["unknown", "other"])));
    assert_eq!(exchange(&stage, ROLE, &good, &[]).await.element("Audience"), "other");
    let refused = async |name: &str, value: Value| {
        let answer = exchange(&stage, ROLE, &token_of(&stage, &with(name, value)), &[]).await;
        (answer.element("Code").to_owned(), answer.element("Message").to_owned())
    };
    assert_eq!(
        refused("aud", json!("unknown")).await,
        ("InvalidIdentityToken".into(), "Incorrect token audience".into())
    );
    assert_eq!(refused("azp", json!("unknown")).await.1, "Incorrect token audience");
    assert_eq!(refused("nbf", json!(1_800_000_301)).await.0, "IDPRejectedClaim");
    for claim in ["sub", "aud", "iat", "exp", "iss"] {
        let (code, message) = refused(claim, Value::Null).await;
        assert_eq!(
            (code.as_str(), message),
            ("InvalidIdentityToken", format!("Missing a required claim: {claim}"))
        );
    }
    assert_eq!(refused("https://aws.amazon.com/tags", json!({})).await.0, "NotImplemented");

    hands.advance(1);
    let expired = exchange(&stage, ROLE, &good, &[]).await;
    assert_eq!(code(&expired), (400, "ExpiredTokenException"));
    let message =
        "Token expired: current date/time 1800003600 must be before the expiration date/time1800003600";
    assert_eq!(expired.element("Message"), message);
}

#[tokio::test]
async fn a_token_must_be_signed_by_a_known_key_of_a_known_issuer() {
    let (stage, stranger) = (Stage::new().await, Stage::new().await);
    let good = token_of(&stage, &es256());
    let refused = async |token: &str| {
        let answer = exchange(&stage, ROLE, token, &[]).await;
        assert_eq!(code(&answer), (400, "InvalidIdentityToken"), "{token}");
        answer.element("Message").to_owned()
    };
    let foreign = token_of(&stranger, &es256());
    let message =
        format!("No OpenIDConnect provider found in your account for {}", stranger.emulator.gitlab_issuer());
    assert_eq!(refused(&foreign).await, message);
    // The issuer is ours, but its signature another's.
    let iss = ("iss".to_owned(), json!(stage.emulator.gitlab_issuer()));
    let forged = token_of(&stranger, &GitLabClaims { overrides: Map::from_iter([iss]), ..es256() });
    assert!(refused(&forged).await.starts_with("Couldn't retrieve verification key"));

    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let decoded = String::from_utf8(BASE64.decode(claims).unwrap()).unwrap();
    let altered = BASE64.encode(decoded.replace("team/app", "team/own"));
    assert_eq!(
        refused(&format!("{header}.{altered}.{signature}")).await,
        "The signature of the ID Token is invalid"
    );
    for algorithm in ["none", "HS256", "RS256"] {
        let decoded = String::from_utf8(BASE64.decode(header).unwrap()).unwrap();
        let header = BASE64.encode(decoded.replace("ES256", algorithm));
        refused(&format!("{header}.{claims}.{signature}")).await;
        refused(&format!("{header}.{claims}.")).await;
    }
    for token in ["none", "aa.bb", "a.b.c", "....", &good[1..], &format!("{good}A"), &"a".repeat(20_000)] {
        refused(token).await;
    }
    for token in ["", "abc", &"a".repeat(20_001)] {
        let answer = exchange(&stage, ROLE, token, &[]).await;
        assert_eq!(code(&answer), (400, "ValidationError"));
        assert!(!answer.text().contains("aaaa"));
    }
}

#[tokio::test]
async fn what_else_can_be_wrong_with_an_exchange() {
    let stage = Stage::new().await;
    let token = token_of(&stage, &es256());
    for role in ["arn:aws:iam::123456789012:role/deploy", "arn:aws:iam::000000000000:user/ecru"] {
        let answer = exchange(&stage, role, &token, &[]).await;
        assert_eq!(code(&answer), (403, "AccessDenied"));
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        assert_eq!(answer.element("Message"), message);
    }
    let name = exchange(&stage, ROLE, &token, &[("RoleSessionName", "a b")]).await;
    assert_eq!(code(&name), (400, "ValidationError"));
    let oauth = exchange(&stage, ROLE, &token, &[("ProviderId", "graph.facebook.com")]).await;
    assert_eq!(code(&oauth), (501, "NotImplemented"));
    let nothing = Call::new(Method::POST, stage.main(), "/")
        .body("Action=AssumeRoleWithWebIdentity&Version=2011-06-15")
        .send()
        .await;
    assert_eq!(code(&nothing), (400, "ValidationError"));
}

#[tokio::test]
async fn other_issuers_are_trusted_by_the_account_that_has_them() {
    // Another emulator's GitLab plays an issuer whose keys are configured.
    let issuer = "https://gitlab.example.com";
    let gitlab = GitLabIssuer { issuer: Some(issuer.into()), ..GitLabIssuer::default() };
    let origin = Stage::with(Options { gitlab, ..Options::default() }).await;
    let keys = get(&origin, "/gitlab/oauth/discovery/keys").await.to_string();
    let provider = IdentityProvider {
        account: account(1),
        issuer: issuer.into(),
        audiences: vec!["sts.amazonaws.com".into()],
        keys,
    };
    let identity_providers = vec![provider.clone()];
    let stage = Stage::with(Options { identity_providers, ..Options::default() }).await;
    for algorithm in [SigningAlgorithm::Rs256, ES256] {
        let token = token_of(&origin, &GitLabClaims { algorithm, ..GitLabClaims::default() });
        let answer = exchange(&stage, "arn:aws:iam::000000000001:role/deploy", &token, &[]).await;
        assert_eq!(answer.element("Provider"), "arn:aws:iam::000000000001:oidc-provider/gitlab.example.com");
        let answer = exchange(&stage, ROLE, &token, &[]).await;
        assert_eq!(code(&answer), (400, "InvalidIdentityToken"));
    }

    let start = async |providers: Vec<IdentityProvider>| {
        Emulator::start(Options { identity_providers: providers, ..Options::default() }).await.unwrap_err()
    };
    let twice = start(vec![provider.clone(), provider.clone()]).await;
    assert!(matches!(twice, StartError::Provider(ProviderError::Duplicate(_))), "{twice:?}");
    let keyless = start(vec![IdentityProvider { keys: "{}".into(), ..provider.clone() }]).await;
    assert!(matches!(keyless, StartError::Provider(ProviderError::Keys { .. })), "{keyless:?}");
    let nameless = start(vec![IdentityProvider { issuer: "gitlab".into(), ..provider }]).await;
    assert!(matches!(nameless, StartError::Provider(ProviderError::InvalidIssuer(_))), "{nameless:?}");
}

#[tokio::test]
async fn gitlab_tells_how_its_tokens_are_verified() {
    let stage = Stage::new().await;
    let configuration = get(&stage, "/gitlab/.well-known/openid-configuration").await;
    assert_eq!(configuration["issuer"], stage.emulator.gitlab_issuer());
    let keys = configuration["jwks_uri"].as_str().unwrap();
    let path = keys.strip_prefix(&format!("http://{}", stage.main())).unwrap();
    let keys = get(&stage, path).await;
    let kinds: Vec<_> =
        keys["keys"].as_array().unwrap().iter().map(|key| (&key["kty"], &key["alg"])).collect();
    assert_eq!(kinds, [(&json!("RSA"), &json!("RS256")), (&json!("EC"), &json!("ES256"))]);
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(keys["keys"].as_array().unwrap().iter().all(|key| key.get(private).is_none()));
    }
    for (method, path, status) in [
        (Method::GET, "/gitlab/", 404),
        (Method::GET, "/gitlab/api/v4/version", 404),
        (Method::POST, "/gitlab/oauth/discovery/keys", 405),
    ] {
        let answer = Call::new(method, stage.main(), path).send().await;
        assert_eq!(answer.status, status, "{path}");
    }
    let elsewhere =
        Call::get(stage.main(), "/gitlab/oauth/discovery/keys").header("host", "sts.amazonaws.com");
    assert_eq!(elsewhere.send().await.status, 404);
}

#[tokio::test]
async fn a_client_finds_the_token_in_a_file() {
    let stage = Stage::new().await;
    let variables = stage.emulator.web_identity_environment(ROLE, &es256()).unwrap();
    let value = |name: &str| &variables.iter().find(|(key, _)| key == name).unwrap().1;
    let token = std::fs::read_to_string(value("AWS_WEB_IDENTITY_TOKEN_FILE")).unwrap();
    assert_eq!(exchange(&stage, value("AWS_ROLE_ARN"), &token, &[]).await.status, 200);
    assert_eq!(value("AWS_ROLE_SESSION_NAME"), "gitlab-job-400");
}
