//! The protocol of STS: AWS Query, form parameters in and XML out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::cloud::Cloud;
use crate::iam::Denied;
use crate::request_body::{self, BodyError};
use crate::sigv4::SignatureError;

/// Far more than any emulated action takes.
const MAX_BODY: usize = 1024 * 1024;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The parameters of a request; of a name given twice, the last counts.
pub(crate) type Parameters = BTreeMap<String, String>;

pub(crate) async fn body(body: Body) -> Result<Bytes, QueryError> {
    Ok(read(body).await?)
}

pub(crate) async fn read(body: Body) -> Result<Bytes, BodyError> {
    request_body::read(body, MAX_BODY).await
}

pub(crate) fn parameters(body: &[u8]) -> Parameters {
    form_urlencoded::parse(body).into_owned().collect()
}

/// An error as the SDKs read it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueryError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl QueryError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }
}

impl From<SignatureError> for QueryError {
    fn from(error: SignatureError) -> Self {
        let (status, code) = match error {
            SignatureError::Missing => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            SignatureError::Incomplete(_) | SignatureError::NoDate | SignatureError::MalformedDate(_) => {
                (StatusCode::BAD_REQUEST, "IncompleteSignature")
            }
            SignatureError::UnknownKey => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            SignatureError::Expired => (StatusCode::FORBIDDEN, "ExpiredToken"),
            _ => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<Denied> for QueryError {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string())
    }
}

impl From<BodyError> for QueryError {
    fn from(error: BodyError) -> Self {
        let (status, code) = match error {
            BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            BodyError::TooSlow | BodyError::Broken => (StatusCode::BAD_REQUEST, "RequestTimeout"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// What an action answers: the elements inside `<…Result>`.
pub(crate) struct Output {
    action: &'static str,
    result: String,
}

impl Output {
    pub(crate) fn of(action: &'static str) -> Self {
        Self { action, result: String::new() }
    }

    pub(crate) fn element(mut self, name: &str, text: &str) -> Self {
        push_element(&mut self.result, name, text);
        self
    }

    /// An element that holds others.
    pub(crate) fn group(mut self, name: &str, elements: &[(&str, &str)]) -> Self {
        push_group(&mut self.result, name, elements);
        self
    }
}

pub(crate) fn respond(cloud: &Cloud, result: Result<Output, QueryError>) -> Response {
    let request_id = cloud.seal.uuid();
    let (status, body) = match result {
        Ok(Output { action, result }) => (
            StatusCode::OK,
            format!(
                "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n"
            ),
        ),
        Err(QueryError { status, code, message }) => {
            let side = if status.is_server_error() { "Receiver" } else { "Sender" };
            let mut error = String::new();
            push_group(&mut error, "Error", &[("Type", side), ("Code", code), ("Message", &message)]);
            push_element(&mut error, "RequestId", &request_id);
            (status, format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{error}</ErrorResponse>\n"))
        }
    };
    let headers = [(CONTENT_TYPE.as_str(), "text/xml".to_owned()), ("x-amzn-RequestId", request_id)];
    (status, headers, body).into_response()
}

fn push_element(xml: &mut String, name: &str, text: &str) {
    let _ = write!(xml, "<{name}>{}</{name}>", escape(text));
}

fn push_group(xml: &mut String, name: &str, elements: &[(&str, &str)]) {
    let _ = write!(xml, "<{name}>");
    for (name, text) in elements {
        push_element(xml, name, text);
    }
    let _ = write!(xml, "</{name}>");
}

/// Text that may stand in an XML 1.0 element: what cannot even be escaped is replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control < ' ' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a<b>&\"\u{1}\n"), "a&lt;b&gt;&amp;&quot;\u{fffd}\n");
    }

    proptest! {
        #[test]
        fn any_text_is_escaped(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>']));
        }
    }
}
