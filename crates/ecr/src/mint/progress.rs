//! What a call is waiting for, so that a deadline can name it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

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
    metadata_is_silent: bool,
    metadata_refusal: Option<u16>,
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
        }
    }

    /// Notes that the instance's metadata service has not answered in time.
    pub(super) fn metadata_is_silent(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.metadata_is_silent = true;
        }
    }

    /// Whether the instance's metadata service was asked and has not answered in time.
    pub(super) fn is_metadata_silent(&self) -> bool {
        self.state.lock().is_ok_and(|state| state.metadata_is_silent)
    }

    /// Notes that the instance's metadata service has said no with this status.
    pub(super) fn metadata_refuses(&self, status: u16) {
        if let Ok(mut state) = self.state.lock() {
            state.metadata_refusal = Some(status);
        }
    }

    /// The status with which the instance's metadata service has last said no.
    pub(super) fn metadata_refusal(&self) -> Option<u16> {
        self.state.lock().ok().and_then(|state| state.metadata_refusal)
    }

    /// Who was asked last.
    pub(super) fn whom(&self) -> String {
        let whom = self.state.lock().ok().and_then(|state| state.waiting_for.clone());
        whom.unwrap_or_else(|| "the AWS configuration".to_owned())
    }

    /// The error for an answer that has not come in time.
    pub(super) fn timed_out(&self) -> TokenError {
        TokenError::TimedOut { waiting_for: self.whom(), after: self.started.elapsed() }
    }
}
