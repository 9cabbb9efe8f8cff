//! The log of requests: what the last ones were and what became of them, without any secret.

mod entrance;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use axum::http::{Extensions, Uri};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock::rfc3339;
use crate::operations::Operation;
use crate::sites::host_of;
pub(crate) use entrance::{Listener, watched};

/// How many requests are remembered.
const REMEMBERED: usize = 1_000;
/// The longest text in a record; what is longer ends in `…`.
const MAX_TEXT: usize = 256;
const MASK: &str = "***";

/// Query parameters that are never secret. The values of all others are masked.
const PLAIN_PARAMETERS: [&str; 6] = ["n", "last", "digest", "mount", "from", "expires"];
/// Where containers get credentials: the rest of the path is as good as a password.
const SECRET_PATHS: [&str; 2] = ["/v1/credentials", "/v2/credentials/"];

/// One request, from its arrival on. It holds nothing that a client could use: no header but `Host`, no body, and of
/// a query only the names and a few values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Counts the requests of an emulator, from 1.
    pub number: u64,
    /// When it arrived, by the emulator's clock.
    pub time: String,
    /// By which listener: `main`, `registry`, `unix`, `tls`, `blobs` or `tls-blobs`.
    pub listener: &'static str,
    /// The host that it named.
    pub host: String,
    /// Its method.
    pub method: String,
    /// Its path, and its query without values that might be secret.
    pub target: String,
    /// The operation, `service:Operation`, if the emulator has a name for it.
    pub operation: Option<String>,
    /// The ARN of who asked, once authenticated.
    pub principal: Option<String>,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// How many bytes of the answer's body were sent so far.
    pub bytes: u64,
    /// How long it took, in milliseconds, once it is over.
    pub duration_ms: Option<u64>,
    /// The fault that struck it.
    pub fault: Option<String>,
}

/// A record that is still being written, shared with the log.
#[derive(Debug, Clone)]
struct Entry(Arc<Mutex<RequestRecord>>);

impl Entry {
    fn locked(&self) -> MutexGuard<'_, RequestRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes in the log who a request comes from.
pub(crate) fn note_principal(extensions: &Extensions, arn: &str) {
    if let Some(entry) = extensions.get::<Entry>() {
        entry.locked().principal = Some(capped(arn));
    }
}

/// The last requests of one emulator.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    arrived: u64,
}

impl RequestLog {
    /// The requests that are remembered, the oldest first.
    pub(crate) fn snapshot(&self) -> Vec<RequestRecord> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.entries.iter().map(|entry| entry.locked().clone()).collect()
    }

    /// Begins the record of a request.
    fn open(
        &self,
        listener: Listener,
        request: &Request,
        operation: Option<Operation>,
        now: OffsetDateTime,
    ) -> Entry {
        let record = RequestRecord {
            number: 0,
            time: rfc3339(now),
            listener: listener.name(),
            host: capped(host_without_user(host_of(request.uri(), request.headers()))),
            method: capped(request.method().as_str()),
            target: masked_target(request.uri()),
            operation: operation.map(|(service, name)| format!("{service}:{name}")),
            principal: None,
            status: None,
            bytes: 0,
            duration_ms: None,
            fault: None,
        };
        let entry = Entry(Arc::new(Mutex::new(record)));
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.arrived += 1;
        entry.locked().number = log.arrived;
        if log.entries.len() == REMEMBERED {
            log.entries.pop_front();
        }
        log.entries.push_back(entry.clone());
        entry
    }
}

/// A request in progress. When it is dropped, the request is over.
struct InProgress {
    entry: Entry,
    since: Instant,
}

impl InProgress {
    fn end(&self) {
        let milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.entry.locked().duration_ms.get_or_insert(milliseconds);
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.end();
    }
}

fn capped(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let start: String = text.chars().take(MAX_TEXT / 4).collect();
    format!("{start}…")
}

fn host_without_user(host: &str) -> &str {
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

fn masked_target(uri: &Uri) -> String {
    let path = uri.path();
    let path = match SECRET_PATHS.into_iter().find(|secret| path.starts_with(secret)) {
        Some(secret) => format!("{}/{MASK}", secret.trim_end_matches('/')),
        None => path.to_owned(),
    };
    let Some(query) = uri.query() else { return capped(&path) };
    let pairs: Vec<String> = query.split('&').map(masked_parameter).collect();
    capped(&format!("{path}?{}", pairs.join("&")))
}

fn masked_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if PLAIN_PARAMETERS.contains(&name) => pair.into(),
        Some((name, _)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
            format!("{name}={MASK}")
        }
        _ if pair.is_empty() => String::new(),
        // What has no name may be the secret itself.
        _ => MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(target: &str) -> Request {
        Request::builder().uri(target).body(axum::body::Body::empty()).unwrap()
    }

    fn open(log: &RequestLog, target: &str) -> Entry {
        log.open(Listener::Main, &request(target), None, OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn secrets_of_a_target_are_masked_whatever_their_length() {
        let masked = |target: &str| masked_target(request(target).uri());
        assert_eq!(masked("/v2/a/tags/list?n=2&last=b"), "/v2/a/tags/list?n=2&last=b");
        assert_eq!(
            masked("/x?expires=1&signature=abc&X-Amz-Signature=d"),
            "/x?expires=1&signature=***&X-Amz-Signature=***"
        );
        assert_eq!(masked("/?WebIdentityToken=ey.J&bare&&"), "/?WebIdentityToken=***&***&&");
        assert_eq!(masked("/v2/credentials/0f1e"), "/v2/credentials/***");
        assert_eq!(masked("http://user:password@host/path"), "/path");
        let uri: Uri = "http://user:password@host/path".parse().unwrap();
        assert_eq!(host_without_user(host_of(&uri, &axum::http::HeaderMap::new())), "host");
    }

    #[test]
    fn the_last_requests_are_remembered_in_order() {
        let log = RequestLog::default();
        (0..REMEMBERED + 5).for_each(|number| drop(open(&log, &format!("/{number}"))));
        let records = log.snapshot();
        assert_eq!((records.len(), records[0].number, records[0].target.as_str()), (REMEMBERED, 6, "/5"));
        assert_eq!(records.last().unwrap().number, 1_005);
    }

    #[test]
    fn a_request_is_over_when_nobody_works_on_it() {
        let log = RequestLog::default();
        let progress = InProgress { entry: open(&log, "/"), since: Instant::now() };
        assert_eq!(log.snapshot()[0].duration_ms, None);
        drop(progress);
        assert!(log.snapshot()[0].duration_ms.is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_kept_in_bounds(text in ".{0,400}", query in "[a-z=&%A-Z0-9-]{0,300}") {
            prop_assert!(capped(&text).len() <= MAX_TEXT + '…'.len_utf8());
            let masked = masked_target(request(&format!("/?{query}&token=hunter2")).uri());
            prop_assert!(!masked.contains("hunter2") && masked.len() <= MAX_TEXT + '…'.len_utf8());
        }
    }
}
