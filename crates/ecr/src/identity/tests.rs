//! Equal configurations have equal fingerprints, and others never do.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use tempfile::TempDir;

use super::selection::{IdentitySource, Settings};
use super::*;

/// A home directory and a machine.
struct Host {
    folder: TempDir,
}

impl Host {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn identity(&self, variables: &[(&str, &str)]) -> Identity {
        self.selected(&Selection::default(), variables)
    }

    fn selected(&self, selection: &Selection, variables: &[(&str, &str)]) -> Identity {
        let home = self.folder.path().to_str().unwrap();
        let environment =
            Environment::from_map([("HOME", home)].into_iter().chain(variables.iter().copied()));
        let machine =
            MachineFiles { machine_id: self.path("machine-id"), asset_tag: self.path("board_asset_tag") };
        Identity::selected(selection, &environment, &machine)
    }

    fn fingerprint(&self, variables: &[(&str, &str)]) -> Fingerprint {
        self.identity(variables).fingerprint()
    }
}

fn token(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn what_does_not_select_an_identity_does_not_matter() {
    let host = Host::new();
    let plain = host.fingerprint(&[]);
    for variables in [
        [("AWS_REGION", "eu-central-1")],
        [("AWS_SESSION_TOKEN", "x")],
        [("AWS_SECRET_ACCESS_KEY", "x")],
        // The SDK wants both halves of a key.
        [("AWS_ACCESS_KEY_ID", "x")],
        [("AWS_MAX_ATTEMPTS", "1")],
        [("PATH", "/bin")],
    ] {
        assert_eq!(host.fingerprint(&variables), plain, "{variables:?}");
    }
    let other_home = host.path("home");
    assert_eq!(host.fingerprint(&[("HOME", other_home.to_str().unwrap())]), plain);
}

#[test]
fn every_variable_that_selects_an_identity_matters() {
    let host = Host::new();
    let mut seen = vec![host.fingerprint(&[])];
    for variable in VARIABLES {
        for value in ["a", "b"] {
            seen.push(host.fingerprint(&[(variable, value)]));
        }
    }
    for key in ["a", "b"] {
        seen.push(host.fingerprint(&[("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", "x")]));
        seen.push(host.fingerprint(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", key)]));
    }
    let count = seen.len();
    seen.sort_by_key(|fingerprint| fingerprint.0);
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[test]
fn older_names_matter_as_the_usual_ones_do() {
    let host = Host::new();
    let plain = host.fingerprint(&[]);
    let profile = host.fingerprint(&[("AWS_DEFAULT_PROFILE", "a")]);
    assert_eq!(profile, host.fingerprint(&[("AWS_PROFILE", "a")]));
    let keys = host.fingerprint(&[("AWS_ACCESS_KEY", "a"), ("AWS_SECRET_KEY", "x")]);
    assert_eq!(keys, host.fingerprint(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "x")]));
    assert!(profile != plain && keys != plain);
}

#[test]
fn the_content_of_the_shared_files_matters_wherever_they_are() {
    let host = Host::new();
    let none = host.fingerprint(&[]);
    host.write(".aws/config", "[default]\nrole_arn = a");
    let first = host.fingerprint(&[]);
    host.write(".aws/config", "[default]\nrole_arn = b");
    let second = host.fingerprint(&[]);
    assert!(none != first && first != second);

    host.write("elsewhere", "[default]\nrole_arn = a");
    let elsewhere = host.path("elsewhere");
    assert_eq!(host.fingerprint(&[("AWS_CONFIG_FILE", elsewhere.to_str().unwrap())]), first);
    assert_eq!(host.fingerprint(&[("AWS_CONFIG_FILE", "~/elsewhere")]), first);
    // The same content means something else as a credentials file.
    let as_credentials =
        host.fingerprint(&[("AWS_CONFIG_FILE", "/none"), ("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere")]);
    assert!(as_credentials != first && as_credentials != none);
}

#[test]
fn with_shared_files_the_home_directory_matters() {
    let (a, b) = (Host::new(), Host::new());
    assert_eq!(a.fingerprint(&[]), b.fingerprint(&[]));
    a.write(".aws/config", "[default]");
    b.write(".aws/config", "[default]");
    assert_ne!(a.fingerprint(&[]), b.fingerprint(&[]));
}

#[test]
fn machines_are_told_apart() {
    let (a, b) = (Host::new(), Host::new());
    a.write("machine-id", "1").write("board_asset_tag", "i-1");
    b.write("machine-id", "1").write("board_asset_tag", "i-2");
    assert_ne!(a.fingerprint(&[]), b.fingerprint(&[]));
    a.write("machine-id", "1i").write("board_asset_tag", "-1");
    b.write("machine-id", "1").write("board_asset_tag", "i-1");
    assert_ne!(a.fingerprint(&[]), b.fingerprint(&[]));
    // With a key in the environment no machine is asked.
    let key = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")];
    assert_eq!(a.fingerprint(&key), b.fingerprint(&key));
    assert_ne!(a.fingerprint(&key[..1]), b.fingerprint(&key[..1]), "half of a key is none");
    let selection = Settings { source: Some(IdentitySource::Instance), ..Settings::default() };
    let selection = Selection::new(selection).unwrap();
    assert_ne!(
        a.selected(&selection, &key).fingerprint(),
        b.selected(&selection, &key).fingerprint(),
        "the key is not looked at"
    );
}

#[test]
fn a_renewed_token_keeps_its_identity_and_another_subject_does_not() {
    let host = Host::new();
    let path = host.path("token");
    for variable in TOKEN_FILES {
        let variables = [(variable, path.to_str().unwrap())];
        let with = |content: &str| {
            host.write("token", content);
            host.fingerprint(&variables)
        };
        let first = with(&token(r#"{"iss":"i","sub":"project:a","exp":1}"#));
        assert_eq!(with(&format!("{}\n", token(r#"{"iss":"i","sub":"project:a","exp":2}"#))), first);
        assert_ne!(with(&token(r#"{"iss":"i","sub":"project:b","exp":1}"#)), first);
        assert_ne!(with(&token(r#"{"iss":"j","sub":"project:a","exp":1}"#)), first);
        assert_ne!(with("opaque 1"), with("opaque 2"));
    }
}

#[test]
fn the_token_file_of_a_profile_is_part_of_the_identity() {
    let host = Host::new();
    let file = host.path("token").to_str().unwrap().to_owned();
    for place in [".aws/config", ".aws/credentials"] {
        host.write(place, format!("[default]\nrole_arn = arn:x\nweb_identity_token_file = {file} # of CI\n"));
        let with = |content: &str| {
            host.write("token", content);
            host.fingerprint(&[])
        };
        let first = with(&token(r#"{"iss":"i","sub":"project:a","exp":1}"#));
        assert_eq!(with(&token(r#"{"iss":"i","sub":"project:a","exp":2}"#)), first);
        assert_ne!(with(&token(r#"{"iss":"i","sub":"project:b","exp":1}"#)), first);
        assert!(host.identity(&[]).is_known());
        std::fs::remove_file(&file).unwrap();
        assert_ne!(host.fingerprint(&[]), first);
        std::fs::create_dir(&file).unwrap();
        assert!(!host.identity(&[]).is_known(), "not to be read as a file");
        std::fs::remove_dir(&file).unwrap();
        host.write(place, "");
    }
}

#[test]
fn each_of_many_profiles_may_have_a_token_file_of_its_own() {
    let host = Host::new();
    let profiles = |count: usize| -> String {
        (0..count).map(|n| format!("[profile p{n}]\nweb_identity_token_file = /nonexistent/{n}\n")).collect()
    };
    host.write(".aws/config", profiles(MAX_TOKEN_FILES));
    assert!(host.identity(&[]).is_known());
    host.write(".aws/config", profiles(MAX_TOKEN_FILES + 1));
    let identity = host.identity(&[]);
    assert!(!identity.is_known());
    assert_eq!(identity.unknown(), Some("the profiles name more than 256 files with tokens"));
}

#[test]
fn where_a_process_answers_all_variables_count() {
    let host = Host::new();
    host.write(".aws/config", "[default]\nregion = eu-central-1\n");
    assert_eq!(host.fingerprint(&[("WHO", "00")]), host.fingerprint(&[("WHO", "01")]));
    host.write(".aws/config", "[default]\ncredential_process = /bin/keys\n");
    let zero = host.fingerprint(&[("WHO", "00")]);
    assert_ne!(host.fingerprint(&[("WHO", "01")]), zero);
    assert_ne!(host.fingerprint(&[("WHO", "00"), ("AWS_REGION", "eu-west-1")]), zero);
    assert_eq!(host.fingerprint(&[("SHLVL", "2"), ("WHO", "00"), ("_", "/bin/sh")]), zero);
    assert!(host.identity(&[]).is_known());
}

#[test]
fn the_process_of_a_selected_profile_sees_what_the_selection_takes_from_the_sdk() {
    let host = Host::new();
    let settings = selection::Settings { profile: Some("proc".to_owned()), ..selection::Settings::default() };
    let selection = Selection::new(settings).unwrap();
    let with = |variables: &[(&str, &str)]| host.selected(&selection, variables).fingerprint();
    let names = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_PROFILE",
    ];
    host.write(".aws/config", "[profile proc]\nregion = eu-central-1\n");
    for name in names {
        assert_eq!(with(&[(name, "one")]), with(&[(name, "two")]), "{name} without a process");
    }
    host.write(".aws/config", "[profile proc]\ncredential_process = /bin/keys\n");
    for name in names {
        assert_ne!(with(&[(name, "one")]), with(&[(name, "two")]), "{name}");
    }
    let file = host.path("token").to_str().unwrap().to_owned();
    let about = |claims: &str| {
        host.write("token", token(claims));
        with(&[("AWS_WEB_IDENTITY_TOKEN_FILE", &file)])
    };
    let first = about(r#"{"iss":"i","sub":"project:a","exp":1}"#);
    assert_eq!(about(r#"{"iss":"i","sub":"project:a","exp":2}"#), first);
    assert_ne!(about(r#"{"iss":"i","sub":"project:b","exp":1}"#), first);
}

#[test]
fn an_identity_that_cannot_be_seen_whole_is_not_known() {
    let host = Host::new();
    assert!(host.identity(&[]).is_known());
    assert!(host.identity(&[("AWS_CONFIG_FILE", "/dev/null")]).is_known());
    let identity = host.identity(&[("AWS_CONFIG_FILE", "/dev/zero")]);
    assert!(!identity.is_known());
    assert_eq!(identity.unknown(), Some("`/dev/zero` cannot be looked at: it is not a regular file"));
    host.write(".aws/credentials", vec![b'#'; MAX_FILE_BYTES + 1]);
    assert!(!host.identity(&[]).is_known());
}

#[test]
fn debug_output_shows_no_values() {
    let host = Host::new();
    let identity = host.identity(&[("AWS_ACCESS_KEY_ID", "AKIAMARKER"), ("AWS_SECRET_ACCESS_KEY", "marker")]);
    let debug = format!("{identity:?}");
    assert!(debug.contains("AWS_ACCESS_KEY_ID") && !debug.to_lowercase().contains("marker"), "{debug}");
}

/// Inputs whose names and values are made of so few letters that any ambiguity of the canonical form would show.
fn inputs() -> impl Strategy<Value = BTreeMap<&'static str, Vec<u8>>> {
    let names = prop::sample::select(vec!["", "a", "b", "aa", "ab"]);
    let values = prop::collection::vec(prop::sample::select(vec![0, 1, b'a', b'b']), 0..4);
    prop::collection::btree_map(names, values, 0..4)
}

proptest! {
    #[test]
    fn the_canonical_form_is_unambiguous(a in inputs(), b in inputs()) {
        let a = Identity { inputs: a, unknown: None };
        let b = Identity { inputs: b, unknown: None };
        prop_assert_eq!(a == b, a.canonical() == b.canonical());
        prop_assert_eq!(a == b, a.fingerprint() == b.fingerprint());
    }

    #[test]
    fn any_token_has_a_subject(content: Vec<u8>, claims: String) {
        let _ = subject::of(&content);
        prop_assert_eq!(subject::of(token(&claims).as_bytes()).is_empty(), false);
    }
}

fn role() -> impl Strategy<Value = selection::RoleSettings> {
    let arn = prop::sample::select(vec!["a", "b", "a/b"]);
    let text = || prop::option::of(prop::sample::select(vec!["aa", "ab"]));
    (arn, text(), text()).prop_map(|(name, external_id, session_name)| selection::RoleSettings {
        role_arn: format!("arn:aws:iam::000000000001:role/{name}"),
        external_id: external_id.map(str::to_owned),
        session_name: session_name.map(str::to_owned),
    })
}

/// Random selections, of so few words that equal ones come up as well.
fn selections() -> impl Strategy<Value = Selection> {
    use selection::IdentitySource as Source;
    let word = || prop::option::of(prop::sample::select(vec!["aa", "ab"]));
    let source = prop::option::of(prop::sample::select(vec![
        Source::Environment,
        Source::Profile,
        Source::WebIdentity,
        Source::Container,
        Source::Instance,
    ]));
    let roles = prop::collection::vec(role(), 0..3);
    (word(), source, word(), roles).prop_filter_map("a valid selection", |(profile, source, token, roles)| {
        let mut roles = roles.into_iter();
        Selection::new(selection::Settings {
            profile: profile.map(str::to_owned),
            source,
            identity_token_env: token.map(str::to_owned),
            role: roles.next(),
            chain: roles.collect(),
        })
        .ok()
    })
}

proptest! {
    #[test]
    fn two_selections_never_meet(a in selections(), b in selections(), key in "[ab]", token in "[ab]") {
        let nowhere = MachineFiles { machine_id: "/nonexistent".into(), asset_tag: "/nonexistent".into() };
        let variables = [("AWS_ACCESS_KEY_ID", key.as_str()), ("AWS_SECRET_ACCESS_KEY", "s"), ("aa", &token)];
        let environment = Environment::from_map(variables);
        let fingerprint = |selection| Identity::selected(selection, &environment, &nowhere).fingerprint();
        prop_assert_eq!(a == b, fingerprint(&a) == fingerprint(&b));
        let other = Environment::from_map([("aa", "c"), ("AWS_ACCESS_KEY_ID", "c"), ("AWS_SECRET_ACCESS_KEY", "s")]);
        let of_other = Identity::selected(&a, &other, &nowhere).fingerprint();
        let depends = a.token_variable() == Some("aa")
            || matches!(a.source(), None | Some(selection::IdentitySource::Environment));
        prop_assert_eq!(depends, fingerprint(&a) != of_other);
    }
}
