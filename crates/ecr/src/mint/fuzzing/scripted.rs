//! The way to an identity and to a token, with answers from memory in the network's place.

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
use crate::token::{Token, TokenError};

/// What somebody answers.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names and values of headers.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Somebody who asks, and what is answered: each request gets the next answer, and a broken connection where there is
/// none left. It wants a runtime with time, which may stand still.
#[derive(Debug)]
pub struct Script {
    /// What is in the environment.
    pub environment: Environment,
    /// Which identity is meant.
    pub selection: Selection,
    /// The registry for which a token is wanted.
    pub registry: Registry,
    /// The answers.
    pub answers: Vec<HttpAnswer>,
}

/// What came of the answers.
#[derive(Debug)]
pub struct Outcome<T> {
    /// The addresses that were asked, in their order.
    pub asked: Vec<String>,
    /// Whether something outlived the question.
    pub leaks: bool,
    /// What was wanted, or why there is none.
    pub found: Result<T, TokenError>,
}

/// Credentials that were handed out.
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
}

impl Script {
    /// Searches the identity, just as the mint does.
    pub async fn identity(self) -> Outcome<GivenIdentity> {
        let (call, client, asked) = self.ready();
        let search = async {
            let sdk = call.sdk_config_with(client).await;
            call.credentials(&sdk).await.map(|found| given(&found.credentials))
        };
        let found = call.within_limit(search).await;
        asked.outcome(found)
    }

    /// Gets a token, just as the mint does.
    pub async fn token(self) -> Outcome<Token> {
        let (call, client, asked) = self.ready();
        let search = async {
            let sdk = call.sdk_config_with(client).await;
            call.token_with(&sdk).await
        };
        let found = call.within_limit(search).await;
        asked.outcome(found)
    }

    fn ready(self) -> (Call, GuardedClient, Asked) {
        let progress = Progress::start();
        let call = Call {
            environment: self.selection.restrict(&self.environment),
            selection: self.selection,
            partitions: Partitions::default(),
            target: Target::Registry(self.registry),
            limit: Deadlines::default().mint,
            clock: system_time,
            progress: progress.clone(),
        };
        let asked = Asked::default();
        let memory = Memory { answers: Mutex::new(self.answers.into()), asked: asked.clone() };
        (call, GuardedClient::before_connector(SharedHttpConnector::new(memory), progress), asked)
    }
}

fn given(credentials: &Credentials) -> GivenIdentity {
    GivenIdentity {
        access_key_id: credentials.access_key_id().to_owned(),
        secret_access_key: credentials.secret_access_key().into(),
        session_token: credentials.session_token().map(Into::into),
        expires_at: credentials.expiry(),
    }
}

/// The addresses that were asked.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn outcome<T>(self, found: Result<T, TokenError>) -> Outcome<T> {
        let leaks = Arc::strong_count(&self.0) > 1;
        let asked = self.0.lock().map(|asked| asked.clone()).unwrap_or_default();
        Outcome { asked, leaks, found }
    }
}

/// Answers from memory.
#[derive(Debug)]
struct Memory {
    answers: Mutex<VecDeque<HttpAnswer>>,
    asked: Asked,
}

impl HttpConnector for Memory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Ok(mut asked) = self.asked.0.lock() {
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
fn response(answer: HttpAnswer) -> Option<HttpResponse> {
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(SdkBody::from(answer.body)).ok()?.try_into().ok()
}
