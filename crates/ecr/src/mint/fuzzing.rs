//! Doors to what judges and words the answers of AWS, for the fuzz targets only.

mod scripted;

use std::io;
use std::time::SystemTime;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::ErrorMetadata;

pub use self::scripted::{GivenIdentity, HttpAnswer, Outcome, Script};
use super::answer::{self, Answer, Asked};
use super::failure::Failure;
use super::progress::Progress;
use crate::environment::Environment;
use crate::registry::Partitions;
use crate::token::{Token, TokenError};

/// What GetAuthorizationToken answered, and to what.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The region that was asked; `None` for ECR Public.
    pub region: Option<&'a str>,
    /// The token.
    pub authorization_token: Option<&'a str>,
    /// The second at which it expires.
    pub expires_at: Option<i64>,
    /// The principal's own registry.
    pub proxy_endpoint: Option<&'a str>,
}

/// What AWS refused with.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The code of the error.
    pub code: Option<&'a str>,
    /// Its message.
    pub message: Option<&'a str>,
    /// The ID of the request.
    pub request_id: Option<&'a str>,
}

/// The token in an answer that came at this time.
///
/// # Errors
/// If it is not believed.
pub fn token_in_answer(answer: &Answered<'_>, now: SystemTime) -> Result<Token, TokenError> {
    let expires_at = answer.expires_at.map(DateTime::from_secs);
    let asked = Asked { region: answer.region, partition: None };
    let answer = Answer {
        authorization_token: answer.authorization_token,
        expires_at: expires_at.as_ref(),
        proxy_endpoint: answer.proxy_endpoint,
    };
    let checked = answer::check(&answer, &asked, &Partitions::default(), now);
    checked.map_err(|fault| failure("").of_answer(&fault))
}

/// How a refusal is worded for somebody who has this secret.
#[must_use]
pub fn refusal(refusal: &Refusal<'_>, secret: &str) -> TokenError {
    let mut error = ErrorMetadata::builder();
    if let Some(code) = refusal.code {
        error = error.code(code);
    }
    if let Some(message) = refusal.message {
        error = error.message(message);
    }
    failure(secret).of_refusal(refusal.status, &error.build(), refusal.request_id)
}

/// How the SDK's words on an identity that cannot be had are worded for somebody who has this secret.
#[must_use]
pub fn identity_failure(words: &str, secret: &str) -> TokenError {
    failure(secret).of_identity(&CredentialsError::provider_error(io::Error::other(words.to_owned())))
}

fn failure(secret: &str) -> Failure {
    Failure::new(&Environment::default(), None, Progress::start()).with_secret(secret.into())
}
