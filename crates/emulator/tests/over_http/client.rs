//! An HTTP client that does nothing on its own: no redirects, no retries, no headers but `Host`.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::signer::Signer;

/// A request to be sent.
pub(crate) struct Call {
    address: SocketAddr,
    request: Request<()>,
    body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(method: Method, address: SocketAddr, target: &str) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = method;
        Self { address, request, body: Bytes::new() }.target(target).header("host", &address.to_string())
    }

    pub(crate) fn get(address: SocketAddr, target: &str) -> Self {
        Self::new(Method::GET, address, target)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.request.headers_mut().insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn target(mut self, target: &str) -> Self {
        *self.request.uri_mut() = target.parse().expect("a request target");
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a date, the session token if there is one, and a signature over everything so far.
    pub(crate) fn signed(self, signer: &Signer) -> Self {
        let mut call = self.header("x-amz-date", &signer.date());
        if let Some(token) = &signer.session_token {
            call = call.header("x-amz-security-token", token);
        }
        let authorization = signer.authorization(call.request.headers(), &call.body);
        call.header("authorization", &authorization)
    }

    pub(crate) async fn send(self) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("the emulator listens");
        self.send_over(stream).await
    }

    pub(crate) async fn send_over(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Answer {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let response =
            sender.send_request(self.request.map(|()| Full::new(self.body))).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        drop(sender);
        let _ = connection.await;
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text header"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of the first error in a registry's JSON body.
    pub(crate) fn error_code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the first XML element with this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let text = self.text();
        let start = text.find(&format!("<{name}>")).map(|at| at + name.len() + 2);
        let end = text.find(&format!("</{name}>"));
        start.zip(end).and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
    }
}
