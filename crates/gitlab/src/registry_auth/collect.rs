//! All sources read into one table (`Resolver.AllConfigs`).

use std::collections::BTreeMap;

use ecru_docker::config_file::StaticAuth;
use indexmap::IndexMap;
use indexmap::map::Entry as Slot;
use secrecy::{ExposeSecret, SecretString};

use super::document::{self, Document, DocumentEntry, DocumentError};
use super::helpers::{CredentialHelpers, RecordedHelpers};
use super::paths::registry_path;
use super::trace::{Entry, Origin, Source, SourceState, Trace, Verdict};
use super::{FileContent, HomeFile, Inputs, JobCredential, ResolutionError, ResolvedCredential};

/// What all sources together hold.
pub(super) struct Collected {
    pub(super) credentials: Table,
    pub(super) trace: Trace,
    pub(super) error: Option<ResolutionError>,
}

/// One credential for each path, in the order in which they were found.
pub(super) type Table = IndexMap<String, ResolvedCredential>;

pub(super) fn collect(inputs: &Inputs<'_>, helpers: &mut dyn CredentialHelpers) -> Collected {
    let mut collector =
        Collector { table: Table::new(), trace: Trace::default(), helpers: RecordedHelpers::new(helpers) };
    let error = collector.read_all(inputs).err();
    let Collector { table, mut trace, helpers } = collector;
    trace.helper_calls = helpers.calls;
    Collected { credentials: table, trace, error }
}

struct Collector<'a> {
    table: Table,
    trace: Trace,
    helpers: RecordedHelpers<'a>,
}

impl Collector<'_> {
    fn read_all(&mut self, inputs: &Inputs<'_>) -> Result<(), ResolutionError> {
        self.read_docker_auth_config(inputs.docker_auth_config)?;
        self.read_home_files(inputs.home_files)?;
        self.read_job_credentials(inputs.job_credentials);
        Ok(())
    }

    /// Since v18.11.0 an error of this source, and of this one alone, is printed to the job log.
    fn read_docker_auth_config(&mut self, value: Option<&SecretString>) -> Result<(), ResolutionError> {
        let source = Source::DockerAuthConfig;
        let Some(text) = value.map(ExposeSecret::expose_secret).filter(|text| !text.trim().is_empty()) else {
            self.trace.note_source(source, SourceState::Absent);
            return Ok(());
        };
        if let Some(error) = self.read_document(source, text)? {
            self.trace.warnings.push(format!(
                "Failed to resolve credentials from {}: {error}. Credentials from this source will not be used.",
                Source::DockerAuthConfig
            ));
        }
        Ok(())
    }

    /// The first file that can be opened counts, whatever is in it; its errors reach nobody.
    fn read_home_files(&mut self, files: &[HomeFile]) -> Result<(), ResolutionError> {
        let mut winner: Option<&HomeFile> = None;
        for file in files {
            let source = Source::HomeFile(file.path.clone());
            match (&file.content, winner) {
                (FileContent::NotFound, _) => self.trace.note_source(source, SourceState::Absent),
                (_, Some(winner)) => {
                    self.trace.note_source(source, SourceState::Hidden { by: winner.path.clone() });
                }
                (FileContent::OpenFailed(error), None) => self.swallow(source, error),
                (FileContent::ReadFailed(error), None) => {
                    self.swallow(source, error);
                    winner = Some(file);
                }
                (FileContent::Text(text), None) => {
                    if let Some(error) = self.read_document(source.clone(), text.expose_secret())? {
                        self.trace.swallowed.push(format!("{source}: {error}"));
                    }
                    winner = Some(file);
                }
            }
        }
        Ok(())
    }

    fn swallow(&mut self, source: Source, error: &str) {
        self.trace.swallowed.push(format!("{source}: {error}"));
        self.trace.note_source(source, SourceState::Dropped { error: error.to_owned() });
    }

    /// GitLab sends other kinds too, of which the runner takes no notice; of equal URLs the last one counts.
    fn read_job_credentials(&mut self, credentials: &[JobCredential]) {
        let by_url: BTreeMap<&str, &JobCredential> = credentials
            .iter()
            .filter(|credential| credential.kind == "registry")
            .map(|credential| (credential.url.as_str(), credential))
            .collect();
        let state = if by_url.is_empty() { SourceState::Absent } else { SourceState::Read };
        self.trace.note_source(Source::JobPayload, state);
        for (url, credential) in by_url {
            let auth = StaticAuth {
                username: credential.username.clone(),
                password: credential.password.clone(),
                ..StaticAuth::default()
            };
            self.add(&Source::JobPayload, url, DocumentEntry { origin: Origin::Static, auth: Some(auth) });
        }
    }

    /// Takes in a whole document, or nothing of it; the error that dropped it is returned for the caller to report.
    fn read_document(&mut self, source: Source, text: &str) -> Result<Option<String>, ResolutionError> {
        let (document, error) = document::read(text, &mut self.helpers);
        let Some(error) = error else {
            self.trace.note_source(source.clone(), SourceState::Read);
            self.add_document(&source, document);
            return Ok(None);
        };
        self.note_dropped(&source, document);
        self.trace.note_source(source.clone(), SourceState::Dropped { error: error.to_string() });
        match error {
            DocumentError::PathTraversal { suffix } => {
                Err(ResolutionError::PathTraversal { source_name: source, suffix })
            }
            error => Ok(Some(error.to_string())),
        }
    }

    fn add_document(&mut self, source: &Source, document: Document) {
        for (key, entry) in document.entries {
            self.add(source, &key, entry);
        }
        for (key, origin, by) in document.replaced {
            self.note(source, &key, origin, Verdict::Replaced { by });
        }
    }

    fn note_dropped(&mut self, source: &Source, document: Document) {
        for (key, entry) in document.entries {
            self.note(source, &key, entry.origin, Verdict::SourceDropped);
        }
    }

    fn add(&mut self, source: &Source, key: &str, entry: DocumentEntry) {
        let Some(auth) = entry.auth else {
            self.note(source, key, entry.origin, Verdict::NotFound);
            return;
        };
        let verdict = self.insert(source, key, auth);
        self.note(source, key, entry.origin, verdict);
    }

    fn insert(&mut self, source: &Source, key: &str, auth: StaticAuth) -> Verdict {
        let path = registry_path(key);
        match self.table.entry(path.clone()) {
            Slot::Occupied(slot) => Verdict::SamePathCameFirst {
                source: slot.get().source.clone(),
                key: slot.get().server_address.clone(),
            },
            Slot::Vacant(slot) => {
                slot.insert(ResolvedCredential {
                    path,
                    source: source.clone(),
                    server_address: key.to_owned(),
                    username: auth.username,
                    password: auth.password,
                    identity_token: auth.identity_token,
                    registry_token: auth.registry_token,
                });
                Verdict::Usable
            }
        }
    }

    fn note(&mut self, source: &Source, key: &str, origin: Origin, verdict: Verdict) {
        self.trace.entries.push(Entry {
            source: source.clone(),
            key: key.to_owned(),
            path: registry_path(key),
            origin,
            verdict,
        });
    }
}
