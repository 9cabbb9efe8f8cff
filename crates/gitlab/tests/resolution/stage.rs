//! What the tests of the resolvers share: helpers without processes, and inputs in one line.

use std::collections::BTreeMap;

use ecru_gitlab::registry_auth::{
    CredentialHelpers, FileContent, HelperAnswer, HelperVerb, HomeFile, Inputs, JobCredential,
};
use secrecy::SecretString;

/// Helpers by suffix and request; what nobody planned is "not found". Keeps what it was asked.
#[derive(Default)]
pub(crate) struct Stubs {
    answers: BTreeMap<(String, String), HelperAnswer>,
    pub(crate) calls: Vec<String>,
}

impl Stubs {
    /// Helpers of which each answer stands under `suffix verb stdin`.
    pub(crate) fn answering(mut self, suffix: &str, request: &str, code: i32, stdout: &str) -> Self {
        let answer = HelperAnswer::Exited { code, stdout: stdout.into() };
        self.answers.insert((suffix.to_owned(), request.to_owned()), answer);
        self
    }

    /// A helper with credentials for one key.
    pub(crate) fn having(self, suffix: &str, key: &str, username: &str) -> Self {
        let stdout = format!(r#"{{"Username":"{username}","Secret":"s3cr3t"}}"#);
        self.answering(suffix, &format!("get {key}"), 0, &stdout)
    }
}

impl CredentialHelpers for Stubs {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        let request = format!("{} {stdin}", verb.as_str());
        self.calls.push(format!("{suffix} {request}"));
        let not_found =
            || HelperAnswer::Exited { code: 1, stdout: "credentials not found in native keychain\n".into() };
        self.answers.get(&(suffix.to_owned(), request)).cloned().unwrap_or_else(not_found)
    }
}

/// Inputs that own what the resolvers borrow.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) variable: Option<SecretString>,
    pub(crate) home_files: Vec<HomeFile>,
    pub(crate) job_credentials: Vec<JobCredential>,
}

impl Given {
    pub(crate) fn variable(text: &str) -> Self {
        Self { variable: Some(text.into()), ..Self::default() }
    }

    pub(crate) fn file(mut self, text: &str) -> Self {
        let content = FileContent::Text(text.into());
        self.home_files.push(HomeFile { path: "/home/.docker/config.json".into(), content });
        self
    }

    pub(crate) fn job_credential(mut self, url: &str, username: &str) -> Self {
        self.job_credentials.push(JobCredential {
            kind: "registry".into(),
            url: url.into(),
            username: username.into(),
            password: "p".into(),
        });
        self
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            docker_auth_config: self.variable.as_ref(),
            home_files: &self.home_files,
            job_credentials: &self.job_credentials,
        }
    }
}
