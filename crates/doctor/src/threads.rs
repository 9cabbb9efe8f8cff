//! Work that blocks, on a thread of its own.

/// What `work` comes to. A panic in it goes on here: it would else pass for nothing seen. Must be called within a tokio
/// runtime.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Threads are given up where the runtime ends, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_not_taken_for_an_answer() {
        assert_eq!(on_thread(|| 7).await, 7);
        let outcome = tokio::spawn(on_thread(|| -> Vec<u8> { panic!("meant") })).await;
        assert!(outcome.unwrap_err().is_panic());
    }
}
