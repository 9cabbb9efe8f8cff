//! What went wrong, found out from the SDK's errors.

use std::error::Error;
use std::io;
use std::iter;

use aws_config::meta::ProviderChainError;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use http_body_util::LengthLimitError;
use secrecy::SecretString;

use super::answer::Fault;
use super::connector::Refusal;
use super::metadata::{Nonsense, Step};
use super::progress::Progress;
use super::redaction::Redaction;
use crate::environment::Environment;
use crate::identity::configured::lack;
use crate::identity::selection::IdentitySource;
use crate::token::{Attempt, AwsFailure, METADATA_OFF, NO_ROLE, TokenError};

/// The operation that is called.
const OPERATION: &str = "GetAuthorizationToken";

/// The variables whose values must never be shown.
const SECRET_VARIABLES: [&str; 4] =
    ["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// The variables whose values are addresses, perhaps with a password in them.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The source of the SDK's chain that asks the instance's metadata service.
const METADATA_SOURCE: &str = "Ec2InstanceMetadata";

/// What is said of a metadata service whose answer never came.
const SILENT_METADATA: &str = "the instance metadata service did not answer";

/// The same of one that had given a session token before, so that its answers come through.
const SLOW_METADATA: &str =
    "the instance metadata service did not answer in time, after it had given a session token";

/// What is said of one that has had all of its time.
const LATE_METADATA: &str = "the instance metadata service gave no credentials in time";

/// What is said where something answers that knows no session tokens.
const OTHER_METADATA: &str = "what answers here is no instance metadata service of version 2";

/// Words the failures of one call.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    redaction: Redaction,
    progress: Progress,
    operation: &'static str,
    /// The profile of the SDK's files that counts.
    profile: String,
    environment: Environment,
    /// The sources that were asked before the instance's metadata service.
    before_metadata: Vec<Attempt>,
}

impl Failure {
    /// Failures in which the secrets of environment and credentials are not shown.
    pub(super) fn new(
        environment: &Environment,
        credentials: Option<&Credentials>,
        progress: Progress,
    ) -> Self {
        let mut redaction = Redaction::default();
        for variable in SECRET_VARIABLES.into_iter().chain(PROXY_VARIABLES) {
            redaction.add(environment.secret(variable));
        }
        if let Some(credentials) = credentials {
            redaction.add(Some(credentials.secret_access_key().into()));
            redaction.add(credentials.session_token().map(Into::into));
        }
        let profile = environment.get("AWS_PROFILE").unwrap_or("default").to_owned();
        let environment = environment.clone();
        Self { redaction, progress, operation: OPERATION, profile, environment, before_metadata: Vec::new() }
    }

    /// The same for another operation.
    pub(super) fn of(mut self, operation: &'static str) -> Self {
        self.operation = operation;
        self
    }

    /// The same, where these sources were asked before the instance's metadata service.
    pub(super) fn after(mut self, attempts: Vec<Attempt>) -> Self {
        self.before_metadata = attempts;
        self
    }

    /// Why the instance's metadata service, which has had all of its time, has given no credentials.
    pub(super) fn of_late_metadata(&self) -> TokenError {
        self.of_metadata(LATE_METADATA.to_owned())
    }

    fn of_metadata(&self, reason: String) -> TokenError {
        let metadata = self.attempt_of(METADATA_SOURCE, reason);
        TokenError::NoIdentity {
            only: None,
            attempts: self.before_metadata.iter().cloned().chain([metadata]).collect(),
        }
    }

    /// The same, with one more secret not to be shown.
    pub(super) fn with_secret(mut self, secret: SecretString) -> Self {
        self.redaction.add(Some(secret));
        self
    }

    /// What AWS says, fit to be shown.
    pub(super) fn clean(&self, text: &str) -> String {
        self.redaction.clean(text)
    }

    /// Why there are no credentials.
    pub(super) fn of_identity(&self, error: &CredentialsError) -> TokenError {
        if let Some(chain) = find::<ProviderChainError<CredentialsError>>(error) {
            let attempts =
                chain.attempts().iter().map(|attempt| self.attempt(attempt.name(), attempt.error()));
            return TokenError::NoIdentity { only: None, attempts: attempts.collect() };
        }
        // The calls to STS that the SDK makes by itself, for a role of a profile or a web identity.
        if let Some(error) = find::<SdkError<AssumeRoleError, HttpResponse>>(error) {
            return self.clone().of("AssumeRole").of_call(error);
        }
        if let Some(error) = find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error) {
            return self.clone().of("AssumeRoleWithWebIdentity").of_call(error);
        }
        if let Some(failure) = self.of_connection(error) {
            return failure;
        }
        let cause = self.words(error);
        // What the metadata service does can end the SDK's chain, which then tells nothing of the sources before it.
        if cause.contains("IMDS") {
            return self.of_metadata(cause);
        }
        if is_expired_login(&cause) {
            return TokenError::ExpiredLogin { profile: self.profile.clone(), cause };
        }
        // The SDK keeps the codes of its other calls for the identity in words only.
        if cause.contains("ExpiredToken") || cause.contains("has expired") {
            return TokenError::ExpiredIdentity { cause };
        }
        TokenError::BrokenIdentity { cause }
    }

    /// Why the call failed.
    pub(super) fn of_call<E>(&self, error: &SdkError<E, HttpResponse>) -> TokenError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        match error {
            SdkError::ServiceError(context) if context.raw().status().is_success() => self.unreadable(),
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                self.of_refusal(status, context.err(), error.request_id())
            }
            SdkError::TimeoutError(_) => self.progress.timed_out(),
            _ => self.of_connection(error).unwrap_or_else(|| self.of_other(error)),
        }
    }

    /// Why an answer is not believed.
    pub(super) fn of_answer(&self, fault: &Fault) -> TokenError {
        match fault {
            Fault::Malformed(problem) => self.malformed(problem),
            Fault::Expired { seconds } => TokenError::ClockSkew {
                cause: format!(
                    "by this machine's clock, the token that AWS has just handed out expired {seconds} s ago"
                ),
            },
        }
    }

    fn attempt(&self, source: &str, error: &CredentialsError) -> Attempt {
        let is_set = |name| self.environment.os(name).is_some();
        let has_secret = is_set("AWS_SECRET_ACCESS_KEY") || is_set("SECRET_ACCESS_KEY");
        let reason = match (source, error.source()) {
            // The SDK says of half a key only that "a" variable is not set, and of a profile in no file nothing at all.
            ("Environment", _) if is_set("AWS_ACCESS_KEY_ID") != has_secret => {
                lack(IdentitySource::Environment, &self.environment)
            }
            ("Profile", None) if is_set("AWS_PROFILE") => lack(IdentitySource::Profile, &self.environment),
            (_, None) => "not configured".to_owned(),
            (_, Some(source)) => self.words(source),
        };
        self.attempt_of(source, reason)
    }

    fn attempt_of(&self, source: &str, reason: String) -> Attempt {
        let is_metadata = source == METADATA_SOURCE;
        let silence = self.progress.metadata_silence().filter(|_| is_metadata);
        let refusal = self.progress.metadata_refusal().filter(|_| is_metadata);
        // Answers to a request for a session token alone have a hop limit.
        let timed_out = silence == Some(Step::Token);
        let reason = match (silence, refusal) {
            (Some(Step::Token), _) => SILENT_METADATA.to_owned(),
            (Some(_), _) => SLOW_METADATA.to_owned(),
            (None, Some((Step::Role, 404))) => format!("{NO_ROLE} (status 404)"),
            (None, Some((_, 403))) => format!("{METADATA_OFF} (status 403)"),
            (None, Some((Step::Token, 404))) => format!("{OTHER_METADATA} (status 404)"),
            // Its last try may have ended for want of time.
            (None, Some((_, status))) if !reason.contains(&status.to_string()) => {
                format!("{reason}, after status {status}")
            }
            (None, _) => reason,
        };
        Attempt { source: source.to_owned(), reason, timed_out }
    }

    /// What AWS said no with.
    pub(super) fn of_refusal(
        &self,
        status: u16,
        error: &impl ProvideErrorMetadata,
        request_id: Option<&str>,
    ) -> TokenError {
        let clean = |text: &str| self.redaction.clean(text);
        let failure = AwsFailure {
            operation: self.operation,
            status: Some(status),
            code: error.code().map(clean),
            message: error.message().map(clean).filter(|message| !message.is_empty()),
            request_id: request_id.map(clean),
        };
        let message = failure.message.as_deref().unwrap_or_default();
        match failure.code.as_deref().unwrap_or_default() {
            "AccessDenied" | "AccessDeniedException" => TokenError::AccessDenied { failure },
            "ExpiredToken" | "ExpiredTokenException" => {
                TokenError::ExpiredIdentity { cause: failure.to_string() }
            }
            "RequestExpired" | "RequestTimeTooSkewed" => TokenError::ClockSkew { cause: failure.to_string() },
            "InvalidSignatureException" | "SignatureDoesNotMatch"
                if message.contains("Signature expired") || message.contains("Signature not yet current") =>
            {
                TokenError::ClockSkew { cause: failure.to_string() }
            }
            // A region that an account must enable first, or an endpoint of another region than the one signed for.
            "RegionDisabledException" => TokenError::WrongRegion { failure },
            "InvalidSignatureException" | "SignatureDoesNotMatch"
                if message.contains("scoped to a valid region") =>
            {
                TokenError::WrongRegion { failure }
            }
            "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignatureException" => TokenError::InvalidIdentity { failure },
            code if is_throttling(code) || status == 429 => TokenError::Throttled { failure },
            _ if status >= 500 => TokenError::ServiceFailure { failure },
            // AWS gives each error a code, and each request a number.
            "" if failure.request_id.is_none() => self.malformed(&format!(
                "its status is {status}, without a code of AWS's or a number of the request"
            )),
            _ => TokenError::Refused { failure },
        }
    }

    /// What stood against a connection, if that is what failed.
    fn of_connection(&self, error: &(dyn Error + 'static)) -> Option<TokenError> {
        if let Some(refusal) = find::<Refusal>(error) {
            return Some(TokenError::Configuration { problem: self.redaction.clean(&refusal.to_string()) });
        }
        if let Some(error) = find::<Nonsense>(error) {
            return Some(TokenError::BrokenIdentity { cause: error.to_string() });
        }
        let endpoint = self.progress.whom();
        if let Some(error) = find::<rustls::Error>(error) {
            return Some(TokenError::Tls { endpoint, cause: self.redaction.clean(&error.to_string()) });
        }
        if find::<LengthLimitError>(error).is_some() {
            return Some(self.malformed("it is too long"));
        }
        let error = find::<ConnectorError>(error)?;
        if error.is_timeout() {
            return Some(self.progress.timed_out());
        }
        let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
        Some(TokenError::Unreachable { endpoint, cause: self.redaction.clean(&cause) })
    }

    fn of_other<E: Error + 'static>(&self, error: &SdkError<E, HttpResponse>) -> TokenError {
        match error {
            SdkError::ResponseError(_) => self.unreadable(),
            _ => TokenError::Configuration { problem: self.words(error) },
        }
    }

    fn unreadable(&self) -> TokenError {
        self.malformed("it is cut off, or not what the operation answers")
    }

    fn malformed(&self, problem: &str) -> TokenError {
        TokenError::MalformedAnswer { endpoint: self.progress.whom(), problem: problem.to_owned() }
    }

    /// An error and its causes in one line.
    fn words(&self, error: &(dyn Error + 'static)) -> String {
        let mut words: Vec<String> =
            causes(error).map(|cause| self.redaction.clean(&cause.to_string())).collect();
        words.dedup();
        self.redaction.clean(&words.join(": "))
    }
}

/// Whether the SDK says of a profile that uses IAM Identity Center that somebody must log in: no token was ever there,
/// it has expired (aws-config's `sso/token.rs`), or AWS does not accept it any more (GetRoleCredentials answers
/// `UnauthorizedException`).
fn is_expired_login(words: &str) -> bool {
    ["SSO token", "Login token", "UnauthorizedException"].iter().any(|sign| words.contains(sign))
}

fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl")
        || matches!(
            code,
            "RequestThrottled"
                | "RequestThrottledException"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "SlowDown"
        )
}

/// An error and what caused it, the outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| cause(*error))
}

/// What caused an error. The payload of an `io::Error` is not its source.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(payload) => Some(payload),
        None => error.source(),
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}
