//! Registries of others: another helper, or a file with static credentials, as the configuration says.

use std::path::Path;
use std::time::Duration;

use ecru_docker::config_file::ConfigFile;
use ecru_docker::credential_helper::invoke::{Caller, Completed, InvokeError};
use ecru_docker::credential_helper::message::{Credential, ServerList, Verb};
use ecru_docker::credential_helper::serve::Failure;
use ecru_ecr::config::Fallback;
use ecru_ecr::environment::Environment;
use ecru_ecr::read_limited;
use ecru_ecr::registry::Address;
use secrecy::ExposeSecret;

/// The variable by which a helper that ecru starts knows it, so that two never wait for each other without end.
const GUARD_VARIABLE: &str = "ECRU_FALLBACK";

/// The longest file with static credentials, in bytes.
const MAX_AUTHS_BYTES: usize = 1024 * 1024;

/// The user name that tells Docker that the password is an identity token (docker/cli, `cli/command/registry.go`).
const TOKEN_USERNAME: &str = "<token>";

/// Whoever knows about the registries of others, ready to be asked.
pub(crate) struct Others<'a> {
    fallback: Option<&'a Fallback>,
    environment: &'a Environment,
    deadline: Duration,
}

impl<'a> Others<'a> {
    pub(crate) fn new(
        fallback: Option<&'a Fallback>,
        environment: &'a Environment,
        deadline: Duration,
    ) -> Self {
        Self { fallback, environment, deadline }
    }

    /// Whether there is anybody to ask.
    pub(crate) fn exist(&self) -> bool {
        self.fallback.is_some()
    }

    /// The credential of `server`.
    pub(crate) fn get(&self, server: &str) -> Result<Credential, Failure> {
        let found = match self.fallback {
            None => None,
            Some(Fallback::Helper(suffix)) => {
                let answer = self.invoke(suffix, Verb::Get, server);
                answer.and_then(|completed| completed.credential()).map_err(|error| failure(&error))?
            }
            Some(Fallback::Auths(path)) => credential(&auths(path)?, server),
        };
        let found = found.ok_or_else(Failure::not_found)?;
        Ok(Credential { server_url: server.to_owned(), ..found })
    }

    /// What they offer. A failure is a note: `list` of the others' registries must not cost those of ECR.
    pub(crate) fn list(&self, notes: &mut Vec<String>) -> ServerList {
        let list = match self.fallback {
            None => return ServerList::new(),
            Some(Fallback::Helper(suffix)) => self
                .invoke(suffix, Verb::List, "unused")
                .and_then(|completed| completed.server_list())
                .map(Option::unwrap_or_default)
                .map_err(|error| error.to_string()),
            Some(Fallback::Auths(path)) => static_auths(path)
                .map(|file| file.auths.into_iter().map(|(server, auth)| (server, auth.username)).collect())
                .map_err(|error| format!("`{}`: {error}", path.display())),
        };
        list.unwrap_or_else(|error| {
            notes.push(format!("the fallback cannot be listed: {error}"));
            ServerList::new()
        })
    }

    /// Keeps a credential there.
    pub(crate) fn store(&self, credential: &Credential) -> Result<(), Failure> {
        let request = credential.to_json()?;
        self.change(Verb::Store, std::str::from_utf8(&request).unwrap_or_default())
    }

    /// Forgets the credential of `server` there.
    pub(crate) fn erase(&self, server: &str) -> Result<(), Failure> {
        self.change(Verb::Erase, server)
    }

    fn change(&self, verb: Verb, request: &str) -> Result<(), Failure> {
        match self.fallback {
            Some(Fallback::Helper(suffix)) => {
                let completed = self.invoke(suffix, verb, request);
                completed.and_then(|completed| completed.done()).map_err(|error| {
                    // Its own words are for the person who reads standard error.
                    Failure::reported(format!("the fallback `docker-credential-{suffix} {verb}` failed"))
                        .because(error.to_string())
                        .with_hint(error.hint())
                })
            }
            Some(Fallback::Auths(path)) => {
                Err(Failure::reported(format!("credentials in `{}` are only read", path.display())))
            }
            None => Err(Failure::not_found()),
        }
    }

    fn invoke(&self, suffix: &str, verb: Verb, request: &str) -> Result<Completed, InvokeError> {
        let mut environment = self.environment.of_child();
        environment.push((GUARD_VARIABLE.into(), "1".into()));
        let path = self.environment.os("PATH").unwrap_or_default().to_owned();
        Caller { path, environment, deadline: self.deadline }.invoke(suffix, verb, request)
    }
}

/// Whether this process is itself somebody's fallback.
pub(crate) fn is_fallback(environment: &Environment) -> bool {
    environment.os(GUARD_VARIABLE).is_some()
}

fn failure(error: &InvokeError) -> Failure {
    Failure::not_found().because(format!("the fallback has no answer: {error}")).with_hint(error.hint())
}

fn auths(path: &Path) -> Result<ConfigFile, Failure> {
    static_auths(path)
        .map_err(|error| Failure::not_found().because(format!("the fallback `{}`: {error}", path.display())))
}

/// The file's credentials.
fn static_auths(path: &Path) -> Result<ConfigFile, String> {
    let content = read_limited(path, MAX_AUTHS_BYTES).map_err(|error| error.to_string())?;
    let content = content.ok_or_else(|| "it does not exist".to_owned())?;
    let text = std::str::from_utf8(&content).map_err(|_| "it is not UTF-8 text".to_owned())?;
    ConfigFile::parse(text).map_err(|error| error.to_string())
}

/// The credential of the longest key that `server` lies below.
fn credential(file: &ConfigFile, server: &str) -> Option<Credential> {
    let asked = Address::parse(server).ok()?;
    let fitting = file.auths.iter().filter_map(|(key, auth)| {
        let key = Address::parse(key).ok()?;
        // Docker Hub's key, and those of old clients, end in the version of the API.
        let path = if matches!(key.path(), "v1" | "v2") { "" } else { key.path() };
        let is_below = asked
            .path()
            .strip_prefix(path)
            .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'));
        (key == asked && is_below).then_some((path.len(), auth))
    });
    let (_, auth) = fitting.max_by_key(|(length, _)| *length)?;
    let (username, secret) = if auth.identity_token.expose_secret().is_empty() {
        (auth.username.clone(), auth.password.clone())
    } else {
        (TOKEN_USERNAME.to_owned(), auth.identity_token.clone())
    };
    (!secret.expose_secret().is_empty()).then(|| Credential {
        server_url: server.to_owned(),
        username,
        secret,
    })
}
