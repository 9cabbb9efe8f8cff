//! The Secret that the runner's kubernetes executor makes, and what a kubelet takes from it.

use super::stage::{Given, Stubs};
use ecru_gitlab::kubelet::{SecretEntry, candidates, image_pull_secret};
use ecru_gitlab::registry_auth::{Runner, Source, resolve_all_as};
use proptest::prelude::*;
use secrecy::ExposeSecret;

const ECR: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

fn secret(keys: &[&str]) -> Vec<SecretEntry> {
    let entry = |key: &&str| SecretEntry {
        key: (*key).to_owned(),
        source: Source::DockerAuthConfig,
        username: "u".into(),
        password: "p".into(),
    };
    keys.iter().map(entry).collect()
}

fn tried<'k>(image: &str, keys: &[&'k str]) -> Vec<&'k str> {
    let found = candidates(image, &secret(keys)).expect("an image");
    found.iter().map(|candidate| keys[candidate.index]).collect()
}

#[test]
fn all_matching_entries_are_tried_the_longest_first() {
    let team = format!("{ECR}/team");
    let keys = [ECR, team.as_str(), "other.example", "*.dkr.ecr.*.amazonaws.com"];
    assert_eq!(tried(&format!("{ECR}/team/app:1"), &keys), [team.as_str(), ECR, "*.dkr.ecr.*.amazonaws.com"]);
    assert_eq!(tried(&format!("{ECR}/a"), &keys), [ECR, "*.dkr.ecr.*.amazonaws.com"]);
}

#[test]
fn what_the_runner_alone_would_not_match_is_told() {
    let keys = ["*.dkr.ecr.*.amazonaws.com", "000000000001.dkr.ecr.eu-west-1.amazonaws.com/tea"];
    let found = candidates(&format!("{ECR}/team/app"), &secret(&keys)).unwrap();
    assert!(found.len() == 2 && found.iter().all(|candidate| candidate.is_beyond_the_runner), "{found:?}");
    let plain = candidates(&format!("{ECR}/team/app"), &secret(&[ECR])).unwrap();
    assert!(!plain[0].is_beyond_the_runner);
}

#[test]
fn hosts_are_compared_as_written() {
    assert_eq!(tried(&format!("{ECR}/a"), &[&ECR.to_uppercase()]), Vec::<&str>::new());
    assert_eq!(tried("one.example:5000/a", &["one.example"]), Vec::<&str>::new());
}

#[test]
fn docker_hub_has_two_names() {
    for image in ["alpine", "docker.io/team/app", "index.docker.io/team/app"] {
        assert_eq!(
            tried(image, &["https://index.docker.io/v1/"]),
            ["https://index.docker.io/v1/"],
            "{image}"
        );
        assert_eq!(tried(image, &["docker.io", "https://index.docker.io/v1/"]), ["docker.io"], "{image}");
    }
    assert!(tried("one.example/a", &["https://index.docker.io/v1/"]).is_empty());
}

#[test]
fn the_secret_has_every_credential_under_its_key() {
    let given = Given::variable(
        r#"{"auths":{"https://one.example/v1/":{"username":"one"}},"credHelpers":{"two.example/team":"h"}}"#,
    )
    .job_credential("job.example", "job");
    let keys = |text: &str| -> Vec<String> {
        let runner = Runner::of_version(text.parse().unwrap());
        let mut helpers = Stubs::default().having("h", "two.example/team", "AWS");
        let all = resolve_all_as(&runner, &given.inputs(), &mut helpers).outcome.unwrap();
        let secret = image_pull_secret(&runner, &all);
        assert_eq!(secret[1].password.expose_secret(), "s3cr3t");
        secret.into_iter().map(|entry| entry.key).collect()
    };
    assert_eq!(keys("19.3.0"), ["https://one.example/v1/", "two.example/team", "job.example"]);
    assert_eq!(keys("18.2.0"), ["one.example", "two.example/team", "job.example"]);
    assert_eq!(keys("17.4.0"), ["one.example", "two.example", "job.example"]);
    assert_eq!(keys("13.3.2"), ["https://one.example/v1/", "two.example/team", "job.example"]);
}

proptest! {
    #[test]
    fn any_key_is_matched_or_passed_over(image in any::<String>(), keys in prop::collection::vec(any::<String>(), 0..4)) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let _ = candidates(&image, &secret(&keys));
        let _ = candidates("one.example/team/app", &secret(&keys));
    }

    #[test]
    fn an_entry_for_the_host_always_matches(path in "[a-z]{1,4}(/[a-z]{1,4}){0,3}") {
        prop_assert_eq!(tried(&format!("{ECR}/{path}"), &[ECR]), [ECR]);
    }
}
