//! The cost of a miss: the same origin requested directly and through each server, in turns, never twice for the same
//! item.

use std::time::Duration;

use crate::client::{self, BenchConnection};
use crate::origin;
use crate::samples::{RoundValues, head, line, percentile_us};
use crate::server::BenchServer;

/// Measures the origin and every server. `ids` are the ids of the requested items: none is requested twice.
pub(crate) async fn compare(
    peers: &[&BenchServer],
    ids: &mut impl Iterator<Item = usize>,
    rounds: usize,
    requests: usize,
) -> Result<(), String> {
    let mut connections = Vec::new();
    for peer in peers {
        connections.push(BenchConnection::open(peer.port).await?);
    }
    let expected = origin::body(origin::ITEM_BYTES);
    let mut figures: Vec<[RoundValues; 2]> = peers.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        let mut took: Vec<Vec<Duration>> = peers.iter().map(|_| Vec::with_capacity(requests)).collect();
        for _ in 0..requests {
            for (at, connection) in connections.iter_mut().enumerate() {
                let request = client::request(&origin::item(ids.next().unwrap_or(0)));
                let began = client::now();
                let answer = connection.send(&request).await.map_err(|why| format!("{}: {why}", peers[at].name))?;
                took[at].push(began.elapsed());
                if answer.body != expected {
                    return Err(format!("{}: another body came: {}", peers[at].name, answer.head));
                }
            }
        }
        for (took, figures) in took.iter_mut().zip(&mut figures) {
            took.sort_unstable();
            figures[0].0.push(percentile_us(took, 0.5));
            figures[1].0.push(percentile_us(took, 0.99));
        }
    }
    head("A miss of 16 KiB, one connection", &["server", "p50 µs", "p99 µs", "adds at p50, µs", "adds at p99, µs"]);
    let direct = figures[0].clone();
    for (peer, own) in peers.iter().zip(&figures) {
        let added =
            |at: usize| RoundValues(own[at].0.iter().zip(&direct[at].0).map(|(own, direct)| own - direct).collect());
        line(&[
            if peer.name == "origin" { "directly".to_owned() } else { peer.name.to_owned() },
            own[0].to_string(),
            own[1].to_string(),
            added(0).to_string(),
            added(1).to_string(),
        ]);
    }
    Ok(())
}
