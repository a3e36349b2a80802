//! The server is never asked more often than it allows.

use super::fixture::{Fixture, answer};

#[tokio::test]
async fn beyond_the_budget_stored_responses_are_served_and_others_are_refused() {
    let lines = "requests_per_day = 2\n";
    let api = Fixture::new(lines, |_| answer(200, &[("cache-control", "max-age=5"), ("age", "6")], "old")).await;
    api.get("/x").await;
    api.get("/y").await;
    assert_eq!(api.get("/x").await.body, "old");
    let refused = api.get("/z").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 3600));
    let write = api.send("POST", "/x", &[], "").await;
    assert_eq!(write.status, 429);
    assert_eq!(api.seen().len(), 2);
    assert!(api.server.unsent_requests().1 >= 3);
}

#[tokio::test]
async fn what_one_client_is_told_to_wait_all_wait() {
    let lines = "over_budget = \"reject\"\n";
    let api = Fixture::new(lines, |_| answer(429, &[("retry-after", "600")], "slow down")).await;
    let first = api.get_with("/x", &[("authorization", "a")]).await;
    assert_eq!((first.status, first.body.as_str()), (429, "slow down"));
    let second = api.get_with("/y", &[("authorization", "b")]).await;
    assert_eq!(second.status, 429);
    assert!(second.header("retry-after").parse::<u64>().is_ok_and(|seconds| (590..=600).contains(&seconds)));
    assert_eq!(api.seen().len(), 1);
}
