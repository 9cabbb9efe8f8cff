//! Faults: what goes wrong on purpose, by rules that match requests at the entrance.
//!
//! A fault stands around the router. The services behind it do not know of faults.

mod amounts;
mod answers;
mod bodies;
mod effect;
mod refusals;
mod rule;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use axum::http::header::{DATE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::clock::http_date;
use crate::cloud::{Cloud, with_clock_off_by};
use crate::listener::Link;
use crate::operations::Operation;
use bodies::{trickled, truncated};
use effect::Effect;
pub use rule::{Fault, FaultError};

/// How many faults can be set at once.
pub(crate) const MAX_FAULTS: usize = 100;

/// A fault that is set, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FaultState {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests it was for; earlier faults in the list go first.
    pub matched: u64,
    /// How many of them it struck.
    pub applied: u64,
}

/// Too many faults were set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {MAX_FAULTS} faults can be set at once")]
pub struct TooManyFaults;

impl TooManyFaults {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some("clear the faults that are no longer needed, or use `*` in the names of operations".into())
    }
}

/// The faults of one emulator.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Mutex<Vec<FaultState>>,
    ending: CancellationToken,
}

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Result<Self, TooManyFaults> {
        let new = Self::default();
        new.replace(faults)?;
        Ok(new)
    }

    pub(crate) fn states(&self) -> Vec<FaultState> {
        self.locked().clone()
    }

    /// Sets these faults in place of all others.
    pub(crate) fn replace(&self, faults: Vec<Fault>) -> Result<(), TooManyFaults> {
        let mut set = self.locked();
        let states = states_of(faults, 0)?;
        *set = states;
        Ok(())
    }

    /// Sets these faults after the others.
    pub(crate) fn add(&self, faults: Vec<Fault>) -> Result<(), TooManyFaults> {
        let mut set = self.locked();
        let states = states_of(faults, set.len())?;
        set.extend(states);
        Ok(())
    }

    /// Ends whatever waits because of a fault, now and from now on.
    pub(crate) fn end_waits(&self) {
        self.ending.cancel();
    }

    /// The fault that strikes a request: the first in the list that is for it and whose turn it is.
    pub(crate) fn striking(&self, operation: Option<Operation>, host: &str, path: &str) -> Option<Fault> {
        let mut set = self.locked();
        set.iter_mut().filter(|state| state.fault.is_for(operation, host, path)).find_map(|state| {
            let strikes = state.fault.strikes(state.matched, state.applied);
            state.matched += 1;
            state.applied += u64::from(strikes);
            strikes.then(|| state.fault.clone())
        })
    }

    fn locked(&self) -> MutexGuard<'_, Vec<FaultState>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn states_of(faults: Vec<Fault>, already: usize) -> Result<Vec<FaultState>, TooManyFaults> {
    if already + faults.len() > MAX_FAULTS {
        return Err(TooManyFaults);
    }
    Ok(faults.into_iter().map(|fault| FaultState { fault, matched: 0, applied: 0 }).collect())
}

/// A request that a fault strikes.
pub(crate) struct Struck<'a> {
    pub(crate) cloud: &'a Cloud,
    /// The service that was called; empty if the emulator has no name for it.
    pub(crate) service: &'static str,
    pub(crate) request: Request,
    pub(crate) next: Next,
}

/// The answer to a request, as `fault` lets it be.
pub(crate) async fn answer(fault: &Fault, struck: Struck<'_>) -> Response {
    let Struck { cloud, service, request, next } = struck;
    let faults = &cloud.faults;
    match &fault.effect {
        Effect::Latency(span) => {
            let _ = faults.ending.run_until_cancelled(tokio::time::sleep(span.duration())).await;
            next.run(request).await
        }
        Effect::Silence => {
            faults.ending.cancelled().await;
            broken_off(request, Link::close).await
        }
        Effect::Reset => broken_off(request, Link::reset).await,
        Effect::Truncate(size) => truncated(next.run(request).await, size.0),
        Effect::Trickle(rate) => trickled(next.run(request).await, *rate, faults.ending.clone()),
        Effect::Pad(size) => bodies::padded(next.run(request).await, size.0),
        Effect::NotJson => answers::not_json(service),
        Effect::WrongJson => answers::wrong_json(service),
        Effect::Status(status) => refusals::refusal(cloud, service, *status),
        Effect::Throttle(retry_after) => refusals::throttling(cloud, service, *retry_after),
        Effect::Token(flaw) => answers::with_token(next.run(request).await, cloud, *flaw).await,
        Effect::Endpoint(foreign) => answers::with_endpoint(next.run(request).await, *foreign).await,
        Effect::Expiry(shift) => {
            answers::with_expiry(next.run(request).await, cloud.now() + shift.duration()).await
        }
        Effect::Clock(shift) => {
            let mut response = with_clock_off_by(shift.duration(), next.run(request)).await;
            if let Ok(date) = HeaderValue::try_from(http_date(cloud.now() + shift.duration())) {
                response.headers_mut().insert(DATE, date);
            }
            response
        }
        Effect::WithoutHeader(name) => {
            let mut response = next.run(request).await;
            response.headers_mut().remove(name);
            response
        }
        Effect::Redirect(location) => {
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location.to_string())]).into_response()
        }
    }
}

/// Ends the connection of a request; the answer is never sent.
async fn broken_off(request: Request, end: impl FnOnce(&Link)) -> Response {
    let Some(link) = request.extensions().get::<Link>() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    end(link);
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &[&str]) -> Faults {
        Faults::new(rules.iter().map(|rule| Fault::parse(rule).unwrap()).collect()).unwrap()
    }

    #[test]
    fn the_first_fault_whose_turn_it_is_strikes() {
        let faults = faults(&["ecr:*=silence,count:1", "*=reset,after:1,count:1"]);
        let striking = |operation| faults.striking(Some(operation), "", "/").map(|fault| fault.to_string());
        assert_eq!(striking(("ecr", "ListImages")).unwrap(), "ecr:*=silence,count:1");
        assert_eq!(striking(("ecr", "ListImages")), None);
        assert_eq!(striking(("sts", "AssumeRole")).unwrap(), "*=reset,after:1,count:1");
        assert_eq!(striking(("sts", "AssumeRole")), None);
        let counts: Vec<_> = faults.states().iter().map(|state| (state.matched, state.applied)).collect();
        assert_eq!(counts, [(2, 1), (3, 1)]);
    }

    #[test]
    fn the_list_has_a_limit() {
        let faults = faults(&["*=reset"; MAX_FAULTS]);
        assert_eq!(faults.add(vec![Fault::parse("*=reset").unwrap()]), Err(TooManyFaults));
        assert_eq!(faults.states().len(), MAX_FAULTS);
        faults.replace(Vec::new()).unwrap();
        assert_eq!(faults.states(), []);
    }
}
