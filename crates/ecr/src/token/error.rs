//! Why there is no token, in words for a person.

use std::fmt;
use std::time::Duration;

use super::FailureKind;
use crate::config::PolicyError;
use crate::identity::SoleSource;

/// The reason of an instance without a role, and the hint's sign.
pub(crate) const NO_ROLE: &str = "this instance has no role";

/// The reason of an instance whose metadata service says 403
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>), and the hint's sign.
pub(crate) const METADATA_OFF: &str = "the instance metadata service is switched off or not allowed";

/// What is said last of a profile, after its name.
pub(crate) const EMPTY_PROFILE: &str = "has no credentials";

/// What is said last of a variable without the identity token that it should hold.
pub(crate) const NO_TOKEN: &str = "which should hold the identity token, is not set";

/// Why there is no token.
///
/// Two wordings exist: Display says everything, for the person who runs the machine; [`TokenError::summary`] is one
/// of a few fixed sentences, for places such as a job's log that outsiders read. Neither contains a secret: the
/// parts that come from AWS are made printable, cut, and searched for the secrets at hand before they get here.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No source of the chain had any credentials.
    #[error("no AWS identity was found{}{}", Only(.only.as_ref()), Attempts(.attempts))]
    NoIdentity {
        /// The one source that may be used, where there is but one.
        only: Option<SoleSource>,
        /// The sources that were tried, in their order.
        attempts: Vec<Attempt>,
    },
    /// A source has credentials, or should have, and they cannot be had.
    #[error("the AWS identity cannot be used: {cause}")]
    BrokenIdentity {
        /// What is wrong.
        cause: String,
    },
    /// The `credential_process` of a profile did not end in time.
    #[error(
        "the AWS identity cannot be used: the `credential_process` that the profile `{profile}` uses has not ended \
         after {:.1} s", .after.as_secs_f32()
    )]
    ProcessTimedOut {
        /// The profile of the SDK's files.
        profile: String,
        /// How long all of it took.
        after: Duration,
    },
    /// The credentials, or the login that they come from, have expired.
    #[error("the AWS identity has expired: {cause}")]
    ExpiredIdentity {
        /// What AWS or the SDK said.
        cause: String,
    },
    /// The login of IAM Identity Center that a profile uses has expired, or there was none.
    #[error("the login of the profile `{profile}` has expired: {cause}")]
    ExpiredLogin {
        /// The profile of the SDK's files.
        profile: String,
        /// What AWS or the SDK said.
        cause: String,
    },
    /// AWS knows the principal and does not let it do this.
    #[error("access denied by AWS: {failure}")]
    AccessDenied {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// AWS does not know the credentials, or not in this region.
    #[error("AWS does not accept the credentials: {failure}")]
    InvalidIdentity {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// The clock of this machine is wrong.
    #[error("this machine's clock and that of AWS differ: {cause}")]
    ClockSkew {
        /// How it showed.
        cause: String,
    },
    /// The region is not enabled for the account, or the endpoint is that of another region.
    #[error("AWS does not serve the request in this region: {failure}")]
    WrongRegion {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// Too many requests were made.
    #[error("AWS has throttled the request: {failure}")]
    Throttled {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// AWS failed by itself.
    #[error("AWS failed: {failure}")]
    ServiceFailure {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// AWS refused for another reason.
    #[error("AWS refused the request: {failure}")]
    Refused {
        /// What AWS said.
        failure: AwsFailure,
    },
    /// There was no answer in time.
    #[error("no answer after {:.1} s from {waiting_for}", .after.as_secs_f32())]
    TimedOut {
        /// Who did not answer.
        waiting_for: String,
        /// How long all of it took.
        after: Duration,
    },
    /// No connection came about, or it broke.
    #[error("{endpoint} cannot be reached: {cause}")]
    Unreachable {
        /// Who was called.
        endpoint: String,
        /// What stood against it.
        cause: String,
    },
    /// The other side could not prove to be AWS.
    #[error("the TLS connection to {endpoint} failed: {cause}")]
    Tls {
        /// Who was called.
        endpoint: String,
        /// What is wrong.
        cause: String,
    },
    /// An answer came, but it is not what AWS answers.
    #[error("the answer of {endpoint} cannot be used: {problem}")]
    MalformedAnswer {
        /// Who answered.
        endpoint: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// A setting of this machine cannot be meant.
    #[error("{problem}")]
    Configuration {
        /// The setting, and what is wrong with it.
        problem: String,
    },
    /// The policy of this machine forbids it.
    #[error(transparent)]
    Forbidden(PolicyError),
    /// What another process was told, which has just asked for the same token.
    #[error("{message} (so another process was told {:.1} s ago)", .ago.as_secs_f32())]
    Shared {
        /// The kind of its failure.
        kind: FailureKind,
        /// What happened.
        message: String,
        /// What can be done about it.
        hint: Option<String>,
        /// For how long it has known.
        ago: Duration,
    },
}

impl TokenError {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NoIdentity { .. } if self.is_unanswered_metadata() => FailureKind::HopLimit,
            Self::NoIdentity { .. } => FailureKind::NoIdentity,
            Self::BrokenIdentity { .. } | Self::ProcessTimedOut { .. } => FailureKind::BrokenIdentity,
            Self::ExpiredIdentity { .. } => FailureKind::ExpiredIdentity,
            Self::ExpiredLogin { .. } => FailureKind::ExpiredLogin,
            Self::AccessDenied { .. } => FailureKind::AccessDenied,
            Self::InvalidIdentity { .. } => FailureKind::InvalidIdentity,
            Self::ClockSkew { .. } => FailureKind::ClockSkew,
            Self::WrongRegion { .. } => FailureKind::WrongRegion,
            Self::Throttled { .. } => FailureKind::Throttled,
            Self::ServiceFailure { .. } => FailureKind::ServiceFailure,
            Self::Refused { .. } => FailureKind::Refused,
            Self::TimedOut { .. } => FailureKind::TimedOut,
            Self::Unreachable { .. } => FailureKind::Unreachable,
            Self::Tls { .. } => FailureKind::Tls,
            Self::MalformedAnswer { .. } => FailureKind::MalformedAnswer,
            Self::Configuration { .. } => FailureKind::Configuration,
            Self::Forbidden(_) => FailureKind::Policy,
            Self::Shared { kind, .. } => *kind,
        }
    }

    /// Whether it might have gone better with more time. A throttle is waited out until the time is over.
    pub(crate) fn ends_with_the_time(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::ProcessTimedOut { .. } | Self::Throttled { .. })
    }

    /// Whether it might have gone better with more tries.
    pub(crate) fn ends_with_the_tries(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::ServiceFailure { .. })
    }

    /// The sources of identities that were tried in vain, in their order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::NoIdentity { attempts, .. } => attempts,
            _ => &[],
        }
    }

    /// The source that tells most of why there is no identity: one that was asked for by a variable, else the last that
    /// was tried, which is the instance as a rule.
    #[must_use]
    pub fn telling_attempt(&self) -> Option<&Attempt> {
        let attempts = self.attempts();
        attempts.iter().find(|attempt| attempt.is_asked_for()).or(attempts.last())
    }

    /// What AWS said, if it said no.
    #[must_use]
    pub fn aws_failure(&self) -> Option<&AwsFailure> {
        match self {
            Self::AccessDenied { failure }
            | Self::InvalidIdentity { failure }
            | Self::WrongRegion { failure }
            | Self::Throttled { failure }
            | Self::ServiceFailure { failure }
            | Self::Refused { failure } => Some(failure),
            _ => None,
        }
    }

    /// Whether a source had nothing for this reason.
    pub(super) fn is_attempt(&self, reason: &str) -> bool {
        self.attempts().iter().any(|attempt| attempt.reason.starts_with(reason))
    }

    pub(super) fn is_unanswered_metadata(&self) -> bool {
        self.attempts().iter().any(Attempt::is_unanswered_metadata)
    }

    /// One fixed sentence for the kind of failure, without names, addresses or anything that AWS said.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.kind().summary()
    }
}

/// One source of identities that was tried, and why it had none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The name of the source, as the SDK has it.
    pub source: String,
    /// Why it had nothing.
    pub reason: String,
    /// Whether it was asked and did not answer in time.
    pub timed_out: bool,
}

impl Attempt {
    pub(super) fn is_unanswered_metadata(&self) -> bool {
        self.timed_out && self.source == "Ec2InstanceMetadata"
    }

    /// Whether a variable asks for it: a profile by its name, or keys by one of their halves.
    fn is_asked_for(&self) -> bool {
        self.is_of_named_profile() || (self.source == "Environment" && self.reason.contains(" is set, and "))
    }

    /// Whether it is a profile that was asked for by its name.
    pub(super) fn is_of_named_profile(&self) -> bool {
        self.reason.ends_with(EMPTY_PROFILE) && !self.reason.contains("`default`")
    }
}

/// The one source that may be used.
struct Only<'a>(Option<&'a SoleSource>);

impl fmt::Display for Only<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |only| write!(formatter, ", and only {only} may be used"))
    }
}

/// The attempts in parentheses.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attempt { source, reason, .. }) in self.0.iter().enumerate() {
            let before = if index == 0 { " (" } else { "; " };
            write!(formatter, "{before}{source}: {reason}")?;
        }
        formatter.write_str(if self.0.is_empty() { "" } else { ")" })
    }
}

/// What AWS said when it said no.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsFailure {
    /// The operation that was asked for.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<String>,
    /// AWS's words.
    pub message: Option<String>,
    /// The number by which AWS finds the request.
    pub request_id: Option<String>,
}

impl fmt::Display for AwsFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.message {
            write!(formatter, "{message} ")?;
        }
        write!(formatter, "({}", self.operation)?;
        if let Some(status) = self.status {
            write!(formatter, ", status {status}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, ", {code}")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(formatter, ", request {request_id}")?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(source: &str, reason: &str, timed_out: bool) -> Attempt {
        Attempt { source: source.to_owned(), reason: reason.to_owned(), timed_out }
    }

    #[test]
    fn a_missing_identity_lists_what_was_tried() {
        let error = TokenError::NoIdentity {
            only: None,
            attempts: vec![attempt("Environment", "not set", false), attempt("Profile", "no file", false)],
        };
        assert_eq!(error.to_string(), "no AWS identity was found (Environment: not set; Profile: no file)");
        assert_eq!(
            TokenError::NoIdentity { only: None, attempts: vec![] }.to_string(),
            "no AWS identity was found"
        );
    }

    #[test]
    fn a_silent_metadata_service_has_a_hint_of_its_own() {
        let hint = |attempts| TokenError::NoIdentity { only: None, attempts }.hint().unwrap();
        assert!(hint(vec![attempt("Ec2InstanceMetadata", "silent", true)]).contains("hop limit"));
        assert!(!hint(vec![attempt("Ec2InstanceMetadata", "no role", false)]).contains("hop limit"));
    }

    #[test]
    fn a_source_that_a_variable_asks_for_tells_most() {
        let telling = |attempts: Vec<Attempt>| {
            let error = TokenError::NoIdentity { only: None, attempts };
            error.telling_attempt().map(|attempt| attempt.source.clone())
        };
        let last = || attempt("Ec2InstanceMetadata", "no role", false);
        let profile =
            |name: &str| attempt("Profile", &format!("the profile `{name}` has no credentials"), false);
        let half =
            attempt("Environment", "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not", false);
        assert_eq!(telling(vec![profile("nope"), last()]).as_deref(), Some("Profile"));
        assert_eq!(telling(vec![profile("default"), last()]).as_deref(), Some("Ec2InstanceMetadata"));
        assert_eq!(telling(vec![half, profile("default"), last()]).as_deref(), Some("Environment"));
        assert_eq!(telling(vec![]), None);
    }

    #[test]
    fn what_aws_said_is_shown_as_far_as_it_is_known() {
        let mut failure = AwsFailure { operation: "GetAuthorizationToken", ..AwsFailure::default() };
        assert_eq!(failure.to_string(), "(GetAuthorizationToken)");
        failure.status = Some(400);
        failure.code = Some("AccessDeniedException".into());
        failure.message = Some("User: u is not authorized".into());
        failure.request_id = Some("r-1".into());
        assert_eq!(
            TokenError::AccessDenied { failure }.to_string(),
            "access denied by AWS: User: u is not authorized (GetAuthorizationToken, status 400, \
             AccessDeniedException, request r-1)"
        );
    }
}
