//! The way to an identity that a service of the machine hands out, with answers from memory.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use secrecy::SecretString;

use super::super::call::{Call, Target};
use super::super::connector::GuardedClient;
use super::super::progress::Progress;
use crate::clock::system_time;
use crate::deadlines::Deadlines;
use crate::environment::Environment;
use crate::identity::selection::Selection;
use crate::registry::{Partitions, Registry};
use crate::token::TokenError;

/// The header in which the metadata service says for how many seconds its session token holds
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>).
const TOKEN_SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// What a service answers.
#[derive(Debug, Clone)]
pub struct IdentityAnswer {
    /// The HTTP status.
    pub status: u16,
    /// For how many seconds the metadata service's session token holds, as its header says it.
    pub token_seconds: Option<Vec<u8>>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of the answers.
#[derive(Debug)]
pub struct IdentitySearch {
    /// The addresses that were asked, in their order.
    pub asked: Vec<String>,
    /// The identity, or why there is none.
    pub identity: Result<GivenIdentity, TokenError>,
}

/// Credentials that a service has handed out.
#[derive(Debug)]
pub struct GivenIdentity {
    /// The access key's public part.
    pub access_key_id: String,
    /// Its secret part.
    pub secret_access_key: SecretString,
    /// The session that it belongs to.
    pub session_token: Option<SecretString>,
    /// When it expires.
    pub expires_at: Option<SystemTime>,
    /// Where it comes from, in words.
    pub source: String,
}

/// Searches the identity that `selection` means in `environment` for a token of `registry`, just as the mint does. Each
/// request gets the next answer, and a broken connection where there is none left. Wants a runtime with time, which may
/// stand still.
pub async fn search_identity(
    environment: &Environment,
    selection: &Selection,
    registry: &Registry,
    answers: Vec<IdentityAnswer>,
) -> IdentitySearch {
    let progress = Progress::start();
    let call = Call {
        environment: selection.restrict(environment),
        selection: selection.clone(),
        partitions: Partitions::default(),
        target: Target::Registry(registry.clone()),
        limit: Deadlines::default().mint,
        clock: system_time,
        progress: progress.clone(),
    };
    let script = Script::default();
    if let Ok(mut left) = script.answers.lock() {
        left.extend(answers);
    }
    let client = GuardedClient::before_connector(SharedHttpConnector::new(script.clone()), progress);
    let search = async {
        let sdk = call.sdk_config_with(client).await;
        call.credentials(&sdk).await
    };
    let found = call.within_limit(search).await;
    let identity = found.map(|found| given(&found.credentials, found.source));
    let asked = script.asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    IdentitySearch { asked, identity }
}

fn given(credentials: &Credentials, source: String) -> GivenIdentity {
    GivenIdentity {
        access_key_id: credentials.access_key_id().to_owned(),
        secret_access_key: credentials.secret_access_key().into(),
        session_token: credentials.session_token().map(Into::into),
        expires_at: credentials.expiry(),
        source,
    }
}

/// Answers from memory.
#[derive(Debug, Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<IdentityAnswer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(request.uri().to_owned());
        }
        let answer = self.answers.lock().ok().and_then(|mut answers| answers.pop_front());
        HttpConnectorFuture::ready(
            answer
                .and_then(response)
                .ok_or_else(|| ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())),
        )
    }
}

/// The answer as it comes from the network; `None` if none can look like this.
fn response(answer: IdentityAnswer) -> Option<HttpResponse> {
    let mut response = http::Response::builder().status(answer.status);
    if let Some(seconds) = answer.token_seconds {
        response = response.header(TOKEN_SECONDS, seconds);
    }
    response.body(SdkBody::from(answer.body)).ok()?.try_into().ok()
}
