//! Prefetch: an app's likely next response is ready when it is requested; learnt from the app itself, loaded after its
//! response was sent, and never at another's cost.
//!
//! Modules: `learnt` (what is loaded, when, and for which identity), `bounds` (when nothing is), `evenings` (with
//! simulated servers).

mod bounds;
mod evenings;
mod learnt;

use std::sync::Arc;

use crate::fixture::scripted::{ReceivedRequest, ScriptedServer, answer};
use crate::fixture::waiting::{PATIENCE, moment};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use greenroom_proxy::server::Server;

const ON: &str = "[server.prefetch]\nenabled = true\n";

/// A Plex with shows 1 to 9; the seasons of show n are 10 n and the next two, each with two episodes.
fn plex(request: &ReceivedRequest) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let rows = match parts[..] {
        ["library", "metadata", id, "children"] => {
            let id: u32 = id.parse().unwrap_or_default();
            let (kind, first, count) = if id < 10 { ("season", id * 10, 3) } else { ("episode", id * 10, 2) };
            (first..first + count).map(|child| row(kind, child)).collect()
        }
        ["library", "metadata", id] => vec![row("show", id.parse().unwrap_or_default())],
        _ => (1..9).map(|id| row("show", id)).collect::<Vec<_>>(),
    };
    if parts.contains(&"thumb") {
        let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,scan\x00;";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: {}\r\n\r\n", gif.len());
        return [head.as_bytes(), gif].concat();
    }
    answer("200 OK", "application/json", &format!(r#"{{"MediaContainer":{{"Metadata":[{}]}}}}"#, rows.join(",")))
}

fn row(kind: &str, id: u32) -> String {
    format!(r#"{{"ratingKey":"{id}","type":"{kind}","thumb":"/library/metadata/{id}/thumb/9"}}"#)
}

fn children(id: u32) -> String {
    format!("/library/metadata/{id}/children?excludeAllLeaves=1")
}

async fn stage(server: &ScriptedServer, more: &str) -> GatewayFixture {
    GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), more).start().await
}

fn app(stage: &GatewayFixture, token: &str) -> TestClient {
    let client = stage.client().with("x-plex-token", token).with("accept", "application/json");
    client.with("x-plex-product", "Kodi")
}

/// Opens a show and the first of its seasons, so that prefetch learns the app's way.
async fn teach(client: &TestClient) {
    assert_eq!(client.get(&children(1)).await.status, 200);
    assert_eq!(client.get(&children(10)).await.status, 200);
}

fn server(stage: &GatewayFixture) -> Arc<Server> {
    Arc::clone(&stage.process.servers[0].0)
}

/// Waits until the prefetch counters are as wanted.
async fn until(stage: &GatewayFixture, holds: impl Fn(&Server) -> bool) {
    let server = server(stage);
    let waiting = async {
        while !holds(&server) {
            moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
        panic!("it never came to that: {:?}", server.prefetch.counters.snapshot());
    });
}

fn skipped(server: &Server, why: &str) -> u64 {
    let counted = server.prefetch.counters.snapshot();
    counted.skipped.iter().find(|(reason, _)| *reason == why).map_or(0, |(_, count)| *count)
}

fn loaded(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.prefetch_loads).sum()
}

fn useful(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.prefetch_useful).sum()
}
