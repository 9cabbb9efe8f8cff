//! What Docker asks, answered from configuration, cache and AWS.

use std::path::Path;

use ecru_docker::credential_helper::message::{Credential, ServerList};
use ecru_docker::credential_helper::serve::{Failure, Helper};
use ecru_ecr::cache::{Cache, Cached};
use ecru_ecr::clock::system_time;
use ecru_ecr::config::{Config, ConfigError, OnError, SYSTEM_FILE, Source};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_ecr::identity::{Identity, MachineFiles};
use ecru_ecr::mint::Mint;
use ecru_ecr::registry::{Registry, RegistryError};
use ecru_ecr::token::{TokenError, TokenSource};

use crate::NAME;

/// The user name of every token, which `list` tells beforehand.
const USERNAME: &str = "AWS";

/// The credential helper for registries of Amazon ECR.
#[derive(Debug)]
pub(crate) struct EcrHelper {
    environment: Environment,
}

impl EcrHelper {
    pub(crate) fn new(environment: Environment) -> Self {
        Self { environment }
    }

    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&Source::all(Path::new(SYSTEM_FILE), &self.environment))
    }

    /// The cache with AWS behind it.
    fn source(&self, notes: &mut Vec<String>) -> Cached<Mint> {
        let deadlines = Deadlines::from_environment(&self.environment).unwrap_or_else(|error| {
            notes.push(error.to_string());
            Deadlines::default()
        });
        let identity = Identity::read(&self.environment, &MachineFiles::of_this_machine());
        let cache = Cache::new(&self.environment, &identity, system_time);
        let mint = Mint::new(self.environment.clone(), deadlines.mint, system_time);
        Cached::new(mint, cache, deadlines.lock_wait)
    }

    /// The registry of the principal's own account, and its token kept for the `get` that will follow.
    fn own_registry(source: &Cached<Mint>, notes: &mut Vec<String>) -> Option<Registry> {
        let (registry, token) = match source.source().own() {
            Ok(own) => own,
            Err(error) => {
                notes
                    .push(format!("no registry is configured, and the identity's own is not known: {error}"));
                return None;
            }
        };
        if let Some(Err(warning)) = source.cache().map(|cache| cache.put(&registry, &token)) {
            notes.push(warning.to_string());
        }
        Some(registry)
    }

    /// Makes sure that `server` is a registry for which there is nothing to store or to erase.
    fn refuse_others(&self, server: &str, notes: &mut Vec<String>) -> Result<(), Failure> {
        let config = self.config().map_err(|error| config_failure(&error))?;
        let registry = config
            .registry(server)
            .map_err(|error| Failure::reported(format!("{NAME} keeps no credentials: {error}")))?;
        notes.push(format!(
            "credentials for {registry} come from AWS each time; there is nothing to keep or to forget"
        ));
        Ok(())
    }
}

impl Helper for EcrHelper {
    fn name(&self) -> &str {
        NAME
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn get(&self, server: &str, notes: &mut Vec<String>) -> Result<Credential, Failure> {
        let config = self.config().map_err(|error| config_failure(&error))?;
        let registry = config.registry(server).map_err(|error| registry_failure(&error))?;
        let source = self.source(notes);
        let token = source.token(&registry);
        notes.extend(source.take_warnings().iter().map(ToString::to_string));
        let token = token.map_err(|error| token_failure(&error, &registry, config.on_error()))?;
        Ok(Credential { server_url: server.to_owned(), username: token.username, secret: token.secret })
    }

    /// Never fails: a caller that gets an error from `list` drops credentials that have nothing to do with AWS.
    fn list(&self, notes: &mut Vec<String>) -> Result<ServerList, Failure> {
        let config = match self.config() {
            Ok(config) => config,
            Err(error) => {
                notes.push(error.to_string());
                return Ok(ServerList::new());
            }
        };
        let source = self.source(notes);
        let mut hosts: Vec<String> = config.registries().iter().map(Registry::host).collect();
        hosts.extend(config.aliases().keys().map(ToString::to_string));
        hosts.extend(source.cache().into_iter().flat_map(Cache::registries).map(|registry| registry.host()));
        if hosts.is_empty() {
            hosts.extend(Self::own_registry(&source, notes).map(|registry| registry.host()));
        }
        Ok(hosts.into_iter().map(|host| (format!("https://{host}"), USERNAME.to_owned())).collect())
    }

    fn store(&self, credential: Credential, notes: &mut Vec<String>) -> Result<(), Failure> {
        self.refuse_others(&credential.server_url, notes)
    }

    fn erase(&self, server: &str, notes: &mut Vec<String>) -> Result<(), Failure> {
        self.refuse_others(server, notes)
    }
}

/// With a broken configuration nothing is handed out: the part that cannot be read may be the one that forbids it.
fn config_failure(error: &ConfigError) -> Failure {
    Failure::not_found().because(error.to_string()).with_hint(error.hint())
}

/// Other hosts are no reason to say anything: a helper that is Docker's only store is asked for all of them.
fn registry_failure(error: &RegistryError) -> Failure {
    if error.is_another_host() {
        Failure::not_found()
    } else {
        Failure::not_found().because(error.to_string())
    }
}

/// ECR Public can be read without credentials, so that their lack is never reported as a failure.
fn token_failure(error: &TokenError, registry: &Registry, on_error: OnError) -> Failure {
    let failure = match on_error {
        OnError::Report if !registry.is_public() => {
            Failure::reported(format!("{registry}: {}", error.summary()))
        }
        _ => Failure::not_found(),
    };
    failure.because(format!("{registry}: {error}")).with_hint(error.hint())
}
