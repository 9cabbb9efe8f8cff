//! How many connections there may be at once, and who has to go when another one comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long one connection gets to go before the next is told to.
const NEXT_IN_LINE: Duration = Duration::from_millis(100);

/// The connections that some listeners have in common. When all seats are taken, whoever has kept its seat longest
/// without asking for anything gives it up: so clients that only hold connections cannot keep others out.
#[derive(Debug)]
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    waiting: Mutex<BTreeMap<u64, CancellationToken>>,
    next: AtomicU64,
}

impl Seats {
    pub(crate) fn new(number: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(number));
        Arc::new(Self { free, waiting: Mutex::default(), next: AtomicU64::new(0) })
    }

    /// A seat for a connection that has just come, as soon as there is one.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut permit = self.free.clone().try_acquire_owned().ok();
        while permit.is_none() {
            if let Some((_, longest)) = self.locked().pop_first() {
                longest.cancel();
            }
            match tokio::time::timeout(NEXT_IN_LINE, self.free.clone().acquire_owned()).await {
                Ok(Ok(free)) => permit = Some(free),
                Ok(Err(_)) => return None,
                Err(_) => {}
            }
        }
        let seat = Seat {
            seats: self.clone(),
            number: AtomicU64::new(0),
            has_asked: AtomicBool::new(false),
            given_up: CancellationToken::new(),
            _permit: permit,
        };
        seat.wait();
        Some(seat)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, CancellationToken>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's right to be there.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    number: AtomicU64,
    has_asked: AtomicBool,
    given_up: CancellationToken,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Seat {
    /// Notes that a request is being handled. Until [`Seat::wait`], the seat is kept.
    pub(crate) fn ask(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        self.seats.locked().remove(&self.number.load(Ordering::Relaxed));
    }

    /// Notes that the connection waits for its client.
    pub(crate) fn wait(&self) {
        if self.given_up.is_cancelled() {
            return;
        }
        let number = self.seats.next.fetch_add(1, Ordering::Relaxed);
        self.number.store(number, Ordering::Relaxed);
        self.seats.locked().insert(number, self.given_up.clone());
    }

    /// Whether a request has ever come.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Waits until another connection needs the seat.
    pub(crate) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.locked().remove(&self.number.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_waited_longest_gives_up_its_seat() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().await.unwrap(), seats.take().await.unwrap());
        first.ask();
        let third = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await.is_some() }
        });
        second.given_up().await;
        assert!(!first.given_up.is_cancelled());
        drop(second);
        assert!(third.await.unwrap());
        first.wait();
        assert!(seats.take().await.is_some());
    }
}
