//! A job that could not be run, in the words and exit codes of `ecru`.

use ecru_executor::{EngineError, ImageError, RunError};

use super::credentials::RunnerCredentials;
use crate::error::CommandError;
use crate::exit_code;

/// The failure `error` of a run whose credentials came from `credentials`.
pub(crate) fn run_failure(error: &RunError, credentials: &RunnerCredentials) -> CommandError {
    let mut failure = CommandError::from_error(exit_code_of(error), error);
    for line in error.service_log() {
        failure = failure.because(format!("its log: {line}"));
    }
    if let Some(image) = image_without_access(error) {
        for obstacle in credentials.obstacles(image) {
            failure = match obstacle.split_once("hint: ") {
                Some((_, hint)) => failure.hint(hint),
                None => failure.because(obstacle),
            };
        }
    }
    failure.maybe_hint(error.hint())
}

fn exit_code_of(error: &RunError) -> u8 {
    match error {
        RunError::Image { source: ImageError::NotFound { .. } | ImageError::NotPresent { .. }, .. } => {
            exit_code::IMAGE_NOT_FOUND
        }
        RunError::Image { source: ImageError::Denied { .. }, .. } | RunError::CredentialLookup { .. } => {
            exit_code::PULL_DENIED
        }
        RunError::Image { source: ImageError::InvalidReference { .. }, .. }
        | RunError::InvalidSpec { .. } => exit_code::BAD_CONFIGURATION,
        RunError::ServiceExited { .. } | RunError::ServiceNeverListened { .. } => {
            exit_code::SERVICE_NOT_READY
        }
        RunError::TimedOut { .. } => exit_code::TIMED_OUT,
        RunError::Cancelled => exit_code::INTERRUPTED,
        RunError::Engine(EngineError::Unreachable { .. } | EngineError::UnsupportedAddress { .. }) => {
            exit_code::NO_ENGINE
        }
        _ => exit_code::ENGINE_FAILED,
    }
}

/// The image that was refused: then what its credentials lacked is the cause.
fn image_without_access(error: &RunError) -> Option<&str> {
    match error {
        RunError::Image { source: ImageError::Denied { image, .. }, .. }
        | RunError::CredentialLookup { image, .. } => Some(image),
        _ => None,
    }
}
