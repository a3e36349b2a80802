//! A log that is not read: a pipe on standard error fills after 64 KiB, and blocks its writer.

use tokio_util::task::TaskTracker;

use crate::binary::{identity, serve};
use crate::fixture::TestClient;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, container};

/// Requests after which lines must have been dropped: each logs some at the level `trace`.
const MAX_REQUESTS: u32 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_read_delays_no_answer_and_its_lines_are_counted() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| match request.target.as_str() {
        target if target.starts_with("/identity") => ScriptedReply::Bytes(identity()),
        _ => ScriptedReply::Bytes(container(request.before)),
    })
    .await;
    let mut program = serve(&["--plex", &format!("http://{}", server.address)]);
    let address = program.after("point your apps at http://").await.parse().expect("an address");
    let control = program.after("page: http://").await.trim_end_matches('/').parse().expect("an address");
    let (client, control) = (TestClient::new(address).with("x-plex-token", "anna"), TestClient::new(control));
    let mut dropped = false;
    for request in 0..MAX_REQUESTS {
        assert_eq!(client.get("/library/sections").await.status, 200, "request {request}");
        if request % 500 == 0 {
            let metrics = control.get("/metrics").await.text();
            let count = metrics.lines().find_map(|line| line.strip_prefix("greenroom_log_lines_dropped_total "));
            dropped = count.expect("the metric is there") != "0";
            if dropped {
                break;
            }
        }
    }
    assert!(dropped, "the pipe and the queue hold {MAX_REQUESTS} requests: this test tests nothing");
    let (code, _) = program.end().await;
    assert_eq!(code, Some(0), "told to stop, it stops");
    server.stop();
}
