//! Which registry credentials a kubelet uses for an image of a job, from the Secret that the runner's kubernetes
//! executor makes.
//!
//! The executor resolves no image: it puts every credential that it knows into one Secret of type
//! `kubernetes.io/dockercfg` and names that among the pod's `imagePullSecrets`, unless its setting
//! `use_service_account_image_pull_secrets` is on (GitLab Runner v19.3.0 `executors/kubernetes/kubernetes.go`,
//! `setupCredentials`, `prepareImagePullSecrets`). The kubelet then matches by rules of its own: host labels may be
//! globs, a path matches as a plain prefix, and *all* entries that match are tried, the last in the order of their keys
//! first (Kubernetes v1.35 `pkg/credentialprovider/keyring.go`). It knows user and password only.

mod glob;
mod location;
mod resolve;

use ecru_docker::reference::{ImageReference, ReferenceError};
use secrecy::SecretString;

pub use resolve::{PodResolution, SecretLine, resolve_as};

use crate::registry_auth::{ResolvedCredential, Runner, RunnerVersion, Source, registry_path};
use location::Location;

/// One entry of the Secret.
#[derive(Debug, Clone)]
pub struct SecretEntry {
    /// The key under which it stands.
    pub key: String,
    /// The source from which the runner has it.
    pub source: Source,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// The Secret that the executor makes of the credentials that it knows (`registry_auth::resolve_all_as`).
///
/// Since v18.3.0 an entry stands under the key as configured; from v17.5.0 on it was the registry's path, and before
/// that its host, as far as `ResolvedCredential::path` has it; v13.1 to v13.3 and older have the key as configured.
pub fn image_pull_secret(runner: &Runner, credentials: &[ResolvedCredential]) -> Vec<SecretEntry> {
    let is_by_path = (RunnerVersion::new(13, 4, 0)..RunnerVersion::new(18, 3, 0)).contains(&runner.version);
    let entry = |credential: &ResolvedCredential| SecretEntry {
        key: if is_by_path { credential.path.clone() } else { credential.server_address.clone() },
        source: credential.source.clone(),
        username: credential.username.clone(),
        password: credential.password.clone(),
    };
    credentials.iter().map(entry).collect()
}

/// One entry that the kubelet tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the Secret.
    pub index: usize,
    /// What of its key is compared: host, port and path, without the scheme and without `/v1` or `/v2`.
    pub pattern: String,
    /// Whether GitLab Runner itself, with its docker executor, would not have taken its key for this image.
    pub is_beyond_the_runner: bool,
}

/// The entries of `secret` that match `image`, in the order in which the kubelet tries them.
///
/// # Errors
/// If `image` is no image reference: then the kubelet pulls nothing.
pub fn candidates(image: &str, secret: &[SecretEntry]) -> Result<Vec<Candidate>, ReferenceError> {
    let reference = ImageReference::parse(image)?;
    let name = format!("{}/{}", reference.registry(), reference.repository());
    let target = Location::parse(&name);
    let mut patterns: Vec<(String, usize)> = secret
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((location::pattern_of_key(&entry.key)?, index)))
        .collect();
    // `sort.Reverse`: of two keys with a common start the longer comes first.
    patterns.sort_by(|(one, _), (other, _)| other.cmp(one));
    let found = |(pattern, index): &(String, usize)| Candidate {
        index: *index,
        pattern: pattern.clone(),
        is_beyond_the_runner: secret
            .get(*index)
            .is_some_and(|entry| !is_self_or_parent(&registry_path(&entry.key), image)),
    };
    let matching: Vec<Candidate> = patterns
        .iter()
        .filter(|(pattern, _)| target.as_ref().is_some_and(|target| target.matches(pattern)))
        .map(found)
        .collect();
    if matching.is_empty() && reference.registry() == "docker.io" {
        return Ok(patterns.iter().filter(|(pattern, _)| pattern == "index.docker.io").map(found).collect());
    }
    Ok(matching)
}

fn is_self_or_parent(path: &str, image: &str) -> bool {
    let image = crate::registry_auth::image_path(image);
    image.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
