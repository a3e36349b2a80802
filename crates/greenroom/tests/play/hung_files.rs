//! A disk that no longer answers: no request waits for a file.

use tokio_util::task::TaskTracker;

use crate::fixture::hung::HungFiles;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, container};
use crate::fixture::{GatewayConfigBuilder, TestClient};

const ITEM: &str = "/library/metadata/1";

// One thread serves everything here: if it waits for a file, nothing is answered.

#[tokio::test]
async fn a_token_file_that_hangs_stops_neither_health_nor_memory_hits() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(container(1))).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("x-plex-token", "anna").with("accept", "application/json");
    assert_eq!(client.get(ITEM).await.status, 200);
    let hung = HungFiles::to_read(&stage.folder().join("control.token"));
    let (stranger, owner) = (TestClient::new(stage.process.control), stage.control());
    for _ in 0..3 {
        assert_eq!(stranger.get("/healthz").await.status, 200);
        assert_eq!(owner.get("/api/v1/cache/stats").await.status, 200, "the token counts as it did");
        assert!(client.get(ITEM).await.was_hit());
    }
    let _answers = hung.answer();
    stage.stop().await;
    server.stop();
}
