//! The Docker command line's own choice of credentials, as inside a job.

use super::stage::Stubs;
use ecru_gitlab::docker_cli::{Inputs, Outcome, Resolution, resolve};
use ecru_gitlab::registry_auth::{FileContent, HomeFile, Source, SourceState, Verdict};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

const ECR: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

fn look_up(image: &str, variable: Option<&str>, file: Option<&str>, helpers: &mut Stubs) -> Resolution {
    let variable = variable.map(SecretString::from);
    let file = file.map(|text| HomeFile {
        path: "/root/.docker/config.json".into(),
        content: FileContent::Text(text.into()),
    });
    let inputs =
        Inputs { docker_auth_config: variable.as_ref(), config_file: file.as_ref(), is_before_28_3: false };
    resolve(image, &inputs, helpers)
}

fn user(resolution: &Resolution) -> Option<&str> {
    match &resolution.outcome {
        Outcome::Credential(credential) => Some(credential.username.as_str()),
        _ => None,
    }
}

#[test]
fn a_store_is_asked_for_the_registry_itself_and_never_for_a_list() {
    let mut helpers = Stubs::default().having("ecr-login", ECR, "AWS");
    let config = r#"{"credsStore":"ecr-login"}"#;
    let resolution = look_up(&format!("{ECR}/team/app:1"), None, Some(config), &mut helpers);
    assert_eq!(user(&resolution), Some("AWS"));
    assert_eq!(helpers.calls, [format!("ecr-login get {ECR}")]);
}

#[test]
fn only_the_registry_s_own_helper_runs() {
    let mut helpers = Stubs::default().having("own", ECR, "AWS");
    let config =
        format!(r#"{{"credsStore":"store","credHelpers":{{"{ECR}":"own","other.example":"other"}}}}"#);
    let resolution = look_up(&format!("{ECR}/a"), None, Some(&config), &mut helpers);
    assert_eq!(user(&resolution), Some("AWS"));
    assert_eq!(helpers.calls, [format!("own get {ECR}")]);
}

#[test]
fn keys_with_a_path_or_another_case_are_no_registry_s() {
    let config = format!(r#"{{"credHelpers":{{"{ECR}/team":"own","{}":"own"}}}}"#, ECR.to_uppercase());
    let mut helpers = Stubs::default();
    assert!(matches!(
        look_up(&format!("{ECR}/team/app"), None, Some(&config), &mut helpers).outcome,
        Outcome::Anonymous
    ));
    assert!(helpers.calls.is_empty());
}

#[test]
fn docker_hub_stands_under_its_old_address() {
    let config =
        r#"{"auths":{"https://index.docker.io/v1/":{"username":"hub"},"docker.io":{"username":"no"}}}"#;
    for image in ["alpine", "docker.io/library/alpine:3", "index.docker.io/team/app"] {
        let resolution = look_up(image, None, Some(config), &mut Stubs::default());
        assert_eq!(
            (user(&resolution), resolution.key.as_deref()),
            (Some("hub"), Some("https://index.docker.io/v1/"))
        );
    }
}

#[test]
fn an_entry_is_found_by_the_host_of_its_url() {
    let config = r#"{"auths":{"https://one.example:5000/v1/":{"username":"one"}}}"#;
    let resolution = look_up("one.example:5000/a", None, Some(config), &mut Stubs::default());
    assert_eq!(user(&resolution), Some("one"));
    assert_eq!(resolution.trace.entries[0].verdict, Verdict::Chosen);
}

#[test]
fn the_variable_comes_before_the_file_and_its_helpers() {
    let variable = format!(r#"{{"auths":{{"{ECR}":{{"auth":"dTpw"}}}}}}"#);
    let config = format!(r#"{{"credHelpers":{{"{ECR}":"own"}}}}"#);
    let mut helpers = Stubs::default();
    let resolution = look_up(&format!("{ECR}/a"), Some(&variable), Some(&config), &mut helpers);
    let Outcome::Credential(credential) = &resolution.outcome else { panic!("{resolution:?}") };
    assert_eq!((&credential.source, credential.password.expose_secret()), (&Source::DockerAuthConfig, "p"));
    assert!(helpers.calls.is_empty());
    assert!(resolution.trace.sources.iter().any(|source| source.state == SourceState::NotRead));
    let other = look_up("other.example/a", Some(&variable), Some(&config), &mut helpers);
    assert!(matches!(other.outcome, Outcome::Anonymous));
}

#[test]
fn a_variable_for_the_runner_is_refused_with_a_warning_and_the_file_counts() {
    let variable = format!(r#"{{"credHelpers":{{"{ECR}":"ecr-login"}}}}"#);
    let config = format!(r#"{{"auths":{{"{ECR}":{{"username":"file"}}}}}}"#);
    let resolution = look_up(&format!("{ECR}/a"), Some(&variable), Some(&config), &mut Stubs::default());
    assert_eq!(user(&resolution), Some("file"));
    assert_eq!(
        resolution.trace.warnings,
        [r#"Failed to create credential store from DOCKER_AUTH_CONFIG:  json: unknown field "credHelpers""#]
    );
    assert!(resolution.trace.hints[0].contains("GitLab Runner alone"));
}

#[test]
fn before_28_3_the_variable_is_not_read() {
    let variable = SecretString::from(r#"{"auths":{"one.example":{"auth":"dTpw"}}}"#);
    let inputs = Inputs { docker_auth_config: Some(&variable), is_before_28_3: true, ..Inputs::default() };
    let resolution = resolve("one.example/a", &inputs, &mut Stubs::default());
    assert!(matches!(resolution.outcome, Outcome::Anonymous));
    assert_eq!(resolution.trace.sources[0].state, SourceState::NotRead);
}

#[test]
fn a_failing_helper_fails_the_command() {
    let mut helpers = Stubs::default().answering("h", &format!("get {ECR}"), 1, "AccessDenied\n");
    let config = r#"{"auths":{"x.example":{}},"credsStore":"h"}"#;
    let resolution = look_up(&format!("{ECR}/a"), None, Some(config), &mut helpers);
    let Outcome::Failed(error) = &resolution.outcome else { panic!("{resolution:?}") };
    assert_eq!(error.to_string(), "error getting credentials - err: exit status 1, out: `AccessDenied`");
}

#[test]
fn a_helper_named_by_a_path_is_not_run() {
    let mut helpers = Stubs::default();
    let resolution = look_up("one.example/a", None, Some(r#"{"credsStore":"../x"}"#), &mut helpers);
    assert!(matches!(resolution.outcome, Outcome::Failed(_)) && helpers.calls.is_empty());
    assert!(resolution.trace.unknown[0].contains("`docker-credential-../x` from its working directory"));
    assert!(resolution.trace.hints[0].contains("without any `/`"));
}

#[test]
fn not_found_is_anonymous_whatever_the_file_has() {
    let config = format!(r#"{{"auths":{{"{ECR}":{{"username":"file"}}}},"credsStore":"h"}}"#);
    let resolution = look_up(&format!("{ECR}/a"), None, Some(&config), &mut Stubs::default());
    assert!(matches!(resolution.outcome, Outcome::Anonymous));
    let verdicts: Vec<&Verdict> = resolution.trace.entries.iter().map(|entry| &entry.verdict).collect();
    assert!(matches!(verdicts[..], [Verdict::Replaced { .. }, Verdict::NotFound]), "{verdicts:?}");
}

#[test]
fn a_broken_file_is_warned_of_and_a_broken_name_is_refused() {
    let resolution = look_up("one.example/a", None, Some("{"), &mut Stubs::default());
    assert_eq!(
        resolution.trace.warnings,
        ["WARNING: Error parsing config file (/root/.docker/config.json): unexpected EOF"]
    );
    assert!(matches!(resolution.outcome, Outcome::Anonymous));
    let refused = look_up("https://one.example/a", None, None, &mut Stubs::default());
    assert!(matches!(refused.outcome, Outcome::Failed(_)) && refused.key.is_none());
    assert!(refused.trace.hints[0].contains("scheme"));
}

#[test]
fn a_file_that_cannot_be_opened_is_warned_of_in_go_s_words() {
    let content = FileContent::OpenFailed("Permission denied (os error 13)".into());
    let file = HomeFile { path: "/root/.docker/config.json".into(), content };
    let inputs = Inputs { config_file: Some(&file), ..Inputs::default() };
    let resolution = resolve("one.example/a", &inputs, &mut Stubs::default());
    let expected = "WARNING: Error loading config file: open /root/.docker/config.json: permission denied";
    assert_eq!(resolution.trace.warnings, [expected]);
}

proptest! {
    #[test]
    fn any_text_is_resolved(image: String, variable: String, file: String) {
        look_up(&image, Some(&variable), Some(&file), &mut Stubs::default());
        look_up("one.example/a", Some(&variable), Some(&file), &mut Stubs::default());
    }
}
