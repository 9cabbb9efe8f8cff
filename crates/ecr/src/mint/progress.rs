//! What a call is waiting for, so that a deadline can name it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::metadata::Step;
use crate::token::TokenError;

/// Shared by a call and those who wait for it.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    started: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    waiting_for: Option<String>,
    is_waiting_for_metadata: bool,
    metadata_asked: Option<tokio::time::Instant>,
    metadata_silence: Option<Step>,
    metadata_refusal: Option<(Step, u16)>,
    throttle: Option<TokenError>,
}

impl Progress {
    /// Starts the clock.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), state: Arc::default() }
    }

    /// Notes who is being asked.
    pub(super) fn wait_for(&self, whom: impl Into<String>) {
        if let Ok(mut state) = self.state.lock() {
            state.waiting_for = Some(whom.into());
            state.is_waiting_for_metadata = false;
        }
    }

    /// Notes that the instance's metadata service is being asked, at this address.
    pub(super) fn wait_for_metadata(&self, endpoint: &str) {
        if let Ok(mut state) = self.state.lock() {
            state.waiting_for = Some(format!("the instance metadata service at {endpoint}"));
            state.is_waiting_for_metadata = true;
            state.metadata_asked.get_or_insert_with(tokio::time::Instant::now);
        }
    }

    /// Whether the instance's metadata service was asked last.
    pub(super) fn is_waiting_for_metadata(&self) -> bool {
        self.state.lock().is_ok_and(|state| state.is_waiting_for_metadata)
    }

    /// When the instance's metadata service was asked first.
    pub(super) fn metadata_asked(&self) -> Option<tokio::time::Instant> {
        self.state.lock().ok().and_then(|state| state.metadata_asked)
    }

    /// For how long the call has been made.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes that the instance's metadata service has not answered in time.
    pub(super) fn metadata_is_silent(&self, at: Step) {
        if let Ok(mut state) = self.state.lock() {
            state.metadata_silence = Some(at);
        }
    }

    /// At what the instance's metadata service has last not answered in time.
    pub(super) fn metadata_silence(&self) -> Option<Step> {
        self.state.lock().ok().and_then(|state| state.metadata_silence)
    }

    /// Notes that the instance's metadata service has said no with this status.
    pub(super) fn metadata_refuses(&self, at: Step, status: u16) {
        if let Ok(mut state) = self.state.lock() {
            state.metadata_refusal = Some((at, status));
        }
    }

    /// At what the instance's metadata service has last said no, and with which status.
    pub(super) fn metadata_refusal(&self) -> Option<(Step, u16)> {
        self.state.lock().ok().and_then(|state| state.metadata_refusal)
    }

    /// Notes that AWS throttles what is being asked for, or does no more.
    pub(super) fn aws_throttles(&self, by: Option<TokenError>) {
        if let Ok(mut state) = self.state.lock() {
            state.throttle = by;
        }
    }

    /// Who was asked last.
    pub(super) fn whom(&self) -> String {
        let whom = self.state.lock().ok().and_then(|state| state.waiting_for.clone());
        whom.unwrap_or_else(|| "the AWS configuration".to_owned())
    }

    /// The error for an answer that has not come in time. Where a throttle was waited out, it is what used the time up.
    pub(super) fn timed_out(&self) -> TokenError {
        if let Some(throttle) = self.state.lock().ok().and_then(|state| state.throttle.clone()) {
            return throttle;
        }
        TokenError::TimedOut { waiting_for: self.whom(), after: self.elapsed() }
    }
}
