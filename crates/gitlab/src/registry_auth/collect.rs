//! All sources read into one table (`Resolver.AllConfigs`).

use std::collections::BTreeMap;

use ecru_docker::config_file::StaticAuth;
use indexmap::IndexMap;
use indexmap::map::Entry as Slot;
use secrecy::{ExposeSecret, SecretString};

use super::document::{self, Content, Document, DocumentEntry, DocumentError, DocumentRules};
use super::helpers::{CredentialHelpers, RecordedHelpers};
use super::rules::{Lookup, Rules};
use super::trace::{Origin, Source, SourceState, Trace, Verdict};
use super::{FileContent, HomeFile, Inputs, JobCredential, ResolutionError, ResolvedCredential, Runner};

/// What all sources together hold.
pub(super) struct Collected {
    pub(super) credentials: Table,
    pub(super) trace: Trace,
    pub(super) error: Option<ResolutionError>,
}

/// One credential for each path, or in the versions that had it so for each key, in the order in which they were found.
pub(super) type Table = IndexMap<String, ResolvedCredential>;

/// Reads the sources for the image whose path is given, or for all images.
pub(super) fn collect(
    runner: &Runner,
    image_path: Option<&str>,
    inputs: &Inputs<'_>,
    helpers: &mut dyn CredentialHelpers,
) -> Collected {
    let mut collector = Collector {
        rules: Rules::of(runner.version),
        permits_helpers_of_jobs: runner.permits_helpers_of_jobs,
        table: Table::new(),
        trace: Trace::default(),
        helpers: RecordedHelpers::new(helpers),
    };
    let error = collector.read_all(image_path, inputs).err();
    let Collector { table, mut trace, helpers, .. } = collector;
    trace.helper_calls = helpers.calls;
    Collected { credentials: table, trace, error }
}

/// The credential for `image_path` in the table: the one with the best path, and of those the first.
pub(super) fn found<'t>(rules: &Rules, table: &'t Table, image_path: &str) -> Option<&'t ResolvedCredential> {
    if rules.lookup != Lookup::KeysByHost {
        return rules.candidates(image_path).find_map(|candidate| table.get(candidate));
    }
    table.values().find(|credential| credential.path == image_path)
}

struct Collector<'a> {
    rules: Rules,
    permits_helpers_of_jobs: bool,
    table: Table,
    trace: Trace,
    helpers: RecordedHelpers<'a>,
}

impl Collector<'_> {
    fn read_all(&mut self, image_path: Option<&str>, inputs: &Inputs<'_>) -> Result<(), ResolutionError> {
        if self.rules.lookup == Lookup::SourceBySource {
            return self.read_in_turn(image_path, inputs);
        }
        self.read_docker_auth_config(inputs.docker_auth_config)?;
        self.read_home_files(inputs.home_files)?;
        self.read_job_credentials(inputs.job_credentials);
        Ok(())
    }

    /// GitLab Runner v12.0.0 `executors/docker/executor_docker.go` (`getAuthConfig`): a source is read only if none
    /// before it had the registry. Its kubernetes executor (`setupCredentials`) knows the job's payload alone.
    fn read_in_turn(&mut self, image_path: Option<&str>, inputs: &Inputs<'_>) -> Result<(), ResolutionError> {
        let is_found = |table: &Table| image_path.is_some_and(|path| table.contains_key(path));
        if image_path.is_some() {
            self.read_docker_auth_config(inputs.docker_auth_config)?;
        } else {
            self.note_not_read(Source::DockerAuthConfig);
        }
        if image_path.is_some() && !is_found(&self.table) {
            self.read_home_files(inputs.home_files)?;
        } else {
            for file in inputs.home_files {
                self.note_not_read(Source::HomeFile(file.path.clone()));
            }
        }
        if is_found(&self.table) {
            self.note_not_read(Source::JobPayload);
        } else {
            self.read_job_credentials(inputs.job_credentials);
        }
        Ok(())
    }

    fn note_not_read(&mut self, source: Source) {
        self.trace.note_source(source, SourceState::NotRead);
    }

    /// Since v18.11.0 an error of this source, and of this one alone, is printed to the job log.
    fn read_docker_auth_config(&mut self, value: Option<&SecretString>) -> Result<(), ResolutionError> {
        let source = Source::DockerAuthConfig;
        let Some(text) = value.map(ExposeSecret::expose_secret).filter(|text| !text.trim().is_empty()) else {
            self.trace.note_source(source, SourceState::Absent);
            return Ok(());
        };
        let runs_helpers = !self.rules.has_allow_list || self.permits_helpers_of_jobs;
        let Some(error) = self.read_document(source, text, runs_helpers)? else { return Ok(()) };
        let source = Source::DockerAuthConfig;
        if self.rules.warns {
            self.trace.warnings.push(format!(
                "Failed to resolve credentials from {source}: {error}. Credentials from this source will not be used."
            ));
        } else {
            self.trace.swallowed.push(format!("{source}: {error}"));
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
                    if let Some(error) = self.read_document(source.clone(), text.expose_secret(), true)? {
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

    /// GitLab sends other kinds too, of which the runner takes no notice.
    fn read_job_credentials(&mut self, credentials: &[JobCredential]) {
        let registries = credentials.iter().filter(|credential| credential.kind == "registry");
        let registries: Vec<&JobCredential> = if self.rules.has_stable_order {
            registries.collect()
        } else {
            // `getBuildConfiguration` before v18.3.0 made a map of them, in which the last of a URL stays.
            let by_url: BTreeMap<&str, &JobCredential> =
                registries.map(|credential| (credential.url.as_str(), credential)).collect();
            by_url.into_values().collect()
        };
        let state = if registries.is_empty() { SourceState::Absent } else { SourceState::Read };
        self.trace.note_source(Source::JobPayload, state);
        for credential in registries {
            let auth = StaticAuth {
                username: credential.username.clone(),
                password: credential.password.clone(),
                ..StaticAuth::default()
            };
            let entry = DocumentEntry { origin: Origin::Static, content: Content::Auth(auth) };
            self.add(&Source::JobPayload, &credential.url, entry);
        }
    }

    /// Takes in a whole document, or nothing of it; the error that dropped it is returned for the caller to report.
    fn read_document(
        &mut self,
        source: Source,
        text: &str,
        runs_helpers: bool,
    ) -> Result<Option<String>, ResolutionError> {
        let rules = DocumentRules {
            refuses_paths: self.rules.refuses_paths,
            keeps_not_found: !self.rules.has_stable_order,
            runs_helpers,
        };
        let (document, error) = document::read(text, rules, &mut self.helpers);
        self.note_unlisted_store(&source, &document, runs_helpers);
        let Some(error) = error else {
            self.trace.note_source(source.clone(), SourceState::Read);
            self.add_document(&source, document);
            return Ok(None);
        };
        self.note_dropped(&source, document);
        self.trace.note_source(source.clone(), SourceState::Dropped { error: error.to_string() });
        self.trace.hints.extend(error.hint());
        match error {
            DocumentError::PathTraversal { suffix } => {
                Err(ResolutionError::PathTraversal { source_name: source, suffix })
            }
            DocumentError::PathNotRun { suffix } => {
                self.trace.unknown.push(format!(
                    "this version would run `docker-credential-{suffix}` from its working directory; here it is taken \
                     to fail"
                ));
                Ok(Some(DocumentError::PathNotRun { suffix }.to_string()))
            }
            error => Ok(Some(error.to_string())),
        }
    }

    fn note_unlisted_store(&mut self, source: &Source, document: &Document, runs_helpers: bool) {
        let Some(suffix) = &document.unlisted_store else { return };
        let why = if runs_helpers { "was not run" } else { "is taken not to be permitted" };
        self.trace.unknown.push(format!(
            "`docker-credential-{suffix} list` {why}, so what the credsStore of {source} holds is not known"
        ));
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
            let verdict = match document.culprit.as_ref() == Some(&key) {
                true => Verdict::DroppedTheSource,
                false => Verdict::SourceDropped,
            };
            self.note(source, &key, entry.origin, verdict);
        }
    }

    fn add(&mut self, source: &Source, key: &str, entry: DocumentEntry) {
        let verdict = match entry.content {
            Content::Auth(auth) => self.insert(source, key, auth, false),
            Content::Assumed => self.insert(source, key, StaticAuth::default(), true),
            Content::NotFound => Verdict::NotFound,
            Content::NotPermitted => Verdict::NotPermitted,
        };
        self.note(source, key, entry.origin, verdict);
    }

    fn insert(&mut self, source: &Source, key: &str, auth: StaticAuth, is_assumed: bool) -> Verdict {
        let path = self.rules.key_path(key);
        match self.table.entry(self.rules.slot(key, &path)) {
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
                    is_assumed,
                });
                Verdict::Usable
            }
        }
    }

    fn note(&mut self, source: &Source, key: &str, origin: Origin, verdict: Verdict) {
        self.trace.note_entry(source, key, self.rules.key_path(key), origin, verdict);
    }
}
