//! The resolver against cases that were run through GitLab Runner v19.3.0 itself.

use std::collections::BTreeMap;

use ecru_gitlab::registry_auth::{
    AllCredentials, CredentialHelpers, FileContent, HOME_FILES, HelperAnswer, HelperVerb, HomeFile, Inputs,
    JobCredential, Outcome, ResolvedCredential, SourceState, image_path, registry_path, resolve, resolve_all,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    resolve: Vec<ResolveCase>,
    resolve_all: Vec<ResolveAllCase>,
    image_path: Vec<ImagePathCase>,
    registry_path: Vec<RegistryPathCase>,
    home_lookup: Vec<HomeLookupCase>,
}

#[derive(Deserialize)]
struct ResolveCase {
    id: String,
    input: Input,
    expected: Expected,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    image: String,
    docker_auth_config: Option<String>,
    home_files: BTreeMap<String, String>,
    job_credentials: Vec<Payload>,
    #[serde(default)]
    helpers: BTreeMap<String, Helper>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Helper {
    #[serde(default)]
    get: BTreeMap<String, Answer>,
    list: Option<Answer>,
}

#[derive(Deserialize, Clone)]
struct Answer {
    exit: i32,
    stdout: String,
}

#[derive(Deserialize)]
struct Expected {
    error: Option<String>,
    result: Option<Credential>,
    warning_contains: Vec<String>,
    helper_calls: Option<Vec<Call>>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Credential {
    path: String,
    source: String,
    server_address: String,
    username: String,
    password: String,
    identity_token: String,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Call {
    helper: String,
    verb: String,
    stdin: String,
}

#[derive(Deserialize)]
struct ResolveAllCase {
    id: String,
    input: Input,
    expected: Vec<Credential>,
}

#[derive(Deserialize)]
struct ImagePathCase {
    image: String,
    path: String,
}

#[derive(Deserialize)]
struct RegistryPathCase {
    key: String,
    path: String,
}

#[derive(Deserialize)]
struct HomeLookupCase {
    id: String,
    files: BTreeMap<String, String>,
    expected: HomeLookup,
}

#[derive(Deserialize)]
struct HomeLookup {
    error: Option<String>,
    file: String,
    auths: Vec<HomeAuth>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct HomeAuth {
    server_address: String,
    username: String,
    password: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/gitlab-auth.json")).expect("the vectors have this form")
}

/// Answers as the helpers of one case do.
struct StubHelpers<'a>(&'a BTreeMap<String, Helper>);

impl CredentialHelpers for StubHelpers<'_> {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let Some(helper) = self.0.get(suffix) else { return HelperAnswer::NotOnPath };
        let answer = match verb {
            HelperVerb::Get => helper.get.get(stdin).or_else(|| helper.get.get("*")),
            HelperVerb::List => helper.list.as_ref(),
        };
        let Answer { exit, stdout } = answer.expect("the case says what the helper answers").clone();
        HelperAnswer::Exited { code: exit, stdout: stdout.into() }
    }
}

struct OwnedInputs {
    docker_auth_config: Option<SecretString>,
    home_files: Vec<HomeFile>,
    job_credentials: Vec<JobCredential>,
}

impl OwnedInputs {
    fn of(input: &Input) -> Self {
        Self {
            docker_auth_config: input.docker_auth_config.as_deref().map(Into::into),
            home_files: home_files(&input.home_files),
            job_credentials: input.job_credentials.iter().map(job_credential).collect(),
        }
    }

    fn borrowed(&self) -> Inputs<'_> {
        Inputs {
            docker_auth_config: self.docker_auth_config.as_ref(),
            home_files: &self.home_files,
            job_credentials: &self.job_credentials,
        }
    }
}

fn home_files(files: &BTreeMap<String, String>) -> Vec<HomeFile> {
    let file = |name: &str| HomeFile {
        path: format!("$HOME/{name}"),
        content: files
            .get(name)
            .map_or(FileContent::NotFound, |text| FileContent::Text(text.as_str().into())),
    };
    HOME_FILES.map(file).into()
}

fn job_credential(payload: &Payload) -> JobCredential {
    JobCredential {
        kind: payload.kind.clone(),
        url: payload.url.clone(),
        username: payload.username.clone(),
        password: payload.password.as_str().into(),
    }
}

fn revealed(credential: &ResolvedCredential) -> Credential {
    Credential {
        path: credential.path.clone(),
        source: credential.source.to_string(),
        server_address: credential.server_address.clone(),
        username: credential.username.clone(),
        password: credential.password.expose_secret().to_owned(),
        identity_token: credential.identity_token.expose_secret().to_owned(),
    }
}

#[test]
fn one_image_is_resolved_as_the_runner_does() {
    let cases = vectors().resolve;
    assert!(cases.len() > 30, "the vectors were cut");
    for ResolveCase { id, input, expected } in cases {
        let inputs = OwnedInputs::of(&input);
        let resolution = resolve(&input.image, &inputs.borrowed(), &mut StubHelpers(&input.helpers));

        let error = match &resolution.outcome {
            Outcome::Aborted(error) => Some(error.to_string()),
            _ => None,
        };
        assert_eq!(error, expected.error, "{id}: error");
        assert_eq!(resolution.credential().map(revealed), expected.result, "{id}: result");

        let warnings = &resolution.trace.warnings;
        assert_eq!(warnings.len(), usize::from(!expected.warning_contains.is_empty()), "{id}: {warnings:?}");
        for part in &expected.warning_contains {
            assert!(warnings.iter().any(|warning| warning.contains(part)), "{id}: {part:?} in {warnings:?}");
        }
        if let Some(expected_calls) = expected.helper_calls {
            let calls: Vec<Call> = resolution
                .trace
                .helper_calls
                .into_iter()
                .map(|call| Call { helper: call.suffix, verb: call.verb.as_str().into(), stdin: call.stdin })
                .collect();
            assert_eq!(calls, expected_calls, "{id}: helper calls");
        }
    }
}

#[test]
fn all_credentials_are_listed_as_the_runner_does() {
    for ResolveAllCase { id, input, expected } in vectors().resolve_all {
        let inputs = OwnedInputs::of(&input);
        let AllCredentials { outcome, .. } =
            resolve_all(&inputs.borrowed(), &mut StubHelpers(&input.helpers));
        let credentials: Vec<Credential> = outcome.unwrap().iter().map(revealed).collect();
        assert_eq!(credentials, expected, "{id}");
    }
}

#[test]
fn images_have_the_paths_that_the_runner_looks_up() {
    for ImagePathCase { image, path } in vectors().image_path {
        assert_eq!(image_path(&image), path, "for {image}");
    }
}

#[test]
fn keys_have_the_paths_that_the_runner_stores() {
    for RegistryPathCase { key, path } in vectors().registry_path {
        assert_eq!(registry_path(&key), path, "for {key}");
    }
}

#[test]
fn home_files_are_found_as_the_runner_does() {
    for HomeLookupCase { id, files, expected } in vectors().home_lookup {
        let home_files = home_files(&files);
        let inputs = Inputs { home_files: &home_files, ..Inputs::default() };
        let AllCredentials { outcome, trace } = resolve_all(&inputs, &mut StubHelpers(&BTreeMap::new()));

        assert_eq!(expected.error, None, "{id}: no case expects an error");
        let read = trace
            .sources
            .iter()
            .find(|source| source.state == SourceState::Read)
            .map(|source| source.source.to_string());
        assert_eq!(read.unwrap_or_default(), expected.file, "{id}");
        let auths: Vec<HomeAuth> = outcome
            .unwrap()
            .iter()
            .map(|credential| HomeAuth {
                server_address: credential.server_address.clone(),
                username: credential.username.clone(),
                password: credential.password.expose_secret().to_owned(),
            })
            .collect();
        assert_eq!(auths, expected.auths, "{id}");
    }
}
