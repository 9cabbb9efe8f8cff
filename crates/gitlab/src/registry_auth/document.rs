//! One Docker configuration, with its helpers asked, as the runner reads it.

use std::collections::BTreeMap;

use ecru_docker::config_file::{ConfigFile, ConfigFileError, StaticAuth};
use secrecy::SecretString;

use super::helpers::{HelperCredentials, HelperError, Looked, RecordedHelpers};
use super::trace::Origin;

/// Why a configuration gives no credentials at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentError {
    #[error("path traversal is not allowed")]
    PathTraversal { suffix: String },
    /// Versions that do not refuse such a name run it from their working directory; nobody should.
    #[error("the helper `{suffix}` is named by a path and was not run")]
    PathNotRun { suffix: String },
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    #[error(transparent)]
    Helper(#[from] HelperError),
}

impl DocumentError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            _ => None,
        }
    }
}

/// How a version treats the documents of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentRules {
    /// Whether a helper's name that is a path ends everything.
    pub(super) refuses_paths: bool,
    /// Whether "not found" makes an entry with empty credentials, which is chosen and hides others.
    pub(super) keeps_not_found: bool,
    /// Whether helpers run.
    pub(super) runs_helpers: bool,
}

/// What stands under one key at the end.
pub(super) struct DocumentEntry {
    pub(super) origin: Origin,
    pub(super) content: Content,
}

/// What an entry holds.
pub(super) enum Content {
    /// Credentials, which may all be empty.
    Auth(StaticAuth),
    /// A helper that was not run would say.
    Assumed,
    /// A helper said that it has none.
    NotFound,
    /// The helper may not run.
    NotPermitted,
}

/// The credentials of a configuration by key, and those that others of the same key replaced.
#[derive(Default)]
pub(super) struct Document {
    pub(super) entries: BTreeMap<String, DocumentEntry>,
    pub(super) replaced: Vec<(String, Origin, Origin)>,
    /// The key of the entry whose helper failed.
    pub(super) culprit: Option<String>,
    /// The store, if it was not asked what it holds.
    pub(super) unlisted_store: Option<String>,
}

impl Document {
    fn add(&mut self, key: String, origin: Origin, content: Content) {
        let entry = DocumentEntry { origin: origin.clone(), content };
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
pub(super) fn read(
    text: &str,
    rules: DocumentRules,
    helpers: &mut RecordedHelpers<'_>,
) -> (Document, Option<DocumentError>) {
    let mut document = Document::default();
    let outcome = fill(&mut document, text, rules, helpers);
    (document, outcome.err())
}

fn fill(
    document: &mut Document,
    text: &str,
    rules: DocumentRules,
    helpers: &mut RecordedHelpers<'_>,
) -> Result<(), DocumentError> {
    let config = ConfigFile::parse(text)?;
    for (key, auth) in &config.auths {
        document.add(key.clone(), Origin::Static, Content::Auth(auth.clone()));
    }
    if let Some(suffix) = &config.credentials_store {
        refuse_path(suffix, rules)?;
        read_store(document, &config, suffix, rules, helpers)?;
    }
    read_helpers(document, &config, rules, helpers)
}

fn read_helpers(
    document: &mut Document,
    config: &ConfigFile,
    rules: DocumentRules,
    helpers: &mut RecordedHelpers<'_>,
) -> Result<(), DocumentError> {
    let mut failure = None;
    for (key, suffix) in &config.credential_helpers {
        // What comes after a failure is not asked, and stands in the trace alone.
        let content = match failure {
            Some(_) => Ok(Content::NotFound),
            None => ask_helper(config, key, suffix, rules, helpers),
        };
        let content = content.unwrap_or_else(|error| {
            document.culprit = Some(key.clone());
            failure = Some(error);
            Content::NotFound
        });
        document.add(key.clone(), Origin::Helper { suffix: suffix.clone() }, content);
    }
    failure.map_or(Ok(()), Err)
}

fn ask_helper(
    config: &ConfigFile,
    key: &str,
    suffix: &str,
    rules: DocumentRules,
    helpers: &mut RecordedHelpers<'_>,
) -> Result<Content, DocumentError> {
    refuse_path(suffix, rules)?;
    if !rules.runs_helpers {
        return Ok(Content::NotPermitted);
    }
    // `nativeStore.Get` takes over the registry token of the entry that the file has for this server.
    let token = config.stored_auth(key).map(|(_, stored)| stored.registry_token.clone());
    let empty = rules.keeps_not_found.then(StaticAuth::default);
    Ok(content(helpers.get(suffix, key)?, token, empty))
}

/// docker/cli v29 `cli/config/credentials/native_store.go` (`GetAll`). An entry that the file has under a listed key
/// gives its registry token, and keeps its place even where the store has nothing: then it is there, but empty.
fn read_store(
    document: &mut Document,
    config: &ConfigFile,
    suffix: &str,
    rules: DocumentRules,
    helpers: &mut RecordedHelpers<'_>,
) -> Result<(), DocumentError> {
    let listed = if rules.runs_helpers { helpers.list(suffix)? } else { None };
    let Some(keys) = listed else {
        document.unlisted_store = Some(suffix.to_owned());
        return Ok(());
    };
    for key in keys {
        let stored = config.auths.get(&key);
        let token = stored.map(|stored| stored.registry_token.clone());
        let empty = (rules.keeps_not_found || stored.is_some()).then(StaticAuth::default);
        let looked = helpers.get(suffix, &key).inspect_err(|_| document.culprit = Some(key.clone()));
        let content = content(looked?, token, empty);
        document.add(key, Origin::Store { suffix: suffix.to_owned() }, content);
    }
    Ok(())
}

/// What an answer makes of an entry, with the registry token that stays, and what stands for "not found".
fn content(looked: Looked, registry_token: Option<SecretString>, not_found: Option<StaticAuth>) -> Content {
    let auth = match looked {
        Looked::Found(found) => auth(found),
        Looked::NotFound => match not_found {
            Some(empty) => empty,
            None => return Content::NotFound,
        },
        Looked::NotRun => return Content::Assumed,
    };
    Content::Auth(StaticAuth { registry_token: registry_token.unwrap_or_default(), ..auth })
}

/// `nativeStore.getCredentialsFromStore`: this user name says that the secret is an identity token.
pub(crate) fn auth(found: HelperCredentials) -> StaticAuth {
    if found.username == "<token>" {
        return StaticAuth { identity_token: found.secret, ..StaticAuth::default() };
    }
    StaticAuth { username: found.username, password: found.secret, ..StaticAuth::default() }
}

/// A helper's name must be its own base name by Go's `filepath.Base`, to which `""` is `.` and `a/` is `a`.
fn refuse_path(suffix: &str, rules: DocumentRules) -> Result<(), DocumentError> {
    let is_base_name = suffix == "/" || (!suffix.is_empty() && !suffix.contains('/'));
    let suffix = || suffix.to_owned();
    match (is_base_name, rules.refuses_paths) {
        (true, _) => Ok(()),
        (false, true) => Err(DocumentError::PathTraversal { suffix: suffix() }),
        (false, false) => Err(DocumentError::PathNotRun { suffix: suffix() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base_names_pass() {
        let rules = DocumentRules { refuses_paths: true, keeps_not_found: false, runs_helpers: true };
        for good in ["ecr-login", "..", ".", "/", "a b"] {
            assert!(refuse_path(good, rules).is_ok(), "for {good:?}");
        }
        for bad in ["", "a/b", "../x", "a/", "/a", "//"] {
            assert!(refuse_path(bad, rules).is_err(), "for {bad:?}");
        }
    }
}
