//! An answer, read to its end and no further than it may be long.

use std::error::Error;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};

use crate::error::LookupError;

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Sends a request, and reads at most `most` bytes of the answer's body.
    pub(crate) async fn to(request: RequestBuilder, most: usize) -> Result<Self, LookupError> {
        let mut response = request.send().await.map_err(|error| transport_error(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| transport_error(&error))? {
            if body.len() + piece.len() > most {
                return Err(LookupError::Answer(format!("it is longer than {most} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Self { status: response.status(), headers: response.headers().clone(), body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The cause in words for people. The HTTP client calls a proxy that refuses to connect a tunnel error (hyper-util,
/// `client/legacy/connect/proxy/tunnel.rs`), and no type tells it apart.
fn in_words(cause: String) -> String {
    match cause.strip_prefix("tunnel error: ") {
        Some(reason) => format!("the proxy does not connect to it: {reason}"),
        None => cause,
    }
}

/// What kept an answer from coming. Addresses are left out: they are in the message around this.
fn transport_error(error: &reqwest::Error) -> LookupError {
    if error.is_timeout() {
        return LookupError::TimedOut;
    }
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return LookupError::Tls { cause: inner.to_string() };
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return LookupError::Tls { cause: tls.to_string() };
        }
        causes.push(cause.to_string());
        source = cause.source();
    }
    let cause = causes.pop().map_or_else(|| "the connection fails".to_owned(), in_words);
    if error.is_connect() { LookupError::NoRoute { cause } } else { LookupError::Answer(cause) }
}
