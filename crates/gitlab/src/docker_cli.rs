//! Which registry credentials the Docker command line uses for an image: inside a job, `docker pull` and `docker push`.
//!
//! Its rules are not the runner's: it asks for one registry by its host alone, asks a `credsStore` for that very host
//! instead of what the store lists, and since 28.3.0 reads the variable DOCKER_AUTH_CONFIG by stricter rules than its
//! file. Sources: docker/cli v29 `cli/command/registry.go` (`RetrieveAuthTokenFromImage`),
//! `cli/config/configfile/file.go` (`GetCredentialsStore`), `cli/config/credentials/`.

use ecru_docker::config_file::{ConfigFile, StaticAuth};
use ecru_docker::environment_auths;
use ecru_docker::reference::{ImageReference, ReferenceError};
use secrecy::{ExposeSecret, SecretString};

use crate::registry_auth::{
    CredentialHelpers, FileContent, HomeFile, Looked, Origin, RecordedHelpers, ResolvedCredential, Source,
    SourceState, Trace, Verdict, auth_of_answer,
};

/// The key under which credentials for Docker Hub stand.
pub const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// All that the Docker command line reads.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// The variable DOCKER_AUTH_CONFIG of its process.
    pub docker_auth_config: Option<&'a SecretString>,
    /// `config.json` of `$DOCKER_CONFIG`, or of `.docker` in the home directory.
    pub config_file: Option<&'a HomeFile>,
    /// Whether it is older than 28.3.0, which does not read the variable.
    pub is_before_28_3: bool,
}

/// Why `docker` fails before it asks the registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DockerCliError {
    /// The image's name is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The helper failed with something else than "not found".
    #[error("{0}")]
    Helper(String),
    /// The helper is named by a path. `docker` runs it from its working directory; nobody should.
    #[error("the helper `{suffix}` is named by a path and was not run")]
    PathNotRun {
        /// The name.
        suffix: String,
    },
}

impl DockerCliError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.hint(),
            Self::Helper(_) => None,
            Self::PathNotRun { .. } => {
                Some("write the name of the program after `docker-credential-`, without any `/`".to_owned())
            }
        }
    }
}

/// What `docker` does for one image.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It sends these credentials.
    Credential(Box<ResolvedCredential>),
    /// It sends none.
    Anonymous,
    /// It ends with an error.
    Failed(DockerCliError),
}

/// The decision for one image.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The key that was looked up; none if the image's name is none.
    pub key: Option<String>,
    /// The decision.
    pub outcome: Outcome,
    /// How it came about. Its warnings are what `docker` prints on standard error.
    pub trace: Trace,
}

/// Decides which credentials `docker pull` and `docker push` send for `image`.
pub fn resolve(image: &str, inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> Resolution {
    let mut search = Search { trace: Trace::default(), helpers: RecordedHelpers::new(helpers) };
    let (key, outcome) = match ImageReference::parse(image) {
        Ok(reference) => {
            let key = key_of(&reference);
            let outcome = search.look_up(&key, inputs);
            (Some(key), outcome)
        }
        Err(error) => (None, Outcome::Failed(error.into())),
    };
    let Search { mut trace, helpers } = search;
    trace.helper_calls = helpers.calls;
    if let Outcome::Failed(error) = &outcome {
        trace.hints.extend(error.hint());
    }
    Resolution { key, outcome, trace }
}

/// `getAuthConfigKey`: the registry's host and port, and an old address for Docker Hub.
fn key_of(reference: &ImageReference) -> String {
    match reference.registry() {
        "docker.io" => DOCKER_HUB_KEY.to_owned(),
        registry => registry.to_owned(),
    }
}

struct Search<'a> {
    trace: Trace,
    helpers: RecordedHelpers<'a>,
}

impl Search<'_> {
    fn look_up(&mut self, key: &str, inputs: &Inputs<'_>) -> Outcome {
        if let Some(auth) = self.in_environment(key, inputs) {
            self.note_unread_file(inputs.config_file);
            return credential(Source::DockerAuthConfig, key, key, auth);
        }
        let Some(file) = inputs.config_file else { return Outcome::Anonymous };
        let source = Source::HomeFile(file.path.clone());
        let Some(config) = self.config(&source, file) else { return Outcome::Anonymous };
        self.in_file(key, &source, &config)
    }

    /// The entry of the variable, which comes before everything in the file.
    fn in_environment(&mut self, key: &str, inputs: &Inputs<'_>) -> Option<StaticAuth> {
        let source = Source::DockerAuthConfig;
        let text = inputs.docker_auth_config.map(ExposeSecret::expose_secret).filter(|text| !text.is_empty());
        let Some(text) = text else {
            self.trace.note_source(source, SourceState::Absent);
            return None;
        };
        if inputs.is_before_28_3 {
            self.trace.note_source(source, SourceState::NotRead);
            return None;
        }
        let mut auths = match environment_auths::parse(text) {
            Ok(auths) => auths,
            Err(error) => {
                // Two spaces: docker prints the sentence and the error with Go's `Fprintln`.
                let warning = format!("Failed to create credential store from DOCKER_AUTH_CONFIG:  {error}");
                self.trace.warnings.push(warning);
                self.trace.hints.extend(error.hint());
                self.trace.note_source(source, SourceState::Dropped { error: error.to_string() });
                return None;
            }
        };
        self.trace.note_source(source.clone(), SourceState::Read);
        for entry in auths.keys() {
            self.note(&source, entry, Origin::Static, chosen_if(entry == key));
        }
        auths.remove(key)
    }

    fn note_unread_file(&mut self, file: Option<&HomeFile>) {
        if let Some(file) = file {
            self.trace.note_source(Source::HomeFile(file.path.clone()), SourceState::NotRead);
        }
    }

    /// The file's content. `docker` warns of a file that it cannot read, and goes on (`cli/config/config.go`,
    /// `LoadDefaultConfigFile`); here without anything of it, where `docker` keeps what it had decoded by then.
    fn config(&mut self, source: &Source, file: &HomeFile) -> Option<ConfigFile> {
        let path = &file.path;
        let (doing, error) = match &file.content {
            FileContent::NotFound => {
                self.trace.note_source(source.clone(), SourceState::Absent);
                return None;
            }
            FileContent::OpenFailed(error) => {
                ("loading config file".to_owned(), format!("open {path}: {}", in_go_words(error)))
            }
            FileContent::ReadFailed(error) => {
                (format!("parsing config file ({path})"), format!("read {path}: {}", in_go_words(error)))
            }
            FileContent::Text(text) => match ConfigFile::parse(text.expose_secret()) {
                Ok(config) => {
                    self.trace.note_source(source.clone(), SourceState::Read);
                    return Some(config);
                }
                Err(error) => {
                    self.trace.hints.extend(error.hint());
                    (format!("parsing config file ({path})"), error.to_string())
                }
            },
        };
        self.trace.warnings.push(format!("WARNING: Error {doing}: {error}"));
        self.trace.note_source(source.clone(), SourceState::Dropped { error });
        None
    }

    /// The registry's own helper, else the store, else the entry of `auths`. A helper's answer takes the place of
    /// the entry even if it has nothing; only the entry's registry token stays.
    fn in_file(&mut self, key: &str, source: &Source, config: &ConfigFile) -> Outcome {
        let of_key = config.credential_helpers.get(key);
        let helper = of_key.or(config.credentials_store.as_ref()).filter(|suffix| !suffix.is_empty());
        let stored = config.stored_auth(key);
        let Some(suffix) = helper else {
            self.note_auths(source, config, stored.map(|(key, _)| (key, Verdict::Chosen)));
            return match stored {
                Some((entry, auth)) => credential(source.clone(), key, entry, auth.clone()),
                None => Outcome::Anonymous,
            };
        };
        let origin = match of_key {
            Some(_) => Origin::Helper { suffix: suffix.clone() },
            None => Origin::Store { suffix: suffix.clone() },
        };
        let replaced = Verdict::Replaced { by: origin.clone() };
        self.note_auths(source, config, stored.map(|(key, _)| (key, replaced)));
        if suffix.contains('/') {
            self.note(source, key, origin, Verdict::DroppedTheSource);
            self.trace.unknown.push(format!(
                "`docker` would run `docker-credential-{suffix}` from its working directory; here it is taken to fail"
            ));
            return Outcome::Failed(DockerCliError::PathNotRun { suffix: suffix.clone() });
        }
        let registry_token = stored.map(|(_, auth)| auth.registry_token.clone()).unwrap_or_default();
        match self.helpers.get(suffix, key) {
            Ok(Looked::Found(found)) => {
                self.note(source, key, origin, Verdict::Chosen);
                let auth = StaticAuth { registry_token, ..auth_of_answer(found) };
                credential(source.clone(), key, key, auth)
            }
            Ok(Looked::NotFound) => {
                self.note(source, key, origin, Verdict::NotFound);
                Outcome::Anonymous
            }
            Ok(Looked::NotRun) => {
                self.note(source, key, origin, Verdict::Chosen);
                let assumed = resolved(source.clone(), key, key, StaticAuth::default());
                Outcome::Credential(Box::new(ResolvedCredential { is_assumed: true, ..assumed }))
            }
            Err(error) => {
                self.note(source, key, origin, Verdict::DroppedTheSource);
                Outcome::Failed(DockerCliError::Helper(error.to_string()))
            }
        }
    }

    fn note_auths(&mut self, source: &Source, config: &ConfigFile, taken: Option<(&str, Verdict)>) {
        for key in config.auths.keys() {
            let verdict = match &taken {
                Some((name, verdict)) if name == key => verdict.clone(),
                _ => Verdict::OtherPath,
            };
            self.note(source, key, Origin::Static, verdict);
        }
    }

    fn note(&mut self, source: &Source, key: &str, origin: Origin, verdict: Verdict) {
        self.trace.note_entry(source, key, key.to_owned(), origin, verdict);
    }
}

/// What the system says, as Go prints it.
fn in_go_words(error: &str) -> String {
    error.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn chosen_if(is_chosen: bool) -> Verdict {
    if is_chosen { Verdict::Chosen } else { Verdict::OtherPath }
}

/// An entry without anything in it is sent as an anonymous pull is.
fn credential(source: Source, key: &str, entry: &str, auth: StaticAuth) -> Outcome {
    let credential = resolved(source, key, entry, auth);
    if credential.is_empty() { Outcome::Anonymous } else { Outcome::Credential(Box::new(credential)) }
}

fn resolved(source: Source, key: &str, entry: &str, auth: StaticAuth) -> ResolvedCredential {
    ResolvedCredential {
        path: key.to_owned(),
        source,
        server_address: entry.to_owned(),
        username: auth.username,
        password: auth.password,
        identity_token: auth.identity_token,
        registry_token: auth.registry_token,
        is_assumed: false,
    }
}
