//! Work over the whole disk tier.

use std::sync::Arc;
use std::sync::mpsc;

use axum::response::IntoResponse;
use http::StatusCode;

use super::fixture::ControlFixture;

#[tokio::test]
async fn one_check_or_clean_up_of_what_is_stored_runs_at_a_time_also_when_its_caller_hung_up() {
    let house = ControlFixture::new();
    let (end, ended) = mpsc::channel::<()>();
    let plane = Arc::clone(&house.plane);
    let tasks = tokio_util::task::TaskTracker::new();
    let first = tasks
        .spawn(async move { plane.at_length(move || ended.recv().map_err(|error| error.to_string())).await.is_ok() });
    while house.plane.control.long_work.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let second = async || {
        let done = house.plane.at_length(|| Ok(())).await;
        done.err().map(|problem| problem.into_response().status())
    };
    assert_eq!(second().await, Some(StatusCode::CONFLICT));
    first.abort();
    assert!(first.await.expect_err("its caller hung up").is_cancelled());
    assert_eq!(second().await, Some(StatusCode::CONFLICT), "it goes on until its end");
    end.send(()).expect("it waits");
    while second().await.is_some() {
        tokio::task::yield_now().await;
    }
}
