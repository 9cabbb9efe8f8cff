//! Worlds from files.

use std::path::{Path, PathBuf};

use ecru_emulator::{
    CrossAccount, GitLabClaims, GitLabIssuer, Options, Seed, SeedError, SigningAlgorithm, TlsOptions,
};
use hyper::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::client::Call;
use crate::signer::Signer;
use crate::stage::{INDEX, Stage, account, digest_of};
use crate::web_identity::exchange;

const SHARED: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/emulator/seed.toml")
}

async fn seeded(seed: &Seed, mut options: Options) -> Stage {
    seed.add_to(&mut options);
    let stage = Stage::with(options).await;
    stage.emulator.apply(seed).await.unwrap();
    stage
}

fn written(folder: &Path, text: &str) -> Result<Seed, SeedError> {
    let path = folder.join("seed.toml");
    std::fs::write(&path, text).unwrap();
    Seed::read(&path)
}

#[tokio::test]
async fn the_example_is_what_it_says() {
    let seed = Seed::read(&example()).unwrap();
    let options = Options { cross_account: CrossAccount::Deny, ..Options::default() };
    let stage = seeded(&seed, options).await;
    let keys = stage.emulator.keys_of_user(account(0), "ci").unwrap();
    let ci = Signer {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key.expose_secret().to_owned(),
        ..stage.signer(0, "us-east-1", "ecr")
    };
    let here = stage.basic_of(&ci).await;
    let there = stage.basic_of(&Signer { region: "eu-west-1".into(), ..ci }).await;
    let call = async |method, address, path: &str, basic: &str| {
        Call::new(method, address, path).header("authorization", basic).send().await
    };
    let main = stage.main();
    for tag in ["1", "latest"] {
        let path = format!("/v2/team/app/manifests/{tag}");
        assert_eq!(call(Method::GET, main, &path, &here).await.status, 200);
    }
    assert_eq!(call(Method::POST, main, "/v2/team/app/blobs/uploads/", &here).await.status, 403);
    let shared = stage.registry(SHARED);
    assert_eq!(call(Method::GET, shared, "/v2/team/shared/manifests/1", &there).await.status, 200);
    let owner = stage.basic(1, "eu-west-1").await;
    assert_eq!(call(Method::POST, shared, "/v2/sandbox/new/blobs/uploads/", &owner).await.status, 202);
    assert_eq!(call(Method::POST, shared, "/v2/new/blobs/uploads/", &owner).await.status, 404);

    let public = stage.registry("public.ecr.aws");
    let token = Call::get(public, "/token/").send().await.json()["token"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let pulled = call(Method::GET, public, "/v2/hello-team/hello/manifests/latest", &bearer).await;
    let layer = pulled.json()["layers"][0]["digest"].as_str().unwrap().to_owned();
    let blob = call(Method::GET, public, &format!("/v2/hello-team/hello/blobs/{layer}"), &bearer).await;
    let link: hyper::Uri = blob.header("location").parse().unwrap();
    let target = link.path_and_query().unwrap().as_str();
    let content = Call::get(stage.emulator.addresses().blob, target).send().await;
    assert_eq!(digest_of(&content.body), layer);

    let cached = "/v2/ecr-public/hello-team/hello/manifests/latest";
    let cached = stage.registry_call(Method::GET, cached).await.send().await;
    assert_eq!((cached.status.as_u16(), &cached.body), (200, &pulled.body));

    let described = stage.ecr("DescribeRepositories", r#"{"repositoryNames":["team/app"]}"#).await.json();
    assert_eq!(described["repositories"][0]["imageTagMutability"], "IMMUTABLE");
    // The role sees what has its own tag.
    let assumed = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/deploy&RoleSessionName=job";
    let assumed = stage.sts(&stage.signer(0, "us-east-1", "sts"), assumed).await;
    let deploy = stage.basic_of(&stage.session_signer(&assumed, "us-east-1", "ecr")).await;
    stage.create("untagged");
    assert_eq!(call(Method::GET, main, "/v2/team/app/tags/list", &deploy).await.status, 200);
    assert_eq!(call(Method::GET, main, "/v2/untagged/tags/list", &deploy).await.status, 403);
    // It is not for account 1, and of the jobs of GitLab for those on `main`.
    let assume = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/deploy&RoleSessionName=job";
    assert_eq!(stage.sts(&stage.signer(1, "us-east-1", "sts"), assume).await.status, 403);
    let main = GitLabClaims { algorithm: SigningAlgorithm::Es256, ..GitLabClaims::default() };
    let feature = GitLabClaims { git_ref: "feature".into(), ..main.clone() };
    for (claims, status) in [(main, 200), (feature, 403)] {
        let token = stage.emulator.gitlab_id_token(&claims).unwrap();
        let role = "arn:aws:iam::000000000000:role/deploy";
        assert_eq!(exchange(&stage, role, token.expose_secret(), &[]).await.status, status);
    }
}

#[tokio::test]
async fn an_issuer_is_trusted_by_the_keys_in_a_file() {
    let issuer = "https://ci.example.com";
    let gitlab = GitLabIssuer { issuer: Some(issuer.into()), ..GitLabIssuer::default() };
    let origin = Stage::with(Options { gitlab, ..Options::default() }).await;
    let keys = Call::get(origin.main(), "/gitlab/oauth/discovery/keys").send().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), &keys.body).unwrap();
    let text = format!(
        "[[identity_provider]]\naccount = \"000000000001\"\nissuer = \"{issuer}\"\n\
         audiences = [\"sts\"]\nkeys = {{ file = \"keys.json\" }}\n"
    );
    let stage = seeded(&written(folder.path(), &text).unwrap(), Options::default()).await;
    for (audience, account, status) in [("sts", 1, 200), ("sts", 0, 400), ("other", 1, 400)] {
        let claims = GitLabClaims { audience: audience.into(), ..GitLabClaims::default() };
        let token = origin.emulator.gitlab_id_token(&claims).unwrap();
        let role = format!("arn:aws:iam::00000000000{account}:role/any");
        let answer = exchange(&stage, &role, token.expose_secret(), &[]).await;
        assert_eq!(answer.status, status, "{audience} {account}");
    }
}

#[tokio::test]
async fn a_seed_is_applied_again_to_what_is_there() {
    let parent = tempfile::tempdir().unwrap();
    let options = || Options { state_dir: Some(parent.path().join("state")), ..Options::default() };
    let first = written(parent.path(), "[[repository]]\nname = \"app\"\n").unwrap();
    let stage = seeded(&first, options()).await;
    stage.push_image("app", "pushed").await;
    stage.emulator.stop().await;

    let hello = example().with_file_name("hello");
    let second = format!(
        "[[repository]]\nname = \"app\"\nmutability = \"IMMUTABLE\"\n[[repository.image]]\nfrom = '{}'\ntags = [\"1\"]\n",
        hello.display()
    );
    let second = written(parent.path(), &second).unwrap();
    let stage = seeded(&second, options()).await;
    let tags =
        stage.registry_call(Method::GET, "/v2/app/tags/list").await.send().await.json()["tags"].clone();
    assert_eq!(tags, json!(["1", "pushed"]));
    assert_eq!(
        stage.put_manifest("app", "1", INDEX, r#"{"schemaVersion":2,"manifests":[]}"#).await.status,
        400
    );
}

#[test]
fn the_certificate_is_for_what_a_seed_mentions_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[repository]]\nname = \"app\"\naccount = \"000000000007\"\nregion = \"ap-southeast-2\"\n";
    let mut options = Options { tls: Some(TlsOptions::default()), ..Options::default() };
    written(folder.path(), text).unwrap().add_to(&mut options);
    let names = options.tls.unwrap().names;
    for name in ["000000000007.dkr.ecr.ap-southeast-2.amazonaws.com", "api.ecr.ap-southeast-2.amazonaws.com"]
    {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    assert!(options.accounts.contains(&account(7)));
}

#[tokio::test]
async fn an_image_that_cannot_be_imported_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image.tar"), "no archive").unwrap();
    for (from, expected) in [("image.tar", true), ("none.tar", false), (".", true)] {
        let text =
            format!("[[repository]]\nname = \"app\"\n[[repository.image]]\nfrom = \"{from}\"\ntags = []\n");
        let seed = written(folder.path(), &text).unwrap();
        let stage = Stage::new().await;
        let error = stage.emulator.apply(&seed).await.unwrap_err();
        assert!(error.to_string().contains(from) && error.to_string().contains("`app`"), "{error}");
        assert_eq!(
            error.hint().is_some_and(|hint| hint.contains("docker save")),
            expected && from == ".",
            "{from}"
        );
    }
}

#[test]
fn files_that_are_none_or_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Seed::read(&folder.path().join("none")), Err(SeedError::Io { .. })));
    let large = "#".repeat(5 * 1024 * 1024);
    assert!(matches!(written(folder.path(), &large), Err(SeedError::TooLarge { .. })));
    let error = written(folder.path(), "[[repository]]\nname = \"ab\"\nregion = \"here\"\n").unwrap_err();
    assert!(
        error.to_string().ends_with("line 3, column 10: `here` is not a region of the partition `aws`"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("us-east-1"));
}
