//! The Secret that the runner's kubernetes executor makes, and what a kubelet takes from it.

use super::stage::{Given, Stubs};
use ecru_gitlab::kubelet::{SecretEntry, candidates, image_pull_secret, resolve_as};
use ecru_gitlab::registry_auth::{Outcome, Runner, Source, Verdict, resolve_all_as};
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

const THREE: &str = r#"{"auths":{"one.example/team":{},"one.example":{"username":"u","password":"p"},
    "one.example/t":{"username":"t","password":"p"},"two.example":{"username":"v","password":"p"}}}"#;

fn verdicts(runner: &Runner) -> Vec<(String, Verdict)> {
    let given = Given::variable(THREE);
    let pod = resolve_as(runner, "one.example/team/app:1", &given.inputs(), &mut Stubs::default());
    let trace = pod.resolution.trace;
    trace.entries.into_iter().map(|entry| (entry.key, entry.verdict)).collect()
}

#[test]
fn each_entry_is_told_what_the_kubelet_makes_of_it() {
    let told = verdicts(&Runner::default());
    let of = |key: &str| &told.iter().find(|(other, _)| other == key).expect("an entry").1;
    // The longest is empty, and so the next is the first that counts.
    assert_eq!(of("one.example/team"), &Verdict::Usable);
    assert_eq!(of("one.example/t"), &Verdict::Chosen);
    assert_eq!(of("one.example"), &Verdict::Usable);
    assert_eq!(of("two.example"), &Verdict::OtherPath);
}

#[test]
fn a_pod_that_does_not_get_the_secret_has_no_credentials() {
    let runner = Runner { withholds_pull_secret: true, ..Runner::default() };
    assert!(verdicts(&runner).iter().all(|(_, verdict)| *verdict == Verdict::Withheld));
    let given = Given::variable(r#"{"credHelpers":{"two.example/team":"h"}}"#);
    let mut helpers = Stubs::default().having("h", "two.example/team", "AWS");
    let pod = resolve_as(&runner, "two.example/team/app", &given.inputs(), &mut helpers);
    assert!(matches!(pod.resolution.outcome, Outcome::Anonymous), "{:?}", pod.resolution.outcome);
    assert_eq!(pod.secret.len(), 1, "the runner makes it all the same");
    assert_eq!(pod.resolution.trace.helper_calls.len(), 1, "and the helper runs");
}

#[test]
fn a_kubelet_pulls_no_image_without_a_name() {
    let given = Given::variable(THREE);
    let pod = resolve_as(&Runner::default(), "one.example/UPPER", &given.inputs(), &mut Stubs::default());
    let Outcome::Aborted(error) = pod.resolution.outcome else { panic!("{:?}", pod.resolution.outcome) };
    assert_eq!(pod.resolution.trace.hints, Vec::from_iter(error.hint()));
}
