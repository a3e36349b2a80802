//! What an app is likely to ask next is there when it asks: learnt from itself, loaded when its answer has left, and never
//! at anybody's cost.
//!
//! Rooms: `learnt` (what is loaded, when, and for whom), `bounds` (when nothing is), `evenings` (with simulated servers).

mod bounds;
mod evenings;
mod learnt;

use std::sync::Arc;

use crate::stage::scripted::{Arrived, Scripted, answer};
use crate::stage::waiting::PATIENCE;
use crate::stage::{Client, Script, Stage};
use greenroom_proxy::server::Server;

const ON: &str = "[server.prefetch]\nenabled = true\n";

/// A Plex with shows 1 to 9, whose seasons are 10 times that and the next two, of which each has two episodes.
fn plex(request: &Arrived) -> Vec<u8> {
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
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: {}\r\n\r\n", gif.len());
        return [head.as_bytes(), gif].concat();
    }
    answer(
        "200 OK",
        "application/json",
        &format!(r#"{{"MediaContainer":{{"Metadata":[{}]}}}}"#, rows.join(",")),
    )
}

fn row(kind: &str, id: u32) -> String {
    format!(r#"{{"ratingKey":"{id}","type":"{kind}","thumb":"/library/metadata/{id}/thumb/9"}}"#)
}

fn children(id: u32) -> String {
    format!("/library/metadata/{id}/children?excludeAllLeaves=1")
}

async fn stage(server: &Scripted, more: &str) -> Stage {
    Script::new().server("home", "plex", &format!("http://{}", server.address), more).start().await
}

fn app(stage: &Stage, token: &str) -> Client {
    let client = stage.client().with("x-plex-token", token).with("accept", "application/json");
    client.with("x-plex-product", "Kodi")
}

/// Opens a show and the first of its seasons, so that it is known how the app does that.
async fn teach(client: &Client) {
    assert_eq!(client.get(&children(1)).await.status, 200);
    assert_eq!(client.get(&children(10)).await.status, 200);
}

fn server(stage: &Stage) -> Arc<Server> {
    Arc::clone(&stage.process.servers[0].0)
}

/// Waits until what is counted of the prefetch is as wanted.
async fn until(stage: &Stage, holds: impl Fn(&Server) -> bool) {
    let server = server(stage);
    let waiting = async {
        while !holds(&server) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
        panic!("it never came to that: {:?}", server.prefetch.tally.counted());
    });
}

fn skipped(server: &Server, why: &str) -> u64 {
    let counted = server.prefetch.tally.counted();
    counted.skipped.iter().find(|(reason, _)| *reason == why).map_or(0, |(_, count)| *count)
}

fn loaded(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.ahead_loads).sum()
}

fn useful(server: &Server) -> u64 {
    server.cache.stats().classes.iter().map(|class| class.ahead_useful).sum()
}
