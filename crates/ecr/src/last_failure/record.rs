//! One record, as it is written and read.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Call, LastFailure};
use crate::registry::Partitions;
use crate::token::{Attempt, FailureKind};

/// The version of the format.
const VERSION: u32 = 1;

/// The longest text in a record, in bytes. A sentence of AWS has some 300.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// The longest name of a source, and the longest reason why it had nothing, in bytes.
const MAX_ATTEMPT_BYTES: usize = 512;

/// How many attempts are written; the SDK's chain has six sources.
const MAX_ATTEMPTS: usize = 16;

/// The JSON of a record. The time is in seconds since 1970.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    version: u32,
    registry: String,
    at: u64,
    kind: FailureKind,
    message: String,
    hint: Option<String>,
    chosen_by: Option<String>,
    call: Option<WrittenCall>,
    attempts: Vec<WrittenAttempt>,
}

#[derive(Serialize, Deserialize)]
struct WrittenCall {
    operation: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WrittenAttempt {
    source: String,
    reason: String,
    timed_out: bool,
}

impl Written {
    /// What is written of `failure`: long texts are cut.
    pub(super) fn of(failure: &LastFailure) -> Self {
        let call = failure.call.as_ref().map(|call| WrittenCall {
            operation: cut(&call.operation),
            status: call.status,
            code: call.code.as_deref().map(cut),
            request_id: call.request_id.as_deref().map(cut),
        });
        let attempts = failure.attempts.iter().take(MAX_ATTEMPTS).map(|attempt| WrittenAttempt {
            source: cut_to(&attempt.source, MAX_ATTEMPT_BYTES),
            reason: cut_to(&attempt.reason, MAX_ATTEMPT_BYTES),
            timed_out: attempt.timed_out,
        });
        Self {
            version: VERSION,
            registry: failure.registry.host(),
            at: failure.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            kind: failure.kind,
            message: cut(&failure.message),
            hint: failure.hint.as_deref().map(cut),
            chosen_by: failure.chosen_by.as_deref().map(cut),
            call,
            attempts: attempts.collect(),
        }
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Reads a record; `None` if it is damaged or of another version.
pub(super) fn read(json: &[u8], partitions: &Partitions) -> Option<LastFailure> {
    let written: Written = serde_json::from_slice(json).ok()?;
    if written.version != VERSION {
        return None;
    }
    let call = written.call.map(|WrittenCall { operation, status, code, request_id }| Call {
        operation,
        status,
        code,
        request_id,
    });
    let attempts = written.attempts.into_iter().map(|WrittenAttempt { source, reason, timed_out }| Attempt {
        source,
        reason,
        timed_out,
    });
    Some(LastFailure {
        registry: partitions.parse(&written.registry).ok()?,
        at: UNIX_EPOCH.checked_add(Duration::from_secs(written.at))?,
        kind: written.kind,
        message: written.message,
        hint: written.hint,
        chosen_by: written.chosen_by,
        call,
        attempts: attempts.collect(),
    })
}

fn cut(text: &str) -> String {
    cut_to(text, MAX_TEXT_BYTES)
}

fn cut_to(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}
