//! A job that could not be run, in the words and exit codes of `ecru`.

use ecru_executor::{EngineError, ImageError, RunError};

use super::credentials::{Obstacle, RunnerCredentials};
use crate::error::CommandError;
use crate::exit_code;

/// The failure `error` of a run whose credentials came from `credentials`.
pub(crate) fn run_failure(error: &RunError, credentials: &RunnerCredentials) -> CommandError {
    let mut failure = match error {
        // What happened to the image is the news; whose it is comes before it.
        RunError::Image { container, source } => {
            CommandError::new(exit_code_of(error), format!("the image of {container}: {source}"))
        }
        other => CommandError::from_error(exit_code_of(error), other),
    };
    for line in error.service_log() {
        failure = failure.because(format!("its log: {line}"));
    }
    let obstacles = image_without_access(error).map(|image| credentials.obstacles(image)).unwrap_or_default();
    // Who knows what stands in the way gives better advice than who only sees the refusal.
    let has_a_hint = obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Hint(_)));
    failure = obstacles.into_iter().fold(failure, Obstacle::told_with);
    if has_a_hint { failure } else { failure.maybe_hint(error.hint()) }
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
