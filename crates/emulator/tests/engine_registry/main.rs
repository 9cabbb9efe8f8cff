//! A real Docker engine against ECR Public, a repository that its push creates, and a seed of what it saves.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions that help tests fail as tests do"
)]

#[path = "../over_http/client.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod client;
mod docker;
#[path = "../over_http/signer.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod signer;
#[path = "../over_http/stage.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod stage;

use std::path::Path;

use ecru_emulator::{Options, Seed};

use docker::{Docker, said};
use stage::{Stage, credential_in};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/emulator/seed.toml");

async fn public_credential(stage: &Stage, number: u8) -> String {
    let signer = stage.signer(number, "us-east-1", "ecr-public");
    let answer =
        stage.json_call("SpencerFrontendService", "GetAuthorizationToken", &signer, "{}").await.json();
    let token = answer["authorizationData"]["authorizationToken"].as_str().unwrap().to_owned();
    credential_in(&format!("Basic {token}"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn an_engine_pulls_from_ecr_public_pushes_what_creates_and_saves_what_seeds() {
    let seed = Seed::read(Path::new(EXAMPLE)).unwrap();
    let mut options = Options::default();
    seed.add_to(&mut options);
    let stage = Stage::with(options).await;
    stage.emulator.apply(&seed).await.unwrap();
    let registries = &stage.emulator.addresses().registries;
    let public = registries["public.ecr.aws"].as_str();
    let shared = registries["000000000001.dkr.ecr.eu-west-1.amazonaws.com"].as_str();
    let docker = Docker::new();

    let hello = docker.image(&format!("{public}/hello-team/hello:latest"));
    said(&docker.run(&["pull", &hello]));
    let copy = docker.image(&format!("{public}/hello-team/hello:copy"));
    said(&docker.run(&["tag", &hello, &copy]));
    let denied = docker.run(&["push", &copy]);
    assert!(
        !denied.status.success() && String::from_utf8_lossy(&denied.stderr).contains("denied"),
        "{denied:?}"
    );
    docker.log_in(public, &public_credential(&stage, 1).await);
    said(&docker.run(&["push", &copy]));

    docker.log_in(shared, &credential_in(&stage.basic(1, "eu-west-1").await));
    let made = docker.image(&format!("{shared}/sandbox/made:1"));
    said(&docker.run(&["tag", &hello, &made]));
    said(&docker.run(&["push", &made]));
    let refused = docker.image(&format!("{shared}/other:1"));
    said(&docker.run(&["tag", &hello, &refused]));
    let unknown = docker.run(&["push", &refused]);
    let message = "The repository with name 'other' does not exist in the registry with id '000000000001'";
    assert!(String::from_utf8_lossy(&unknown.stderr).contains(message), "{unknown:?}");

    let id = |image: &str| said(&docker.run(&["image", "inspect", "--format", "{{.Id}}", image]));
    said(&docker.run(&["save", "--output", &docker.path("saved.tar"), &hello, &made]));
    let text = format!(
        "[[repository]]\nname = \"again\"\n[[repository.image]]\nfrom = \"saved.tar\"\nreference = \"{made}\"\n\
         tags = [\"1\"]\n"
    );
    let seed = docker.path("seed.toml");
    std::fs::write(&seed, text).unwrap();
    stage.emulator.apply(&Seed::read(Path::new(&seed)).unwrap()).await.unwrap();
    let main = format!("localhost:{}", stage.main().port());
    docker.log_in(&main, &credential_in(&stage.own_basic().await));
    let again = docker.image(&format!("{main}/again:1"));
    said(&docker.run(&["pull", &again]));
    assert_eq!(id(&again), id(&made));
}
