//! Which registry credentials GitLab Runner uses for an image, and why.
//!
//! The rules are those of GitLab Runner v19.3.0 (`helpers/docker/auth/auth.go`, with docker/cli v29.7.2 and
//! docker-credential-helpers v0.9.8): three sources in a fixed order, each read to its end without knowing the
//! image; the first entry for a path wins, and of the paths that match the image the longest. One error drops a
//! whole source. `tests/vectors/gitlab-auth.json` holds cases that were run through that very code.

mod collect;
mod document;
mod helpers;
mod paths;
mod trace;

use std::fmt;

use secrecy::SecretString;

pub use helpers::{
    CredentialHelpers, HelperAnswer, HelperCall, HelperError, HelperExit, HelperVerb, StdoutClass,
};
pub use paths::{image_path, registry_path};
pub use trace::{Entry, Origin, Source, SourceState, SourceTrace, Trace, Verdict};

use collect::Collected;

/// The files below the home directory of the runner's process that are looked at, in this order.
///
/// `DOCKER_CONFIG` of the process is not, nor is `DOCKER_AUTH_CONFIG` of the process.
pub const HOME_FILES: [&str; 2] = [".docker/config.json", ".dockercfg"];

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
}

impl ResolutionError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let Self::PathTraversal { source_name, suffix } = self;
        Some(format!(
            "in {source_name}, a helper is called `{suffix}`: write the name of the program after \
             `docker-credential-`, without any `/`"
        ))
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

/// Decides which credentials the runner uses to pull `image` (`Resolver.ConfigForImage`).
///
/// Every configured helper runs, whether or not the image has anything to do with it.
pub fn resolve(image: &str, inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> Resolution {
    let path = image_path(image);
    let Collected { credentials, mut trace, error } = collect::collect(inputs, helpers);
    if let Some(error) = error {
        return Resolution { path, outcome: Outcome::Aborted(error), trace };
    }
    let winner = paths::self_and_parents(&path)
        .find_map(|candidate| credentials.get(candidate))
        .map(|credential| Box::new(credential.clone()));
    judge(&mut trace, &path, winner.as_deref());
    let outcome = winner.map_or(Outcome::Anonymous, Outcome::Credential);
    Resolution { path, outcome, trace }
}

/// Lists the credentials for every path (`Resolver.AllConfigs`).
pub fn resolve_all(inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> AllCredentials {
    let Collected { credentials, trace, error } = collect::collect(inputs, helpers);
    let outcome = match error {
        Some(error) => Err(error),
        None => Ok(credentials.into_values().collect()),
    };
    AllCredentials { outcome, trace }
}

/// Says of each usable entry whether it was chosen, and why not.
fn judge(trace: &mut Trace, image_path: &str, winner: Option<&ResolvedCredential>) {
    for entry in trace.entries.iter_mut().filter(|entry| entry.verdict.is_usable()) {
        let is_winner = winner.is_some_and(|winner| winner.path == entry.path);
        let matches = paths::self_and_parents(image_path).any(|path| path == entry.path);
        entry.verdict = match (is_winner, matches) {
            (true, _) => Verdict::Chosen,
            (false, true) => Verdict::LongerPathWon,
            (false, false) => Verdict::OtherPath,
        };
    }
}
