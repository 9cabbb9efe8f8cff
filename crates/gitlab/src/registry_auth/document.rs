//! One Docker configuration, with its helpers asked, as the runner reads it.

use std::collections::BTreeMap;

use ecru_docker::config_file::{ConfigFile, ConfigFileError, StaticAuth};
use secrecy::SecretString;

use super::helpers::{HelperCredentials, HelperError, RecordedHelpers};
use super::trace::Origin;

/// Why a configuration gives no credentials at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentError {
    #[error("path traversal is not allowed")]
    PathTraversal { suffix: String },
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    #[error(transparent)]
    Helper(#[from] HelperError),
}

/// What stands under one key at the end.
pub(super) struct DocumentEntry {
    pub(super) origin: Origin,
    /// None where a helper said that it has none.
    pub(super) auth: Option<StaticAuth>,
}

/// The credentials of a configuration by key, and those that others of the same key replaced.
#[derive(Default)]
pub(super) struct Document {
    pub(super) entries: BTreeMap<String, DocumentEntry>,
    pub(super) replaced: Vec<(String, Origin, Origin)>,
}

impl Document {
    fn add(&mut self, key: String, origin: Origin, auth: Option<StaticAuth>) {
        let entry = DocumentEntry { origin: origin.clone(), auth };
        if let Some(earlier) = self.entries.insert(key.clone(), entry) {
            self.replaced.push((key, earlier.origin, origin));
        }
    }
}

/// GitLab Runner v19.3.0 `helpers/docker/auth/auth.go` (`readConfigsFromReader`): static entries, then everything
/// that the store lists, then every helper, the later replacing the earlier under the same key.
///
/// The runner asks the helpers in the random order of a Go map; here it is the order of the keys. What was read
/// before an error is returned beside it, for the trace alone.
pub(super) fn read(text: &str, helpers: &mut RecordedHelpers<'_>) -> (Document, Option<DocumentError>) {
    let mut document = Document::default();
    let outcome = fill(&mut document, text, helpers);
    (document, outcome.err())
}

fn fill(document: &mut Document, text: &str, helpers: &mut RecordedHelpers<'_>) -> Result<(), DocumentError> {
    let config = ConfigFile::parse(text)?;
    for (key, auth) in config.auths {
        document.add(key, Origin::Static, Some(auth));
    }
    if let Some(suffix) = config.credentials_store {
        refuse_path(&suffix)?;
        for key in helpers.list(&suffix)? {
            let found = helpers.get(&suffix, &key)?;
            document.add(key, Origin::Store { suffix: suffix.clone() }, found.map(auth));
        }
    }
    for (key, suffix) in config.credential_helpers {
        refuse_path(&suffix)?;
        let found = helpers.get(&suffix, &key)?;
        document.add(key, Origin::Helper { suffix }, found.map(auth));
    }
    Ok(())
}

/// `nativeStore.getCredentialsFromStore`: this user name says that the secret is an identity token.
fn auth(found: HelperCredentials) -> StaticAuth {
    if found.username == "<token>" {
        return StaticAuth { identity_token: found.secret, ..StaticAuth::default() };
    }
    StaticAuth {
        username: found.username,
        password: found.secret,
        identity_token: SecretString::default(),
        registry_token: SecretString::default(),
    }
}

/// A helper's name must be its own base name by Go's `filepath.Base`, to which `""` is `.` and `a/` is `a`.
fn refuse_path(suffix: &str) -> Result<(), DocumentError> {
    let is_base_name = suffix == "/" || (!suffix.is_empty() && !suffix.contains('/'));
    if is_base_name { Ok(()) } else { Err(DocumentError::PathTraversal { suffix: suffix.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base_names_pass() {
        for good in ["ecr-login", "..", ".", "/", "a b"] {
            assert!(refuse_path(good).is_ok(), "for {good:?}");
        }
        for bad in ["", "a/b", "../x", "a/", "/a", "//"] {
            assert!(refuse_path(bad).is_err(), "for {bad:?}");
        }
    }
}
