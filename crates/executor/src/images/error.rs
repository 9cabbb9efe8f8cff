//! What can go wrong with an image, and how the engine's words are understood.
//!
//! The engine's API has no error codes for what a registry answered. Denials come as 404 or 500, or inside a stream
//! that began with 200; only the text tells. The texts known here are those of Docker 20.10 to 29, with Docker's own
//! image store (moby `distribution/errors.go`) and with containerd's (`core/remotes/docker/resolver.go`).

use std::time::Duration;

use crate::engine::EngineError;

/// How long a transfer may go without any news before it is given up.
pub(super) const TRANSFER_SILENCE: Duration = Duration::from_secs(300);

/// Words of a registry that knows the client too little or not at all, in lower case.
const DENIED: &[&str] = &[
    "no basic auth credentials",
    "unauthorized",
    "authentication required",
    "authorization failed",
    "insufficient_scope",
    "access denied",
    "access to the resource is denied",
    "authorization token has expired",
    "not authorized to perform",
    "denied:",
    "403 forbidden",
    "http 403 response body",
];

/// Words of a registry that has no such repository, tag or platform, in lower case.
const NOT_FOUND: &[&str] = &[
    "manifest unknown",
    "name unknown",
    "name_unknown",
    "manifest_unknown",
    "no matching manifest",
    "does not exist in the registry",
    "404 not found",
];

/// An image that could not be used, pulled or pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The image's name is not one that an engine could take.
    #[error("`{image}` is not an image reference")]
    InvalidReference {
        /// The name as given.
        image: String,
    },
    /// The engine does not have the image.
    #[error("the Docker engine has no image `{image}`")]
    NotPresent {
        /// The image.
        image: String,
    },
    /// The registry has no such image.
    #[error("image `{image}` was not found: {message}")]
    NotFound {
        /// The image.
        image: String,
        /// The engine's own words.
        message: String,
    },
    /// The registry refused access.
    #[error("access to image `{image}` was denied by `{registry}`: {message}")]
    Denied {
        /// The image.
        image: String,
        /// The registry's host and port.
        registry: String,
        /// Whether a credential was sent.
        with_credential: bool,
        /// The engine's own words.
        message: String,
    },
    /// The pull or push failed for another reason.
    #[error("image `{image}` could not be {}: {message}", past(operation))]
    TransferFailed {
        /// The image.
        image: String,
        /// "pull the image" or "push the image".
        operation: &'static str,
        /// The engine's own words.
        message: String,
    },
    /// The engine reported no progress for too long.
    #[error("image `{image}` could not be {}: no progress for {} s", past(operation), TRANSFER_SILENCE.as_secs())]
    Stalled {
        /// The image.
        image: String,
        /// "pull the image" or "push the image".
        operation: &'static str,
    },
    /// The engine could not be asked, or answered something unexpected.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn past(operation: &str) -> &'static str {
    if operation == PUSH { "pushed" } else { "pulled" }
}

const PULL: &str = "pull the image";
const PUSH: &str = "push the image";

impl ImageError {
    /// Returns what the user can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidReference { .. } => {
                Some("write it as REGISTRY/REPOSITORY:TAG; variables in it may be unset".to_owned())
            }
            Self::NotPresent { image } => {
                Some(format!("`docker pull {image}` first, or let the pull policy be `if-not-present`"))
            }
            Self::NotFound { .. } => Some(
                "check the repository, the tag, and that registry and region are those it was pushed to"
                    .to_owned(),
            ),
            Self::Denied { registry, with_credential: false, .. } => Some(format!(
                "no credential was sent to `{registry}`: name it under `credHelpers` in DOCKER_AUTH_CONFIG or in the \
                 runner's ~/.docker/config.json"
            )),
            Self::Denied { message, .. } => Some(denial_hint(message)),
            Self::TransferFailed { message, .. } => transfer_hint(message),
            Self::Stalled { .. } => Some("see the engine's log: `journalctl -u docker`".to_owned()),
            Self::Engine(error) => error.hint(),
        }
    }
}

/// ECR answers "expired" also to a fresh token of another region.
fn denial_hint(message: &str) -> String {
    let message = message.to_lowercase();
    if message.contains("token has expired") {
        "the token is too old, or it was made for another region than that of the registry".to_owned()
    } else if message.contains("not authorized to perform") {
        "allow the named principal the named action, in its IAM policy or in the repository's policy"
            .to_owned()
    } else {
        "the credential that was sent is not accepted: check which one is chosen, and its permissions"
            .to_owned()
    }
}

fn transfer_hint(message: &str) -> Option<String> {
    let message = message.to_lowercase();
    let hint = if message.contains("server gave http response to https client") {
        "the registry speaks plain HTTP: list it under `insecure-registries` in the engine's daemon.json"
    } else if message.contains("x509:") {
        "put the registry's CA certificate into /etc/docker/certs.d/HOST/ca.crt on the engine's machine"
    } else if message.contains("no such host")
        || message.contains("dial tcp")
        || message.contains("i/o timeout")
    {
        "the engine's machine must reach the registry: check its DNS, its route and the engine's proxy settings"
    } else if message.contains("toomanyrequests") || message.contains("too many requests") {
        "the registry limits the rate: wait, or pull with a credential"
    } else if message.contains("no space left on device") {
        "free space on the engine's machine: `docker system df`"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// What is being transferred: the context of its errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer<'a> {
    image: &'a str,
    registry: &'a str,
    with_credential: bool,
    operation: &'static str,
}

impl<'a> Transfer<'a> {
    pub(crate) fn pull(image: &'a str, registry: &'a str, with_credential: bool) -> Self {
        Self { image, registry, with_credential, operation: PULL }
    }

    pub(crate) fn push(image: &'a str, registry: &'a str, with_credential: bool) -> Self {
        Self { image, registry, with_credential, operation: PUSH }
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    pub(crate) fn stalled(&self) -> ImageError {
        ImageError::Stalled { image: self.image.to_owned(), operation: self.operation }
    }

    /// Returns the error for what the engine answered. The order matters: Docker says "pull access denied …
    /// repository does not exist" with status 404 for a denial.
    pub(crate) fn failed(&self, error: EngineError) -> ImageError {
        let EngineError::Refused { status, message, .. } = error else {
            return ImageError::Engine(error);
        };
        let image = self.image.to_owned();
        let lower = message.to_lowercase();
        if DENIED.iter().any(|words| lower.contains(words)) {
            let registry = self.registry.to_owned();
            return ImageError::Denied { image, registry, with_credential: self.with_credential, message };
        }
        let is_unknown =
            NOT_FOUND.iter().any(|words| lower.contains(words)) || lower.ends_with(": not found");
        if is_unknown || status == 404 {
            return ImageError::NotFound { image, message };
        }
        ImageError::TransferFailed { image, operation: self.operation, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, message: &str) -> ImageError {
        let error = EngineError::Refused { operation: PULL, status, message: message.to_owned() };
        Transfer::pull("r.example/app:1", "r.example", true).failed(error)
    }

    /// Answers of real engines: 20.10 (measured), 28 and 29 with containerd's image store (from issue reports).
    #[test]
    fn denials_are_recognised_in_every_wording() {
        for (status, message) in [
            (500, "Head \"https://r.example/v2/app/manifests/1\": no basic auth credentials"),
            (
                404,
                "pull access denied for r.example/app, repository does not exist or may require 'docker login': \
                 denied: Your authorization token has expired. Reauthenticate and try again.",
            ),
            (
                404,
                "pull access denied for r.example/app, repository does not exist or may require 'docker login': \
                 denied: User: arn:aws:sts::000000000000:assumed-role/R/s is not authorized to perform: \
                 ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/app because no \
                 identity-based policy allows the ecr:BatchGetImage action",
            ),
            (
                500,
                "error parsing HTTP 403 response body: invalid character 'Y' looking for beginning of value: \"Your \
                 authorization token has expired. Reauthenticate and try again.\"",
            ),
            (500, "unauthorized: authentication required"),
            (
                404,
                "failed to resolve reference \"r.example/app:1\": pull access denied, repository does not exist or \
                 may require authorization: authorization failed: no basic auth credentials",
            ),
            (
                500,
                "failed to resolve reference \"r.example/app:1\": unexpected status from HEAD request to \
                 https://r.example/v2/app/manifests/1: 403 Forbidden",
            ),
            (
                500,
                "error from registry: User: arn:aws:sts::000000000000:assumed-role/R/s is not authorized to \
                 perform: ecr:BatchGetImage",
            ),
            (200, "denied: requested access to the resource is denied"),
        ] {
            let error = classified(status, message);
            assert!(matches!(error, ImageError::Denied { .. }), "{message}: {error:?}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn missing_images_are_recognised_in_every_wording() {
        for (status, message) in [
            (404, "manifest for r.example/app:1 not found: manifest unknown: Requested image not found"),
            (
                404,
                "repository r.example/app not found: name unknown: The repository with name 'app' does not exist in \
                 the registry with id '000000000000'",
            ),
            (404, "failed to resolve reference \"r.example/app:1\": r.example/app:1: not found"),
            (200, "r.example/app:1: not found"),
            (404, "no matching manifest for linux/amd64 in the manifest list entries"),
        ] {
            let error = classified(status, message);
            assert!(matches!(error, ImageError::NotFound { .. }), "{message}: {error:?}");
        }
    }

    #[test]
    fn other_failures_keep_the_engines_words() {
        for (message, hint) in [
            (
                "Get \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client",
                Some("insecure"),
            ),
            ("Get \"https://r.example/v2/\": x509: certificate signed by unknown authority", Some("certs.d")),
            ("Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host", Some("DNS")),
            (
                "Get \"http://127.0.0.1:5998/v2/\": dial tcp 127.0.0.1:5998: connect: connection refused",
                Some("route"),
            ),
            ("toomanyrequests: Rate exceeded", Some("rate")),
            ("write /var/lib/docker/tmp/x: no space left on device", Some("df")),
            ("received unexpected HTTP status: 500 Internal Server Error", None),
        ] {
            let error = classified(500, message);
            assert!(matches!(error, ImageError::TransferFailed { .. }), "{message}: {error:?}");
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(error.hint().is_some(), hint.is_some(), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint.unwrap_or_default()), "{error}");
        }
    }

    #[test]
    fn a_denial_without_a_credential_has_another_hint() {
        let error = EngineError::Refused {
            operation: PULL,
            status: 500,
            message: "no basic auth credentials".to_owned(),
        };
        let denied = Transfer::pull("r.example/app", "r.example", false).failed(error);
        assert!(denied.hint().is_some_and(|hint| hint.contains("credHelpers")), "{denied:?}");
    }

    #[test]
    fn a_failed_push_says_pushed() {
        let error = EngineError::Refused { operation: PUSH, status: 500, message: "boom".to_owned() };
        let error = Transfer::push("r.example/app", "r.example", true).failed(error);
        assert_eq!(error.to_string(), "image `r.example/app` could not be pushed: boom");
    }
}
