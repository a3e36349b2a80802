//! The cold crowd: concurrent requests for an uncached response from a slow origin.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::client;
use crate::hits::origin_requests;
use crate::origin;
use crate::samples::{RoundValues, head, line, percentile_us};

/// Concurrent requests.
const CALLERS: usize = 200;

/// Sends the crowd to every server in turns, given by name and port.
pub(crate) async fn compare(
    peers: &[(&str, u16)],
    origin_port: u16,
    ids: &mut impl Iterator<Item = usize>,
    rounds: usize,
) -> Result<(), String> {
    let mut figures: Vec<[RoundValues; 4]> = peers.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for ((name, port), figures) in peers.iter().zip(&mut figures) {
            let asked_before = origin_requests(origin_port).await?;
            let request = client::request(&origin::slow(ids.next().unwrap_or(0)));
            let arrived = crowd(*port, &request).await.map_err(|why| format!("{name}: {why}"))?;
            let first = arrived.first().copied().unwrap_or_default();
            let after: Vec<Duration> = arrived.iter().map(|at| at.saturating_sub(first)).collect();
            figures[0].0.push((origin_requests(origin_port).await? - asked_before) as f64);
            figures[1].0.push(percentile_us(&arrived, 0.0) / 1e3);
            figures[2].0.push(percentile_us(&after, 0.5) / 1e3);
            figures[3].0.push(percentile_us(&after, 1.0) / 1e3);
        }
    }
    let title = format!("{CALLERS} callers at once, cold, origin takes {} ms", origin::SLOW.as_millis());
    head(&title, &["server", "asked the origin", "first ms", "median after first, ms", "last after first, ms"]);
    for ((name, _), figures) in peers.iter().zip(&figures) {
        let mut cells = vec![(*name).to_owned()];
        cells.extend(figures.iter().map(ToString::to_string));
        line(&cells);
    }
    Ok(())
}

/// Latencies of all responses since the last request was sent, shortest first.
async fn crowd(port: u16, request: &[u8]) -> Result<Vec<Duration>, String> {
    let mut callers = client::open(port, CALLERS).await?;
    let expected = origin::body(origin::SLOW_BYTES);
    let began = client::now();
    let arrivals = callers.iter_mut().map(|caller| {
        let expected = &expected;
        async move {
            let answer = caller.send(request).await?;
            if answer.body == expected { Ok(began.elapsed()) } else { Err("another body came".to_owned()) }
        }
    });
    let mut arrived = try_join_all(arrivals).await?;
    arrived.sort_unstable();
    Ok(arrived)
}
