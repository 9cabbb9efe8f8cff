//! What differs between versions of GitLab Runner: for each rule the last version without it and the first with it.
//!
//! The sources are named beside each rule in `registry_auth/rules.rs`.

use super::stage::{Given, Stubs};
use ecru_gitlab::registry_auth::{
    Outcome, Resolution, Runner, RunnerVersion, Source, SourceState, Verdict, resolve_all_as, resolve_as,
};

fn version(text: &str) -> RunnerVersion {
    text.parse().expect("a version")
}

fn resolve(text: &str, image: &str, given: &Given, helpers: &mut Stubs) -> Resolution {
    resolve_as(&Runner::of_version(version(text)), image, &given.inputs(), helpers)
}

fn user(text: &str, image: &str, given: &Given) -> Option<String> {
    let resolution = resolve(text, image, given, &mut Stubs::default());
    resolution.credential().map(|credential| credential.username.clone())
}

fn unknown(text: &str, image: &str, given: &Given) -> String {
    resolve(text, image, given, &mut Stubs::default()).trace.unknown.join("\n")
}

const HELPER_AND_FILE: (&str, &str) =
    (r#"{"auths":{"one.example":{"username":"one"}}}"#, r#"{"credHelpers":{"two.example":"h"}}"#);

#[test]
fn before_13_1_a_source_that_has_the_registry_ends_the_search() {
    let given = Given::variable(HELPER_AND_FILE.0).file(HELPER_AND_FILE.1);
    for (text, calls) in [("13.0.1", 0), ("13.1.0", 1)] {
        let mut helpers = Stubs::default();
        let resolution = resolve(text, "one.example/a", &given, &mut helpers);
        assert_eq!(resolution.credential().unwrap().username, "one", "{text}");
        assert_eq!(helpers.calls.len(), calls, "{text}: helpers of a later source");
        let not_read = resolution.trace.sources.iter().filter(|source| source.state == SourceState::NotRead);
        assert_eq!(not_read.count(), if calls == 0 { 2 } else { 0 }, "{text}");
    }
}

#[test]
fn before_13_1_the_next_source_is_asked_where_one_has_nothing() {
    let given = Given::variable(HELPER_AND_FILE.0).file(HELPER_AND_FILE.1);
    let mut helpers = Stubs::default().having("h", "two.example", "two");
    let resolution = resolve("12.0.0", "two.example/a", &given, &mut helpers);
    assert_eq!(resolution.credential().unwrap().username, "two");
    assert_eq!(helpers.calls, ["h get two.example"]);
}

#[test]
fn before_13_1_the_kubernetes_executor_knows_the_payload_alone() {
    let given = Given::variable(HELPER_AND_FILE.0).job_credential("job.example", "job");
    let users = |text: &str| -> Vec<String> {
        let runner = Runner::of_version(version(text));
        let all = resolve_all_as(&runner, &given.inputs(), &mut Stubs::default());
        all.outcome.unwrap().into_iter().map(|credential| credential.username).collect()
    };
    assert_eq!(users("13.0.1"), ["job"]);
    assert_eq!(users("13.1.0"), ["one", "job"]);
}

#[test]
fn before_13_4_keys_of_one_host_compete_across_sources() {
    let given = Given::variable(r#"{"auths":{"https://one.example/v1/":{"username":"variable"}}}"#)
        .job_credential("one.example", "job");
    assert!(unknown("13.3.0", "one.example/a", &given).contains("at random"));
    assert_eq!(unknown("13.4.1", "one.example/a", &given), "");
    assert_eq!(user("13.4.1", "one.example/a", &given).as_deref(), Some("variable"));
}

#[test]
fn before_13_5_a_helper_named_by_a_path_is_no_reason_to_abort() {
    let given = Given::variable(r#"{"credsStore":"../x"}"#).job_credential("one.example", "job");
    for text in ["13.4.0", "13.3.1", "13.2.3", "12.0.0"] {
        let mut helpers = Stubs::default();
        let resolution = resolve(text, "one.example/a", &given, &mut helpers);
        assert_eq!(resolution.credential().unwrap().username, "job", "{text}");
        assert!(helpers.calls.is_empty(), "{text}: a path is never run here");
        assert!(resolution.trace.unknown.join("\n").contains("docker-credential-../x"), "{text}");
    }
    for text in ["13.5.0", "13.4.1", "13.3.2", "13.2.4", "19.3.0"] {
        let resolution = resolve(text, "one.example/a", &given, &mut Stubs::default());
        assert!(matches!(resolution.outcome, Outcome::Aborted(_)), "{text}");
        assert!(resolution.trace.hints.join("\n").contains("`../x`"), "{text}");
    }
}

#[test]
fn before_17_5_only_the_host_counts() {
    let given = Given::variable(
        r#"{"auths":{"one.example":{"username":"host"},"one.example/team":{"username":"team"}}}"#,
    );
    assert_eq!(resolve("17.4.0", "one.example/team/a", &given, &mut Stubs::default()).path, "one.example");
    assert!(unknown("17.4.0", "one.example/other/a", &given).contains("at random"));
    assert_eq!(user("17.5.0", "one.example/team/a", &given).as_deref(), Some("team"));
    assert_eq!(user("17.5.0", "one.example/other/a", &given).as_deref(), Some("host"));
}

#[test]
fn before_17_5_a_key_with_a_path_serves_the_whole_host() {
    let given = Given::variable(r#"{"auths":{"one.example/team":{"username":"team"}}}"#);
    assert_eq!(user("17.4.0", "one.example/other/a", &given).as_deref(), Some("team"));
    assert_eq!(user("17.5.0", "one.example/other/a", &given), None);
}

#[test]
fn letters_are_compared_as_written_before_13_4_and_what_lies_between_is_told() {
    let given = Given::variable(r#"{"auths":{"One.example":{"username":"one"}}}"#);
    assert_eq!(user("13.3.2", "one.example/a", &given), None);
    assert_eq!(user("17.4.0", "one.example/a", &given).as_deref(), Some("one"));
    assert!(unknown("17.4.0", "one.example/a", &given).contains("without regard to case is not known"));
    assert_eq!(user("17.5.0", "One.Example/a", &given).as_deref(), Some("one"));
    assert_eq!(unknown("17.5.0", "one.example/a", &given), "");
}

#[test]
fn from_17_5_to_18_0_keys_with_http_match_nothing() {
    let given = Given::variable(r#"{"auths":{"http://one.example/v1/":{"username":"one"}}}"#);
    for (text, expected) in
        [("17.4.0", Some("one")), ("17.5.0", None), ("18.0.5", None), ("18.1.0", Some("one"))]
    {
        assert_eq!(user(text, "one.example/a", &given).as_deref(), expected, "{text}");
    }
    let with_https = Given::variable(r#"{"auths":{"HTTPS://one.example/v1/":{"username":"one"}}}"#);
    assert_eq!(user("17.5.0", "one.example/a", &with_https).as_deref(), Some("one"));
}

#[test]
fn before_18_3_image_names_are_not_cleaned() {
    let path = |text: &str, image: &str| resolve(text, image, &Given::default(), &mut Stubs::default()).path;
    for (image, before, since) in [
        ("one.example//a/../b:1", "one.example//a/../b", "one.example/b"),
        ("LOCALHOST/a", "docker.io/LOCALHOST/a", "localhost/a"),
        ("Index.Docker.io/a", "index.docker.io/a", "docker.io/a"),
        ("index.docker.io/a", "docker.io/a", "docker.io/a"),
        ("alpine:3", "docker.io/alpine", "docker.io/alpine"),
    ] {
        assert_eq!(path("18.1.0", image), before, "{image}");
        assert_eq!(path("18.3.0", image), since, "{image}");
    }
}

#[test]
fn before_18_3_one_of_two_keys_for_a_path_wins_at_random() {
    let given = Given::variable(
        r#"{"auths":{"one.example":{"username":"a"},"https://one.example":{"username":"b"}}}"#,
    );
    let told = unknown("18.2.0", "one.example/a", &given);
    assert!(told.contains("`https://one.example`, `one.example` in $DOCKER_AUTH_CONFIG at random"), "{told}");
    assert_eq!(unknown("18.3.0", "one.example/a", &given), "");
    assert_eq!(user("18.3.0", "one.example/a", &given).as_deref(), Some("b"), "the first key in order");
}

#[test]
fn before_18_3_a_helper_without_credentials_hides_lower_sources() {
    let given =
        Given::variable(r#"{"credHelpers":{"one.example":"h"}}"#).job_credential("one.example", "job");
    let before = resolve("18.2.0", "one.example/a", &given, &mut Stubs::default());
    let credential = before.credential().unwrap();
    assert!(credential.is_empty() && credential.source == Source::DockerAuthConfig);
    assert_eq!(user("18.3.0", "one.example/a", &given).as_deref(), Some("job"));
}

#[test]
fn since_18_3_the_first_job_credential_of_a_url_counts() {
    let given = Given::default().job_credential("one.example", "first").job_credential("one.example", "last");
    assert_eq!(user("18.2.0", "one.example/a", &given).as_deref(), Some("last"));
    assert_eq!(user("18.3.0", "one.example/a", &given).as_deref(), Some("first"));
}

#[test]
fn before_18_11_the_job_log_says_nothing() {
    let given = Given::variable("'{}'");
    let before = resolve("18.10.0", "one.example/a", &given, &mut Stubs::default()).trace;
    assert!(before.warnings.is_empty());
    let swallowed = "$DOCKER_AUTH_CONFIG: invalid character '\\'' looking for beginning of value";
    assert_eq!(before.swallowed, [swallowed]);
    let since = resolve("18.11.0", "one.example/a", &given, &mut Stubs::default()).trace;
    assert_eq!((since.warnings.len(), since.swallowed.len()), (1, 0));
    assert!(since.hints.join("\n").contains("take away the quotes"));
}

#[test]
fn since_19_4_and_its_back_ports_helpers_of_jobs_wait_for_a_permission() {
    let given =
        Given::variable(r#"{"auths":{"two.example":{"username":"two"}},"credHelpers":{"one.example":"h"}}"#)
            .file(r#"{"credHelpers":{"three.example":"h"}}"#);
    for text in ["19.4.0", "19.3.2", "19.2.4", "19.1.3", "20.0.0"] {
        let mut helpers = Stubs::default().having("h", "one.example", "one");
        let resolution = resolve(text, "one.example/a", &given, &mut helpers);
        assert!(matches!(resolution.outcome, Outcome::Anonymous), "{text}");
        assert_eq!(helpers.calls, ["h get three.example"], "{text}: the home file is not the job's");
        let refused = resolution.trace.entries.iter().find(|entry| entry.key == "one.example").unwrap();
        assert_eq!(refused.verdict, Verdict::NotPermitted, "{text}");
        assert!(resolution.trace.warnings.is_empty(), "{text}: its words are not known");
        let told = resolution.trace.unknown.join("\n");
        assert!(
            told.contains("`allowed_docker_credential_helpers`") && told.contains("is not known"),
            "{told}"
        );
        assert_eq!(told.contains("nothing is known of GitLab Runner 20.0.0"), text == "20.0.0");
    }
    for text in ["19.3.1", "19.2.3", "19.1.2", "19.0.0"] {
        let mut helpers = Stubs::default().having("h", "one.example", "one");
        let resolution = resolve(text, "one.example/a", &given, &mut helpers);
        assert_eq!(resolution.credential().unwrap().username, "one", "{text}");
    }
}

#[test]
fn a_permission_makes_19_4_as_the_versions_before() {
    let given = Given::variable(r#"{"credsStore":"h"}"#);
    let runner = Runner { version: version("19.4.0"), permits_helpers_of_jobs: true, ..Runner::default() };
    let mut helpers = Stubs::default().answering("h", "list unused", 0, r#"{"one.example":"u"}"#).having(
        "h",
        "one.example",
        "u",
    );
    let resolution = resolve_as(&runner, "one.example/a", &given.inputs(), &mut helpers);
    assert_eq!(resolution.credential().unwrap().username, "u");
    assert!(resolution.trace.unknown.is_empty());
    let refused = unknown("19.4.0", "one.example/a", &given);
    assert!(refused.contains("`docker-credential-h list` is taken not to be permitted"), "{refused}");
}

#[test]
fn the_default_is_the_newest_that_is_known_in_full() {
    assert_eq!(Runner::default(), Runner::of_version(RunnerVersion::NEWEST));
    assert_eq!(RunnerVersion::NEWEST.to_string(), "19.3.0");
}
