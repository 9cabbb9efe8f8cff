//! What the resolver says about its decision, and what must hold for any input.

use ecru_gitlab::registry_auth::{
    CredentialHelpers, FileContent, HelperAnswer, HelperVerb, HomeFile, Inputs, JobCredential, Outcome,
    Resolution, Runner, RunnerVersion, SourceState, Verdict, image_path, registry_path, resolve,
    resolve_all_as, resolve_as,
};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

/// Every helper lists `listed.example` and has credentials for anything but `missing.example`.
struct Helpers;

impl CredentialHelpers for Helpers {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let answer = |code, stdout: &str| HelperAnswer::Exited { code, stdout: stdout.into() };
        match (suffix, verb, stdin) {
            ("fails", ..) => answer(1, "cause"),
            ("lists-missing", HelperVerb::List, _) => answer(0, r#"{"missing.example":"u"}"#),
            (_, HelperVerb::List, _) => answer(0, r#"{"listed.example":"u"}"#),
            (_, HelperVerb::Get, "missing.example") => {
                answer(1, "credentials not found in native keychain\n")
            }
            (_, HelperVerb::Get, _) => answer(0, r#"{"Username":"u","Secret":"s3cr3t"}"#),
        }
    }
}

fn resolve_with(image: &str, document: &str, home: &[HomeFile]) -> Resolution {
    let document = SecretString::from(document);
    let job_credentials = [JobCredential {
        kind: "registry".into(),
        url: "job.example".into(),
        username: "job".into(),
        password: "p".into(),
    }];
    let inputs =
        Inputs { docker_auth_config: Some(&document), home_files: home, job_credentials: &job_credentials };
    resolve(image, &inputs, &mut Helpers)
}

fn verdicts(resolution: &Resolution) -> Vec<(&str, &Verdict)> {
    resolution.trace.entries.iter().map(|entry| (entry.key.as_str(), &entry.verdict)).collect()
}

fn home(path: &str, content: FileContent) -> HomeFile {
    HomeFile { path: path.into(), content }
}

#[test]
fn every_entry_has_a_verdict() {
    let document = r#"{
        "auths": {"host.example": {}, "host.example/team": {}, "HOST.example/team": {}, "other.example": {},
                  "listed.example": {}, "missing.example": {}},
        "credsStore": "store",
        "credHelpers": {"missing.example": "helper"}
    }"#;
    let resolution = resolve_with("host.example/team/app", document, &[]);
    let verdicts = verdicts(&resolution);
    let of = |key: &str| -> Vec<&Verdict> {
        verdicts.iter().filter(|(name, _)| *name == key).map(|(_, verdict)| *verdict).collect()
    };
    assert_eq!(of("HOST.example/team"), [&Verdict::Chosen]);
    assert_eq!(of("host.example"), [&Verdict::LongerPathWon]);
    assert!(matches!(of("host.example/team")[..], [Verdict::SamePathCameFirst { .. }]));
    assert_eq!(of("other.example"), [&Verdict::OtherPath]);
    assert!(matches!(of("listed.example")[..], [Verdict::OtherPath, Verdict::Replaced { .. }]));
    assert!(matches!(of("missing.example")[..], [Verdict::NotFound, Verdict::Replaced { .. }]));
    assert_eq!(of("job.example"), [&Verdict::OtherPath]);
    assert_eq!(
        resolution.job_log_line().as_deref(),
        Some("Authenticating with credentials from $DOCKER_AUTH_CONFIG")
    );
}

#[test]
fn a_warning_has_the_words_of_the_runner() {
    let document = r#"{"auths":{"host.example":{}},"credHelpers":{"x.example":"fails"}}"#;
    let resolution = resolve_with("host.example/app", document, &[]);
    assert_eq!(
        resolution.trace.warnings,
        [
            "Failed to resolve credentials from $DOCKER_AUTH_CONFIG: error getting credentials - err: exit status 1, \
          out: `cause`. Credentials from this source will not be used."
        ]
    );
    assert!(matches!(resolution.outcome, Outcome::Anonymous));
    let expected = [("host.example", &Verdict::SourceDropped), ("x.example", &Verdict::DroppedTheSource)];
    assert_eq!(verdicts(&resolution)[..2], expected);
}

#[test]
fn errors_of_home_files_are_kept_for_those_who_ask() {
    let failing = r#"{"credHelpers":{"x.example":"fails"}}"#;
    let files = [
        home("/h/.docker/config.json", FileContent::OpenFailed("permission denied".into())),
        home("/h/.dockercfg", FileContent::Text(failing.into())),
    ];
    let resolution = resolve_with("host.example/app", "", &files);
    assert!(resolution.trace.warnings.is_empty());
    assert_eq!(
        resolution.trace.swallowed,
        [
            "/h/.docker/config.json: permission denied",
            "/h/.dockercfg: error getting credentials - err: exit status 1, out: `cause`",
        ]
    );
}

#[test]
fn the_first_home_file_hides_the_second() {
    let files = [
        home("/h/.docker/config.json", FileContent::ReadFailed("is a directory".into())),
        home("/h/.dockercfg", FileContent::Text(r#"{"auths":{"host.example":{}}}"#.into())),
    ];
    let resolution = resolve_with("host.example/app", "", &files);
    assert!(matches!(resolution.outcome, Outcome::Anonymous));
    let hidden = SourceState::Hidden { by: "/h/.docker/config.json".into() };
    assert!(resolution.trace.sources.iter().any(|source| source.state == hidden));
}

#[test]
fn a_store_without_credentials_leaves_an_empty_entry_in_the_place_of_a_written_one() {
    let document = |key: &str, part: &str| {
        format!(r#"{{"auths":{{"{key}":{{"username":"u","registrytoken":"t0k3n"}}}},{part}}}"#)
    };
    let store = document("missing.example", r#""credsStore":"lists-missing""#);
    let resolution = resolve_with("missing.example/app", &store, &[]);
    let credential = resolution.credential().unwrap();
    assert_eq!((credential.username.as_str(), credential.registry_token.expose_secret()), ("", "t0k3n"));
    let helper = document("missing.example", r#""credHelpers":{"missing.example":"helper"}"#);
    assert!(matches!(resolve_with("missing.example/app", &helper, &[]).outcome, Outcome::Anonymous));
}

#[test]
fn the_registry_token_of_a_written_entry_stays_beside_a_helper_s_answer() {
    let document = r#"{"auths":{"https://host.example/v1/":{"registrytoken":"t0k3n"}},"credHelpers":{"host.example":"helper"}}"#;
    let resolution = resolve_with("host.example/app", document, &[]);
    let credential = resolution.credential().unwrap();
    assert_eq!(credential.server_address, "host.example");
    assert_eq!(credential.registry_token.expose_secret(), "t0k3n");
}

#[test]
fn a_helper_that_is_not_run_is_taken_to_have_credentials_and_to_list_none() {
    struct NotRun;
    impl CredentialHelpers for NotRun {
        fn run(&mut self, _: &str, _: HelperVerb, _: &str) -> HelperAnswer {
            HelperAnswer::NotRun
        }
    }
    let document = SecretString::from(r#"{"credsStore":"store","credHelpers":{"host.example":"helper"}}"#);
    let inputs = Inputs { docker_auth_config: Some(&document), ..Inputs::default() };
    let resolution = resolve("host.example/app", &inputs, &mut NotRun);
    let credential = resolution.credential().unwrap();
    assert!(credential.is_assumed && !credential.is_empty());
    assert!(resolution.trace.unknown[0].contains("`docker-credential-store list` was not run"));
    let classes: Vec<String> =
        resolution.trace.helper_calls.iter().map(|call| call.stdout.to_string()).collect();
    assert_eq!(classes, ["not-run", "not-run"]);
}

#[test]
fn an_abort_names_the_source_and_the_helper() {
    let resolution = resolve_with("host.example/app", r#"{"credsStore":"../x"}"#, &[]);
    let Outcome::Aborted(error) = &resolution.outcome else { panic!("it must abort") };
    let hint = error.hint().unwrap();
    assert!(hint.contains("$DOCKER_AUTH_CONFIG") && hint.contains("`../x`"), "{hint}");
}

#[test]
fn no_secret_shows_in_debug_output() {
    let document =
        r#"{"auths":{"host.example":{"auth":"dTpzM2NyM3Q="}},"credHelpers":{"x.example":"helper"}}"#;
    let resolution = resolve_with("host.example/app", document, &[]);
    assert_eq!(resolution.credential().unwrap().password.expose_secret(), "s3cr3t");
    assert!(!format!("{resolution:?}").contains("s3cr3t"));
}

/// A registry with a path of up to four components, from few words, so that paths often meet.
fn path() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "c"]);
    (
        prop::sample::select(vec!["r.example", "r.example:5000", "s.example"]),
        prop::collection::vec(word, 0..4),
    )
        .prop_map(|(host, words)| [vec![host], words].concat().join("/"))
}

fn document(keys: &[String]) -> String {
    let auths: serde_json::Map<String, serde_json::Value> =
        keys.iter().map(|key| (key.clone(), serde_json::json!({"username": key}))).collect();
    serde_json::json!({ "auths": auths }).to_string()
}

fn is_self_or_parent(parent: &str, path: &str) -> bool {
    path == parent || path.starts_with(&format!("{parent}/"))
}

proptest! {
    #[test]
    fn the_longest_path_wins(image in path(), keys in prop::collection::vec(path(), 0..8)) {
        let resolution = resolve_with(&image, &document(&keys), &[]);
        let expected = keys
            .iter()
            .filter(|key| is_self_or_parent(key, &image_path(&image)))
            .max_by_key(|key| key.len());
        prop_assert_eq!(resolution.credential().map(|found| &found.username), expected);
    }

    #[test]
    fn an_unrelated_entry_changes_nothing(image in path(), keys in prop::collection::vec(path(), 0..8), other in path()) {
        prop_assume!(!is_self_or_parent(&other, &image_path(&image)));
        let before = resolve_with(&image, &document(&keys), &[]);
        let after = resolve_with(&image, &document(&[keys, vec![other]].concat()), &[]);
        prop_assert_eq!(
            before.credential().map(|found| &found.username),
            after.credential().map(|found| &found.username)
        );
    }

    #[test]
    fn paths_are_their_own_normal_form(image in path(), tag in "(:[a-z0-9]{1,4})?") {
        let path = image_path(&format!("{image}{tag}"));
        prop_assert_eq!(image_path(&path), path.clone());
        prop_assert_eq!(registry_path(&path), path);
    }

    #[test]
    fn normal_forms_of_images_and_keys_stay_as_they_are(
        host in "(Localhost|REG.example|index.docker.io|docker.io|r.example:5000)",
        path in "(/[A-Za-z]{1,3}){1,3}",
        version in "(:[a-z0-9]{1,4})?(@sha256:[0-9a-f]{8})?",
        scheme in "(https://|HTTP://)?",
        end in "(/|:tag)?",
    ) {
        let image = image_path(&format!("{host}{path}{version}"));
        prop_assert_eq!(image_path(&image), image);
        let key = registry_path(&format!("{scheme}{host}{path}{end}"));
        prop_assert_eq!(registry_path(&key), key);
    }

    #[test]
    fn an_unrelated_entry_changes_nothing_in_any_version(
        image in path(), keys in prop::collection::vec(path(), 0..6), words in prop::collection::vec("[abc]", 0..3),
        version in prop::sample::select(vec!["12.0.0", "13.1.0", "13.4.0", "13.5.0", "17.5.0", "18.1.0", "18.3.0", "18.11.0", "19.4.0"]),
    ) {
        let runner = Runner::of_version(version.parse().expect("a version"));
        let unrelated = [vec!["unrelated.example".to_owned()], words].concat().join("/");
        let username = |keys: &[String]| {
            let document = SecretString::from(document(keys));
            let inputs = Inputs { docker_auth_config: Some(&document), ..Inputs::default() };
            let resolution = resolve_as(&runner, &image, &inputs, &mut Helpers);
            resolution.credential().map(|found| found.username.clone())
        };
        prop_assert_eq!(username(&keys), username(&[keys.clone(), vec![unrelated]].concat()));
    }

    #[test]
    fn any_text_is_resolved(image in any::<String>(), document in any::<String>()) {
        resolve_with(&image, &document, &[home("h", FileContent::Text(document.as_str().into()))]);
        registry_path(&image);
    }

    #[test]
    fn any_text_is_resolved_in_any_version(
        image: String, document: String, key in ".{0,12}", version in (12..21_u16, 0..12_u16, 0..5_u16),
    ) {
        let runner = Runner::of_version(RunnerVersion::new(version.0, version.1, version.2));
        let known = serde_json::json!({"auths": {(key.as_str()): {}}, "credsStore": key, "credHelpers": {(image.as_str()): key}});
        for text in [document, known.to_string()] {
            let text = SecretString::from(text);
            let inputs = Inputs { docker_auth_config: Some(&text), ..Inputs::default() };
            let resolution = resolve_as(&runner, &image, &inputs, &mut Helpers);
            let chosen = resolution.trace.entries.iter().filter(|entry| entry.verdict == Verdict::Chosen);
            prop_assert_eq!(chosen.count(), usize::from(resolution.credential().is_some()));
            drop(resolve_all_as(&runner, &inputs, &mut Helpers));
        }
    }

    #[test]
    fn any_values_of_known_members_are_resolved(
        store in ".{0,6}", key in ".{0,12}", suffix in ".{0,6}", auth in ".{0,12}"
    ) {
        let document = serde_json::json!({
            "auths": {(key.as_str()): {"auth": auth}},
            "credsStore": store,
            "credHelpers": {(key.as_str()): suffix},
        });
        resolve_with(&key, &document.to_string(), &[]);
    }
}
