//! The seam: whoever needs a registry's password asks a [`TokenSource`].

mod error;
mod hint;
mod kind;
mod stated_expiry;

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;

pub use self::error::{Attempt, AwsFailure, TokenError};
pub(crate) use self::error::{EMPTY_PROFILE, METADATA_OFF, NO_ROLE, NO_TOKEN};
pub use self::kind::FailureKind;
pub use self::stated_expiry::stated_expiry;
use crate::registry::Registry;

/// How long tokens of Amazon ECR live at most
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>).
pub const MAX_LIFETIME: Duration = Duration::from_hours(12);

/// A registry's password. One token opens every registry that its principal may read in the token's region.
#[derive(Debug, Clone)]
pub struct Token {
    /// The user name to give with it.
    pub username: String,
    /// The password.
    pub secret: SecretString,
    /// When it was handed out.
    pub issued_at: SystemTime,
    /// When it stops working.
    pub expires_at: SystemTime,
    /// The registry of the principal's own account, if AWS named it.
    pub own_registry: Option<Registry>,
}

/// Whoever can get a token for a registry.
pub trait TokenSource {
    /// A token that opens `registry` now. May wait, but not without end.
    ///
    /// # Errors
    /// If there is none to be had; see [`TokenError`].
    fn token(&self, registry: &Registry) -> Result<Token, TokenError>;

    /// The same within less time than the source takes by itself, if it knows how to hurry.
    ///
    /// # Errors
    /// As [`TokenSource::token`].
    fn token_within(&self, registry: &Registry, limit: Duration) -> Result<Token, TokenError> {
        let _ = limit;
        self.token(registry)
    }

    /// Hears what another process was told in this one's place, and returns it.
    fn heard(&self, registry: &Registry, error: TokenError) -> TokenError {
        let _ = registry;
        error
    }
}

impl<S: TokenSource + ?Sized> TokenSource for &S {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        (**self).token(registry)
    }

    fn token_within(&self, registry: &Registry, limit: Duration) -> Result<Token, TokenError> {
        (**self).token_within(registry, limit)
    }

    fn heard(&self, registry: &Registry, error: TokenError) -> TokenError {
        (**self).heard(registry, error)
    }
}

/// A source that answers what it was given, once each, and counts how often it was asked: for tests.
#[derive(Debug, Default)]
pub struct Fixed {
    answers: Mutex<Vec<Result<Token, TokenError>>>,
    asked: Mutex<Vec<Registry>>,
}

impl Fixed {
    /// A source that gives these answers in this order, and then says that there is no identity.
    #[must_use]
    pub fn new(answers: impl IntoIterator<Item = Result<Token, TokenError>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self { answers: Mutex::new(answers), asked: Mutex::default() }
    }

    /// The registries that it was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Registry> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }
}

impl TokenSource for Fixed {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(registry.clone());
        }
        let answer = self.answers.lock().ok().and_then(|mut answers| answers.pop());
        answer.unwrap_or(Err(TokenError::NoIdentity { only: None, attempts: Vec::new() }))
    }
}
