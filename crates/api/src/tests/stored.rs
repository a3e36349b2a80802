//! Work over the whole disk tier.

use std::sync::Arc;
use std::sync::mpsc;

use axum::response::IntoResponse;
use http::StatusCode;

use super::fixture::ControlFixture;

#[tokio::test]
async fn disk_tier_work_runs_one_at_a_time_even_if_its_caller_disconnects() {
    let fixture = ControlFixture::new();
    let (finish, finished) = mpsc::channel::<()>();
    let state = Arc::clone(&fixture.state);
    let tasks = tokio_util::task::TaskTracker::new();
    let first = tasks.spawn(async move {
        crate::stored_api::run_exclusive(&state, move || finished.recv().map_err(|error| error.to_string()))
            .await
            .is_ok()
    });
    while fixture.state.control.long_work.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let second = async || {
        let result = crate::stored_api::run_exclusive(&fixture.state, || Ok(())).await;
        result.err().map(|problem| problem.into_response().status())
    };
    assert_eq!(second().await, Some(StatusCode::CONFLICT));
    first.abort();
    assert!(first.await.expect_err("an aborted task").is_cancelled());
    assert_eq!(second().await, Some(StatusCode::CONFLICT), "the work runs to its end");
    finish.send(()).expect("the work waits");
    while second().await.is_some() {
        tokio::task::yield_now().await;
    }
}
