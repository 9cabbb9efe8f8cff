//! What a registry refuses here, and may not refuse in a pipeline.

use ecru_gitlab::variables::DOCKER_AUTH_CONFIG;
use ecru_registry::LookupError;

use super::report::{CheckedImage, Credentials, Outcome};

/// Takes back that an image cannot be had where a job knows or makes what is missing here.
pub(super) fn leave_open(images: &mut [CheckedImage]) {
    for image in images {
        if let Some(outcome) = opened(image) {
            if matches!(image.credentials, Credentials::Aborted { .. }) {
                image.credentials = Credentials::NotChosen;
            }
            image.outcome = outcome;
        }
    }
}

fn opened(image: &CheckedImage) -> Option<Outcome> {
    if matches!(image.outcome, Outcome::Failed(LookupError::NoImage { .. })) && image.is_of_commit {
        return Some(Outcome::LeftOpen {
            reason: "it is named after the commit, and a job of this pipeline may push it".to_owned(),
            hint: "check again once it is pushed".to_owned(),
        });
    }
    let is_about_credentials = match &image.outcome {
        Outcome::Failed(error) => {
            error.is_about_password()
                || matches!(error, LookupError::LoginMissing | LookupError::Denied { .. })
        }
        _ => matches!(image.credentials, Credentials::Aborted { .. }),
    };
    let unknown = image.unknown_in_config.first().filter(|_| is_about_credentials)?;
    let (reason, hint) = match unknown.as_str() {
        DOCKER_AUTH_CONFIG => ("comes from `secrets`".to_owned(), "--docker-auth-config @FILE".to_owned()),
        name => {
            (format!("depends on `${name}`, which is not known here"), format!("--variable {name}=VALUE"))
        }
    };
    Some(Outcome::LeftOpen { reason: format!("its DOCKER_AUTH_CONFIG {reason}"), hint })
}
