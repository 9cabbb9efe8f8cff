//! The instance's metadata service: how long it may take, and which of its answers the SDK is given.
//!
//! The SDK panics where the service names a role that cannot be a part of an address (aws-config's `imds/client.rs`),
//! where its session token holds for a time that no clock reaches (`imds/client/token.rs`), and where that token is not
//! UTF-8 (aws-smithy-runtime-api's `http/headers.rs`), with the token in the panic's words.

use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::{BodyExt, Limited};

use super::progress::Progress;

/// How long the service must have had for an answer before it is called silent.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long one request may take. The service answers within milliseconds or not at all.
const TRY: Duration = Duration::from_secs(1);

/// How long all requests may take, with the SDK's pauses between them.
const TOTAL: Duration = Duration::from_secs(2);

/// What the paths of the service start with
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>).
const PATH: &str = "/latest/";

/// The path of the session token.
const TOKEN_PATH: &str = "/latest/api/token";

/// The path of the role's name.
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// The longest session token and name of a role, in bytes, with what may stand around them. Tokens have 56, and roles 64
/// at most (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MAX_WORD_BYTES: usize = 4096;

/// The header with the time of a session token, in seconds, and the longest one that the service gives.
const TOKEN_SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const MAX_TOKEN_SECONDS: &str = "21600";

/// Whether an address is one of the service's.
pub(super) fn is_metadata(uri: &Uri) -> bool {
    uri.path().starts_with(PATH)
}

/// What the service is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A session token.
    Token,
    /// The name of the role.
    Role,
    /// Anything else.
    Other,
}

impl Step {
    fn of(path: &str) -> Self {
        match path {
            TOKEN_PATH => Self::Token,
            ROLE_PATH => Self::Role,
            _ => Self::Other,
        }
    }
}

/// What `search` finds; `None` if the service has had all of its time and is still what is waited for. The SDK pauses
/// between its tries for longer than one of them may take.
pub(super) async fn within_total<T>(progress: &Progress, search: impl Future<Output = T>) -> Option<T> {
    let (mut search, mut timer) = (pin!(search), None);
    std::future::poll_fn(|context| {
        if let Poll::Ready(found) = search.as_mut().poll(context) {
            return Poll::Ready(Some(found));
        }
        if timer.is_none() {
            timer = progress.metadata_asked().map(|asked| Box::pin(tokio::time::sleep_until(asked + TOTAL)));
        }
        let is_over = timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        if is_over && progress.is_waiting_for_metadata() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// The service, as one call knows it.
#[derive(Debug)]
pub(super) struct MetadataService {
    progress: Progress,
}

impl MetadataService {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress }
    }

    /// The answer to a request for `path`, if it comes in time.
    ///
    /// # Errors
    /// If it does not, or if the SDK cannot be given it.
    pub(super) async fn answer(
        &self,
        path: &str,
        answer: HttpConnectorFuture,
    ) -> Result<HttpResponse, ConnectorError> {
        let step = Step::of(path);
        let asked = self.progress.metadata_asked().map(|asked| asked.elapsed()).unwrap_or_default();
        let limit = TRY.min(TOTAL.saturating_sub(asked));
        let answer = tokio::time::timeout(limit, bearable(step, answer)).await;
        match &answer {
            Ok(Ok(response)) if !response.status().is_success() => {
                self.progress.metadata_refuses(step, response.status().as_u16());
            }
            Ok(Ok(_)) => {}
            // A service that said no so often that no time is left is not silent.
            _ if limit < PATIENCE => {}
            Ok(Err(error)) if !error.is_timeout() => {}
            _ => self.progress.metadata_is_silent(step),
        }
        answer.unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into())))
    }
}

/// What the service has answered and cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nonsense {
    /// A role with a name that none has.
    Role,
    /// A session token that cannot be sent.
    Token,
}

impl fmt::Display for Nonsense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Role => "the instance metadata service names a role that is none",
            Self::Token => "the instance metadata service gives a session token that is none",
        })
    }
}

impl Error for Nonsense {}

/// The answer in a form that the SDK reads without a panic.
async fn bearable(step: Step, answer: HttpConnectorFuture) -> Result<HttpResponse, ConnectorError> {
    let mut answer = answer.await?;
    if !answer.status().is_success() {
        // The SDK would take the page of a redirection for a token.
        answer.headers_mut().remove(TOKEN_SECONDS);
        return Ok(answer);
    }
    if answer.headers().get(TOKEN_SECONDS).is_some_and(is_too_long) {
        answer.headers_mut().insert(TOKEN_SECONDS, MAX_TOKEN_SECONDS);
    }
    let word = match step {
        Step::Token => word(answer.take_body(), |byte| byte.is_ascii_graphic(), Nonsense::Token).await?,
        Step::Role => word(answer.take_body(), is_of_role, Nonsense::Role).await?,
        Step::Other => return Ok(answer),
    };
    // The SDK compares the two.
    answer.headers_mut().insert("content-length", word.len().to_string());
    *answer.body_mut() = SdkBody::from(word);
    Ok(answer)
}

/// Whether a number of seconds is more than the service's longest; what is no number is told by the SDK.
fn is_too_long(seconds: &str) -> bool {
    let most = MAX_TOKEN_SECONDS.parse().unwrap_or(u64::MAX);
    seconds.parse::<u64>().is_ok_and(|seconds| seconds > most)
}

/// Whether a name of a role may have this byte (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn is_of_role(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// The one word of a body, without blanks around it.
async fn word(
    body: SdkBody,
    is_of_word: impl Fn(u8) -> bool,
    nonsense: Nonsense,
) -> Result<Vec<u8>, ConnectorError> {
    let body = Limited::new(body, MAX_WORD_BYTES).collect().await.map_err(ConnectorError::io)?.to_bytes();
    let word = body.trim_ascii();
    if word.is_empty() || !word.iter().all(|byte| is_of_word(*byte)) {
        return Err(ConnectorError::user(nonsense.into()));
    }
    Ok(word.to_vec())
}
