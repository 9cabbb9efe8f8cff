//! What Docker asks, answered from configuration, cache and AWS.

use std::hint::black_box;
use std::iter;
use std::path::Path;
use std::time::Instant;

use ecru_docker::credential_helper::message::{Credential, ServerList};
use ecru_docker::credential_helper::serve::{Failure, Helper};
use ecru_ecr::access::Access;
use ecru_ecr::cache::CacheWarning;
use ecru_ecr::clock::system_time;
use ecru_ecr::config::{
    Choice, ChoiceError, ChosenBy, Config, ConfigError, OnError, PolicyError, Request, SYSTEM_FILE, Source,
};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_ecr::identity::selection::Selection;
use ecru_ecr::last_failure::{LastFailure, LastFailures};
use ecru_ecr::registry::Registry;
use ecru_ecr::token::{FailureKind, TokenError, TokenSource};

use crate::fallback::{Others, is_fallback};
use crate::{NAME, SIGNATURE};

/// The user name of every token, which `list` tells beforehand.
const USERNAME: &str = "AWS";

/// The variable that lets `store` and `erase` succeed, as with amazon-ecr-credential-helper.
const IGNORE_VARIABLE: &str = "AWS_ECR_IGNORE_CREDS_STORAGE";

/// The credential helper for registries of Amazon ECR.
#[derive(Debug)]
pub(crate) struct EcrHelper {
    environment: Environment,
    profile: Option<String>,
    started: Instant,
}

impl EcrHelper {
    /// A helper whose program is called by a name that ends in `profile`.
    pub(crate) fn new(environment: Environment, profile: Option<String>) -> Self {
        Self { environment, profile, started: Instant::now() }
    }

    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&Source::all(Path::new(SYSTEM_FILE), &self.environment))
    }

    /// With a broken configuration nothing is handed out: the part that cannot be read may be the one that forbids it.
    fn config_failure(&self, error: &ConfigError, server: &str) -> Failure {
        // Its aliases and partitions are not known, and need not be: the names of known ones tell the registry.
        if let Ok(registry) = Registry::parse(server) {
            let failures = LastFailures::new(&self.environment, system_time);
            keep(failures, &registry, FailureKind::Configuration, error, error.hint());
        }
        nothing_handed_out(error, error.hint())
    }

    fn deadlines(&self, notes: &mut Vec<String>) -> Deadlines {
        Deadlines::from_environment(&self.environment).unwrap_or_else(|error| {
            notes.push(error.to_string());
            Deadlines::default()
        })
    }

    fn access<'a>(&'a self, config: &'a Config) -> Access<'a> {
        Access { config, environment: &self.environment, clock: system_time }
    }

    fn others<'a>(&'a self, config: &'a Config, notes: &mut Vec<String>) -> Others<'a> {
        let mut fallback = config.fallback();
        if fallback.is_some() && is_fallback(&self.environment) {
            notes.push("the fallback is not asked, since this program is itself one".to_owned());
            fallback = None;
        }
        // What has been waited for before counts as well: the caller waits for this process, not for its parts.
        let left = self.deadlines(notes).total().saturating_sub(self.started.elapsed());
        Others::new(fallback, &self.environment, left)
    }

    fn choice(&self, config: &Config, request: &Request) -> Result<Choice, ChoiceError> {
        config.choice(request, self.profile.as_deref(), &self.environment)
    }

    /// The registries in the cache, each of the identity that is meant for it; `own` is that of no rule.
    fn cached_registries(&self, config: &Config, own: Option<&Selection>) -> Vec<Registry> {
        let access = self.access(config);
        let kept = access.inventory().and_then(|inventory| inventory.entries().ok()).unwrap_or_default();
        if kept.is_empty() {
            return Vec::new();
        }
        let mut selections = Vec::from_iter(own);
        for rule in config.rules() {
            if !selections.contains(&&rule.selection) {
                selections.push(&rule.selection);
            }
        }
        let mut registries = Vec::new();
        for selection in selections {
            let Some(cache) = access.cache(selection) else { continue };
            let identity = cache.identity().to_string();
            let of_identity = kept.iter().filter(|kept| kept.identity == identity);
            let of_identity =
                of_identity.flat_map(|kept| iter::once(&kept.registry).chain(&kept.own_registry));
            registries.extend(of_identity.filter(|registry| {
                let rule = config.rule(registry, "", self.profile.as_deref());
                rule.map(|rule| &rule.selection).or(own) == Some(selection)
            }));
        }
        registries.into_iter().cloned().collect()
    }

    /// The identity where no registry is known yet.
    fn own_choice(&self, config: &Config) -> Result<Choice, ChoiceError> {
        config.own_choice(self.profile.as_deref(), &self.environment)
    }

    /// The registry of the principal's own account, and its token kept for the `get` that will follow.
    fn own_registry(&self, config: &Config, own: &Choice, notes: &mut Vec<String>) -> Option<Registry> {
        let deadlines = self.deadlines(notes);
        // The other half is for the fallback.
        let has_others = config.fallback().is_some();
        let deadlines = if has_others { Deadlines::within(deadlines.total() / 2) } else { deadlines };
        let mut warnings = Vec::new();
        let registry = self.access(config).own_registry(own, deadlines, &mut warnings);
        notes.extend(warnings.iter().map(note));
        registry
            .inspect_err(|error| {
                let words = "no registry is configured, and the identity's own is not known";
                notes.push(format!("{words}: {error}"));
            })
            .ok()
    }

    /// What happens to a credential that somebody wants kept or forgotten: nothing for registries of ECR; `delegate`
    /// is asked to do it for others.
    fn change(
        &self,
        server: &str,
        notes: &mut Vec<String>,
        delegate: impl FnOnce(&Others<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let config = self.config().map_err(|error| nothing_handed_out(&error, error.hint()))?;
        match config.registry(server) {
            Ok(registry) => notes.push(format!(
                "credentials for {registry} come from AWS each time; there is nothing to keep or to forget"
            )),
            Err(error) => {
                let others = self.others(&config, notes);
                let outcome = if error.is_another_host() && others.exist() {
                    delegate(&others)
                } else {
                    Err(Failure::reported(format!("{NAME} keeps no credentials: {error}")))
                };
                if outcome.is_ok() || !self.ignores_storage() {
                    return outcome;
                }
                notes.push(format!("{IGNORE_VARIABLE} is set; nothing is kept or forgotten"));
            }
        }
        Ok(())
    }

    /// Whether `store` and `erase` succeed for whatever server, as with amazon-ecr-credential-helper.
    fn ignores_storage(&self) -> bool {
        self.environment.get(IGNORE_VARIABLE).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl Helper for EcrHelper {
    fn name(&self) -> &str {
        NAME
    }

    fn version(&self) -> &str {
        // Used in a way that the compiler does not see through, or it would not stand in the file as it is.
        black_box(SIGNATURE).rsplit(' ').next().unwrap_or_default()
    }

    fn get(&self, server: &str, notes: &mut Vec<String>) -> Result<Credential, Failure> {
        let config = self.config().map_err(|error| self.config_failure(&error, server))?;
        let request = match config.request(server) {
            Ok(request) => request,
            Err(error) if error.is_another_host() => return self.others(&config, notes).get(server),
            Err(error) => return Err(Failure::not_found().because(error.to_string())),
        };
        let registry = &request.registry;
        let access = self.access(&config);
        config.permit(registry).map_err(|error| policy_failure(&error, registry, access.failures()))?;
        let choice = self.choice(&config, &request).map_err(|error| {
            keep(access.failures(), registry, FailureKind::Configuration, &error, error.hint());
            nothing_handed_out(&error, error.hint())
        })?;
        tracing::debug!(%registry, by = %choice.by, "the identity is chosen");
        let tokens = access.tokens(&choice, self.deadlines(notes));
        let token = tokens.token(registry);
        notes.extend(tokens.take_warnings().iter().map(note));
        let token = token.map_err(|error| token_failure(&error, registry, &choice.by, config.on_error()))?;
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
        let own = self.own_choice(&config);
        notes.extend(own.as_ref().err().map(ToString::to_string));
        let own = own.ok();
        let under_its_name = |registry: Registry| (registry.host(), registry);
        let mut servers: Vec<(String, Registry)> =
            config.registries().iter().cloned().map(under_its_name).collect();
        servers
            .extend(config.aliases().iter().map(|(alias, registry)| (alias.to_string(), registry.clone())));
        servers.extend(config.rules().iter().filter_map(|rule| {
            let server = rule.pattern.server()?;
            Some((server.to_owned(), config.registry(server).ok()?))
        }));
        servers.extend(
            self.cached_registries(&config, own.as_ref().map(|own| &own.selection))
                .into_iter()
                .map(under_its_name),
        );
        // Where the identity that is meant cannot be chosen, no other one is used in its place.
        if servers.is_empty()
            && let Some(own) = own
        {
            servers.extend(self.own_registry(&config, &own, notes).map(under_its_name));
        }
        servers.retain(|(_, registry)| config.permit(registry).is_ok());
        let mut list = self.others(&config, notes).list(notes);
        // What the policy forbids would not be got under these names either.
        list.retain(|server, _| {
            config.registry(server).map_or(true, |registry| config.permit(&registry).is_ok())
        });
        list.extend(
            servers.into_iter().map(|(server, _)| (format!("https://{server}"), USERNAME.to_owned())),
        );
        Ok(list)
    }

    fn store(&self, credential: Credential, notes: &mut Vec<String>) -> Result<(), Failure> {
        self.change(&credential.server_url, notes, |others| others.store(&credential))
    }

    fn erase(&self, server: &str, notes: &mut Vec<String>) -> Result<(), Failure> {
        self.change(server, notes, |others| others.erase(server))
    }
}

fn nothing_handed_out(error: &impl ToString, hint: Option<String>) -> Failure {
    Failure::not_found().because(error.to_string()).with_hint(hint)
}

/// Keeps what went wrong before AWS was asked. Whether it is kept makes no difference to the answer.
fn keep(
    failures: Option<LastFailures>,
    registry: &Registry,
    kind: FailureKind,
    error: &impl ToString,
    hint: Option<String>,
) {
    let Some(failures) = failures else { return };
    let _ = failures.keep(&LastFailure::without_call(registry, kind, error.to_string(), hint, system_time()));
}

/// A warning and its remedy in one line.
fn note(warning: &CacheWarning) -> String {
    let hint = warning.hint().map(|hint| format!(" (hint: {hint})"));
    format!("{warning}{}", hint.unwrap_or_default())
}

/// What the machine's policy forbids is not here, as far as the caller is concerned.
fn policy_failure(error: &PolicyError, registry: &Registry, failures: Option<LastFailures>) -> Failure {
    keep(failures, registry, FailureKind::Policy, error, error.hint());
    Failure::not_found().because(format!("{registry}: {error}")).with_hint(error.hint())
}

/// ECR Public can be read without credentials, so that their lack is never reported as a failure.
fn token_failure(error: &TokenError, registry: &Registry, by: &ChosenBy, on_error: OnError) -> Failure {
    let failure = match on_error {
        OnError::Report if !registry.is_public() => {
            Failure::reported(format!("{registry}: {}", error.summary()))
        }
        _ => Failure::not_found(),
    };
    // Whoever has set nothing to choose one knows where the identity should come from.
    let by = match error.kind() {
        FailureKind::NoIdentity | FailureKind::HopLimit | FailureKind::BrokenIdentity
            if *by != ChosenBy::Default =>
        {
            format!(", with the identity chosen by {by}")
        }
        _ => String::new(),
    };
    failure.because(format!("{registry}{by}: {error}")).with_hint(error.hint())
}
