//! Why it cannot be told what an image is.

use ecru_docker::reference::ReferenceError;

use crate::refusal::MissingPermission;

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The address of the proxy cannot be read. It is not repeated: it may hold a password.
    #[error("the address of the proxy cannot be read")]
    Proxy,
    /// The further root certificates cannot be used.
    #[error("the file of root certificates holds none that can be used")]
    Roots,
    /// The file that AWS_CA_BUNDLE names cannot be read.
    #[error("cannot read {path}, which AWS_CA_BUNDLE names: {reason}")]
    Bundle {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
}

impl SetupError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Bundle { .. } => Some("unset AWS_CA_BUNDLE, or name a file in PEM format".to_owned()),
            _ => None,
        }
    }
}

/// Why it cannot be told what an image is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The image's name cannot be read.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry has no such repository.
    #[error("the repository does not exist{}", after_colon(message))]
    NoRepository {
        /// What the registry says.
        message: String,
    },
    /// The repository has no such tag or digest.
    #[error("the repository has no such image{}", after_colon(message))]
    NoImage {
        /// What the registry says.
        message: String,
    },
    /// The principal may not.
    #[error("denied{}", after_colon(message))]
    Denied {
        /// What the registry says.
        message: String,
        /// The permission that is missing, where the registry says it.
        missing: Option<Box<MissingPermission>>,
    },
    /// The password is too old; ECR says the same of one for another region.
    #[error("the password has expired or is for another region{}", after_colon(message))]
    PasswordExpired {
        /// What the registry says.
        message: String,
    },
    /// The registry does not take the password.
    #[error("the registry does not accept these credentials{}", after_colon(message))]
    LoginRefused {
        /// What the registry says.
        message: String,
    },
    /// The registry wants a password and there is none.
    #[error("the registry wants credentials, and there are none for this image")]
    LoginMissing,
    /// The credentials are of a kind that this client does not send.
    #[error("the credentials are an identity token, which is not tried here")]
    IdentityToken,
    /// The registry answers too many.
    #[error("the registry throttles: too many requests{}", after_colon(message))]
    TooManyRequests {
        /// What the registry says.
        message: String,
    },
    /// The registry answers something else.
    #[error("the registry answers with status {status}{}", after_colon(message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// What the registry says.
        message: String,
    },
    /// The registry sends clients for a token to a host that is not its own.
    #[error(
        "the registry `{registry}` wants the password sent to `{host}`, which is not known to belong to it"
    )]
    RealmElsewhere {
        /// The registry.
        registry: String,
        /// The other host.
        host: String,
    },
    /// The name of the registry leads nowhere.
    #[error("no route to the registry: {cause}")]
    NoRoute {
        /// What the system says.
        cause: String,
    },
    /// There is no trust in who answers.
    #[error("TLS with the registry fails: {cause}")]
    Tls {
        /// What is wrong.
        cause: String,
    },
    /// The registry does not answer in time.
    #[error("the registry does not answer in time")]
    TimedOut,
    /// What it answers cannot be read.
    #[error("the registry's answer cannot be read: {0}")]
    Answer(String),
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl LookupError {
    /// The kind of failure in one word, which does not change between versions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reference(_) => "invalid_reference",
            Self::NoRepository { .. } => "repository_missing",
            Self::NoImage { .. } => "image_missing",
            Self::Denied { .. } => "denied",
            Self::PasswordExpired { .. } => "expired",
            Self::LoginRefused { .. } => "login_refused",
            Self::LoginMissing => "no_credentials",
            Self::IdentityToken => "identity_token",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Status { .. } | Self::Answer(_) => "unexpected_answer",
            Self::RealmElsewhere { .. } => "foreign_realm",
            Self::NoRoute { .. } => "no_route",
            Self::Tls { .. } => "tls",
            Self::TimedOut => "timeout",
        }
    }

    /// Whether there was a password, and the registry did not take it.
    #[must_use]
    pub fn is_about_password(&self) -> bool {
        matches!(self, Self::PasswordExpired { .. } | Self::LoginRefused { .. })
    }

    /// The permission that is missing, where the registry says it.
    #[must_use]
    pub fn missing_permission(&self) -> Option<&MissingPermission> {
        match self {
            Self::Denied { missing, .. } => missing.as_deref(),
            _ => None,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.hint(),
            Self::NoRepository { message } => {
                let names = "check account and region in the registry's name, and the repository's name";
                Some(match possible_cache(message) {
                    Some(prefix) => format!(
                        "{names}; if `{prefix}` is the prefix of a pull-through cache, the first pull also needs \
                         `ecr:BatchImportUpstreamImage` and `ecr:CreateRepository`"
                    ),
                    None => names.to_owned(),
                })
            }
            Self::NoImage { .. } => Some("check the tag: it was never pushed, or has expired".into()),
            Self::Denied { missing: Some(missing), .. } => Some(match &missing.resource {
                Some(resource) => format!("allow `{}` on `{resource}`", missing.action),
                None => format!("allow `{}`", missing.action),
            }),
            Self::PasswordExpired { .. } => {
                Some("use a credential helper: ECR's passwords live for 12 hours, in one region".into())
            }
            Self::TooManyRequests { .. } => Some(
                "wait a minute and try again; ECR limits requests per account and region (`aws service-quotas \
                 list-service-quotas --service-code ecr`)"
                    .into(),
            ),
            Self::Tls { .. } => Some("name your own certificate authority's file in AWS_CA_BUNDLE".into()),
            Self::NoRoute { .. } => {
                Some("check the registry's name, the DNS, and HTTPS_PROXY and NO_PROXY".into())
            }
            _ => None,
        }
    }
}

/// What may be the prefix of a pull-through cache, in ECR's sentence of a repository that is not there. It says the same
/// to whoever may not fill the cache ("Troubleshooting pull through cache issues in Amazon ECR", Amazon ECR user guide).
fn possible_cache(message: &str) -> Option<&str> {
    let (_, behind) = message.split_once("The repository with name '")?;
    let (repository, registry) = behind.split_once("' does not exist in the registry with id '")?;
    // ECR Public has aliases in place of accounts, and no caches.
    let is_private = registry.starts_with(|letter: char| letter.is_ascii_digit());
    repository.split_once('/').filter(|_| is_private).map(|(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_is_not_there_may_be_one_that_a_cache_has_not_made() {
        let hint = |repository: &str, registry: &str| {
            let message = format!(
                "The repository with name '{repository}' does not exist in the registry with id '{registry}'"
            );
            LookupError::NoRepository { message }.hint().unwrap_or_default()
        };
        assert!(
            hint("quay/team/app", "111122223333").contains("`quay` is the prefix of a pull-through cache")
        );
        assert!(!hint("app", "111122223333").contains("cache"));
        assert!(!hint("team/app", "alias").contains("cache"));
    }
}
