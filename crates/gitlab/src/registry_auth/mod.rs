//! Which registry credentials GitLab Runner uses for an image, and why.
//!
//! The rules are those of GitLab Runner v19.3.0 (`helpers/docker/auth/auth.go`, with docker/cli v29.7.2 and
//! docker-credential-helpers v0.9.8): three sources in a fixed order, each read to its end without knowing the
//! image; the first entry for a path wins, and of the paths that match the image the longest. One error drops a
//! whole source. `tests/vectors/gitlab-auth.json` holds cases that were run through that very code. Other versions
//! since v12.0.0 differ as `rules` says; what is not known of one is told in [`Trace::unknown`].

mod collect;
mod document;
mod helpers;
mod judge;
mod paths;
mod rules;
mod trace;
mod version;

use std::fmt;

use ecru_docker::reference::ReferenceError;
use secrecy::{ExposeSecret as _, SecretString};

pub use helpers::{
    CredentialHelpers, HelperAnswer, HelperCall, HelperError, HelperExit, HelperVerb, StdoutClass,
};
pub use paths::{image_path, registry_path};
pub use trace::{Entry, Origin, Source, SourceState, SourceTrace, Trace, Verdict};
pub use version::{RunnerVersion, VersionError};

use collect::Collected;
use rules::Rules;

pub(crate) use document::auth as auth_of_answer;
pub(crate) use helpers::{Looked, RecordedHelpers};

/// The files below the home directory of the runner's process that are looked at, in this order.
///
/// `DOCKER_CONFIG` of the process is not, nor is `DOCKER_AUTH_CONFIG` of the process.
pub const HOME_FILES: [&str; 2] = [".docker/config.json", ".dockercfg"];

/// The runner that decides: by default the newest whose rules are known in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runner {
    /// Its version.
    pub version: RunnerVersion,
    /// Whether its setting `allowed_docker_credential_helpers` permits the helpers that a job's DOCKER_AUTH_CONFIG
    /// names. Versions without that setting run them all.
    pub permits_helpers_of_jobs: bool,
    /// Whether its setting `use_service_account_image_pull_secrets` keeps the credentials from the pods of its kubernetes
    /// executor (`executors/kubernetes/kubernetes.go`, `prepareImagePullSecrets`).
    pub withholds_pull_secret: bool,
}

impl Runner {
    /// A runner of this version with its default settings.
    pub fn of_version(version: RunnerVersion) -> Self {
        Self { version, ..Self::default() }
    }
}

/// All that the resolver reads.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// The value of the job variable DOCKER_AUTH_CONFIG after expansion, if it is set.
    pub docker_auth_config: Option<&'a SecretString>,
    /// The [`HOME_FILES`] in their order, under the paths by which they are to be named.
    pub home_files: &'a [HomeFile],
    /// The `credentials` of the job's payload.
    pub job_credentials: &'a [JobCredential],
}

/// One of the [`HOME_FILES`].
#[derive(Debug, Clone)]
pub struct HomeFile {
    /// The path by which it is named in traces.
    pub path: String,
    /// What reading it gave.
    pub content: FileContent,
}

/// What reading a file gave. The runner tells apart whether opening or reading failed.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// The content. Bytes that are not UTF-8 are replaced, as Go's JSON reader does.
    Text(SecretString),
    /// There is no such file.
    NotFound,
    /// The file exists but could not be opened; the next one is tried.
    OpenFailed(String),
    /// The file was opened but not read, as happens with a directory; the next one is not tried.
    ReadFailed(String),
}

/// One entry of `credentials` in the job's payload.
#[derive(Debug, Clone)]
pub struct JobCredential {
    /// Only `registry` counts.
    pub kind: String,
    /// The registry.
    pub url: String,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// Credentials that the runner would send with a pull.
#[derive(Clone)]
pub struct ResolvedCredential {
    /// The path that matched.
    pub path: String,
    /// Where they come from.
    pub source: Source,
    /// The key under which they stand, as written.
    pub server_address: String,
    /// The user name, possibly empty.
    pub username: String,
    /// The password, possibly empty.
    pub password: SecretString,
    /// The identity token, possibly empty.
    pub identity_token: SecretString,
    /// The bearer token, possibly empty.
    pub registry_token: SecretString,
    /// The helper that would give them was not run, so that they are empty here.
    pub is_assumed: bool,
}

impl ResolvedCredential {
    /// Whether there is nothing in them, which the runner sends all the same: an anonymous pull in all but name.
    pub fn is_empty(&self) -> bool {
        let secrets = [&self.password, &self.identity_token, &self.registry_token];
        !self.is_assumed
            && self.username.is_empty()
            && secrets.iter().all(|secret| secret.expose_secret().is_empty())
    }
}

impl fmt::Debug for ResolvedCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResolvedCredential")
            .field("path", &self.path)
            .field("source", &self.source)
            .field("server_address", &self.server_address)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why the runner aborts: the pull does not happen, not even anonymously.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolutionError {
    /// A helper is named by a path, or by the empty string.
    #[error("path traversal is not allowed")]
    PathTraversal {
        /// The source that names it.
        source_name: Source,
        /// The name.
        suffix: String,
    },
    /// The image has no name that a kubelet could pull.
    #[error(transparent)]
    Image(#[from] ReferenceError),
}

impl ResolutionError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PathTraversal { source_name, suffix } => Some(format!(
                "in {source_name}, a helper is called `{suffix}`: write the name of the program after \
                 `docker-credential-`, without any `/`"
            )),
            Self::Image(error) => error.hint(),
        }
    }
}

/// What the runner does for one image.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It sends these credentials, which may all be empty.
    Credential(Box<ResolvedCredential>),
    /// It pulls without credentials.
    Anonymous,
    /// It does not pull.
    Aborted(ResolutionError),
}

/// The decision for one image.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The path under which credentials were looked up.
    pub path: String,
    /// The decision.
    pub outcome: Outcome,
    /// How it came about.
    pub trace: Trace,
}

impl Resolution {
    /// The credentials that are sent, if any are.
    pub fn credential(&self) -> Option<&ResolvedCredential> {
        match &self.outcome {
            Outcome::Credential(credential) => Some(credential),
            _ => None,
        }
    }

    /// The line that the job log shows when credentials are sent (`executors/docker/internal/pull/manager.go`).
    pub fn job_log_line(&self) -> Option<String> {
        self.credential()
            .map(|credential| format!("Authenticating with credentials from {}", credential.source))
    }
}

/// All credentials that the runner knows, which is what its kubernetes executor asks for.
#[derive(Debug, Clone)]
pub struct AllCredentials {
    /// One for each path, in the order of sources and keys, or why the runner aborts.
    pub outcome: Result<Vec<ResolvedCredential>, ResolutionError>,
    /// How it came about.
    pub trace: Trace,
}

/// Decides which credentials the newest runner uses to pull `image` (`Resolver.ConfigForImage`).
///
/// Every configured helper runs, whether or not the image has anything to do with it.
pub fn resolve(image: &str, inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> Resolution {
    resolve_as(&Runner::default(), image, inputs, helpers)
}

/// Decides which credentials `runner` uses to pull `image`.
pub fn resolve_as(
    runner: &Runner,
    image: &str,
    inputs: &Inputs<'_>,
    helpers: &mut dyn CredentialHelpers,
) -> Resolution {
    let rules = Rules::of(runner.version);
    let path = rules.image_path(image);
    let Collected { credentials, mut trace, error } = collect::collect(runner, Some(&path), inputs, helpers);
    judge::note_unknown_rules(&mut trace, &rules, runner, inputs);
    if let Some(error) = error {
        trace.hints.extend(error.hint());
        return Resolution { path, outcome: Outcome::Aborted(error), trace };
    }
    let winner = collect::found(&rules, &credentials, &path).cloned().map(Box::new);
    judge::judge(&mut trace, &rules, &path, winner.as_deref());
    judge::note_random_choice(&mut trace, &rules, winner.as_deref());
    let outcome = winner.map_or(Outcome::Anonymous, Outcome::Credential);
    Resolution { path, outcome, trace }
}

/// Lists the credentials of the newest runner for every path (`Resolver.AllConfigs`).
pub fn resolve_all(inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> AllCredentials {
    resolve_all_as(&Runner::default(), inputs, helpers)
}

/// Lists the credentials that `runner` gives to the pods of its kubernetes executor.
pub fn resolve_all_as(
    runner: &Runner,
    inputs: &Inputs<'_>,
    helpers: &mut dyn CredentialHelpers,
) -> AllCredentials {
    let rules = Rules::of(runner.version);
    let Collected { credentials, mut trace, error } = collect::collect(runner, None, inputs, helpers);
    judge::note_unknown_rules(&mut trace, &rules, runner, inputs);
    let outcome = match error {
        Some(error) => {
            trace.hints.extend(error.hint());
            Err(error)
        }
        None => Ok(credentials.into_values().collect()),
    };
    AllCredentials { outcome, trace }
}
