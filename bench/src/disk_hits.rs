//! Cached responses from the disk, over HTTP: far more of them than fit into Greenroom's memory, asked for in turn. CPU
//! time per request, beside nginx, whose cache is on the disk always.

use bytes::Bytes;
use futures_util::future::try_join_all;

use crate::client::{self, BenchConnection, CONNECTIONS};
use crate::hits::origin_requests;
use crate::samples::{RoundValues, head, line};
use crate::server::BenchServer;
use crate::{cpu, origin};

/// Items, of [`origin::ITEM_BYTES`] each: 32 times what fits into Greenroom's memory here.
const ITEMS: usize = 2048;
/// Greenroom's memory tier in this part.
pub(crate) const MEMORY_BYTES: usize = ITEMS * origin::ITEM_BYTES / 32;
/// Passes over all items after which a server must have stored all of them.
const WARM_UP: usize = 10;

/// Measures every server, in turns.
pub(crate) async fn compare(peers: &[&BenchServer], origin_port: u16, rounds: usize) -> Result<(), String> {
    let expected = origin::body(origin::ITEM_BYTES);
    for peer in peers {
        store_all(peer, &expected, origin_port).await?;
    }
    let mut figures: Vec<RoundValues> = peers.iter().map(|_| RoundValues::default()).collect();
    for round in 0..rounds {
        for turn in 0..peers.len() {
            let at = if round % 2 == 0 { turn } else { peers.len() - 1 - turn };
            let (asked, used) = (origin_requests(origin_port).await?, cpu::process_tree_time(peers[at].process()));
            ask_all(peers[at], &expected).await?;
            let used = cpu::process_tree_time(peers[at].process()).saturating_sub(used);
            if origin_requests(origin_port).await? > asked + peers[at].background_requests {
                return Err(format!("{}: not every answer came from the cache", peers[at].name));
            }
            figures[at].0.push(used.as_secs_f64() * 1e6 / ITEMS as f64);
        }
    }
    let title = format!("A hit of 16 KiB from the disk, {CONNECTIONS} connections, {ITEMS} items");
    head(&title, &["server", "CPU µs per request", "to nginx"]);
    let nginx = peers.iter().position(|peer| peer.name == "nginx").map(|at| &figures[at]);
    for (peer, own) in peers.iter().zip(&figures) {
        let ratio = nginx.map_or_else(String::new, |nginx| own.ratio_to(nginx).to_string());
        line(&[peer.name.to_owned(), own.to_string(), ratio]);
    }
    Ok(())
}

/// Asks for all items until none of them reaches the origin.
async fn store_all(peer: &BenchServer, expected: &Bytes, origin_port: u16) -> Result<(), String> {
    for _ in 0..WARM_UP {
        let asked = origin_requests(origin_port).await?;
        ask_all(peer, expected).await?;
        if origin_requests(origin_port).await? <= asked + peer.background_requests {
            return Ok(());
        }
    }
    Err(format!("{}: it does not store all items", peer.name))
}

/// Asks once for each item, over all connections at once.
async fn ask_all(peer: &BenchServer, expected: &Bytes) -> Result<(), String> {
    let connections = client::open(peer.port, CONNECTIONS).await?;
    let lanes = connections.into_iter().enumerate().map(|(lane, connection)| ask_lane(connection, lane, expected));
    try_join_all(lanes).await.map_err(|why| format!("{}: {why}", peer.name))?;
    Ok(())
}

/// Asks for the items of one connection, one after the other.
async fn ask_lane(mut connection: BenchConnection, lane: usize, expected: &Bytes) -> Result<(), String> {
    for id in (lane..ITEMS).step_by(CONNECTIONS) {
        let answer = connection.send(&client::request(&origin::item(FIRST_ID + id))).await?;
        if answer.body != expected {
            return Err(format!("another body came: {}", answer.head));
        }
    }
    Ok(())
}

/// No other part of the bench asks for items from here on.
const FIRST_ID: usize = 1_000_000;
