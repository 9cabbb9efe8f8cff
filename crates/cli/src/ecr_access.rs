//! The way to a registry's token, as the credential helper goes it: configuration, policy, identity.

use std::path::Path;
use std::time::SystemTime;

use ecru_ecr::access::Access;
use ecru_ecr::clock::system_time;
use ecru_ecr::config::{Choice, ChoiceError, Config, SYSTEM_FILE, Source};
use ecru_ecr::deadlines::Deadlines;
use ecru_ecr::environment::Environment;
use ecru_ecr::last_failure::LastFailure;
use ecru_ecr::registry::{Address, Registry};
use ecru_ecr::token::{FailureKind, TokenError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// The configuration, and the environment in which it counts.
pub(crate) struct EcrAccess {
    pub(crate) config: Config,
    pub(crate) environment: Environment,
    pub(crate) deadlines: Deadlines,
}

/// A registry that was asked for, and the identity that is meant for it.
pub(crate) struct Asked {
    /// As it was asked for, which may be an alias, without scheme and path.
    pub(crate) address: String,
    pub(crate) registry: Registry,
    pub(crate) choice: Choice,
}

impl EcrAccess {
    /// What counts in `outside`.
    pub(crate) fn new(outside: &Outside) -> Result<Self, CommandError> {
        let environment = outside.environment();
        let config = Config::load(&Source::all(Path::new(SYSTEM_FILE), &environment)).map_err(|error| {
            CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
        })?;
        let deadlines = Deadlines::from_environment(&environment)
            .map_err(|error| CommandError::from_error(exit_code::BAD_CONFIGURATION, &error))?;
        Ok(Self { config, environment, deadlines })
    }

    /// The way on from here.
    pub(crate) fn access(&self) -> Access<'_> {
        Access { config: &self.config, environment: &self.environment, clock: system_time }
    }

    /// The registry that `text` names, itself or by an alias.
    pub(crate) fn registry(&self, text: &str) -> Result<Registry, CommandError> {
        self.config.registry(text).map_err(|error| {
            CommandError::from_error(exit_code::NOT_A_REGISTRY, &error).hint(
                "name a registry such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com, public.ecr.aws, or an alias of \
                 ecru's configuration",
            )
        })
    }

    /// What is meant by `text`, if the policy allows it.
    pub(crate) fn asked(&self, text: &str) -> Result<Asked, CommandError> {
        let registry = self.registry(text)?;
        if let Err(error) = self.config.permit(&registry) {
            if let Some(failures) = self.access().failures() {
                // Whether it is kept makes no difference to the answer.
                let _ = failures.keep(&LastFailure::without_call(
                    &registry,
                    FailureKind::Policy,
                    error.to_string(),
                    error.hint(),
                    system_time(),
                ));
            }
            return Err(CommandError::from_error(exit_code::FORBIDDEN, &error).maybe_hint(error.hint()));
        }
        let request = self
            .config
            .request(text)
            .map_err(|error| CommandError::from_error(exit_code::NOT_A_REGISTRY, &error))?;
        let choice = self.config.choice(&request, None, &self.environment);
        let choice = choice.map_err(|error| choice_error(&error))?;
        let address = Address::parse(text).map_or_else(|_| registry.host(), |address| address.to_string());
        Ok(Asked { address, registry, choice })
    }

    /// Where the identity for a registry comes from, and what chose it, in the words of `ecru whoami` and without asking
    /// anyone. `program_profile` is what the helper's name asks for.
    pub(crate) fn configured_identity(&self, text: &str, program_profile: Option<&str>) -> Option<String> {
        let request = self.config.request(text).ok()?;
        let Choice { selection, by } =
            self.config.choice(&request, program_profile, &self.environment).ok()?;
        Some(format!("{}, chosen by {by}", selection.configured_source(&self.environment)))
    }

    /// The identity where no registry is meant.
    pub(crate) fn own_choice(&self) -> Result<Choice, CommandError> {
        self.config.own_choice(None, &self.environment).map_err(|error| choice_error(&error))
    }
}

fn choice_error(error: &ChoiceError) -> CommandError {
    CommandError::from_error(exit_code::BAD_CONFIGURATION, error).maybe_hint(error.hint())
}

/// Why there is no token or no identity, with each source that was tried.
pub(crate) fn token_error(error: &TokenError) -> CommandError {
    let failure = match error.attempts() {
        [] => CommandError::from_error(exit_code::NO_TOKEN, error),
        attempts => attempts
            .iter()
            .fold(CommandError::new(exit_code::NO_TOKEN, error.summary()), |failure, attempt| {
                failure.because(format!("{}: {}", attempt.source, attempt.reason))
            }),
    };
    failure.maybe_hint(error.hint())
}

/// A time as RFC 3339 has it, to the second.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
