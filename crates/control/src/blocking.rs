//! CPU-bound work and file work beside the threads that serve requests.

/// Runs the work on a blocking thread and waits for its result. A panic of the work continues in the caller.
pub async fn run_blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
