//! Cached responses: CPU time per request of the server, all its processes, user and system.

use crate::client::{self, CONNECTIONS};
use crate::samples::{RoundValues, head, line, percentile_us};
use crate::server::BenchServer;
use crate::{cpu, origin};

/// Body lengths.
pub(crate) const LENGTHS: [usize; 3] = [1024, 16 * 1024, 64 * 1024];
/// Uncounted requests on each connection before each round.
const WARM_UP: usize = 20;

/// Samples of one server.
#[derive(Debug, Default)]
struct HitSamples {
    cpu_us: RoundValues,
    per_s: RoundValues,
    p50_us: RoundValues,
    p99_us: RoundValues,
}

/// Measures every server for every length, in turns. The last server is the bare one, which has no origin.
pub(crate) async fn compare(
    peers: &[&BenchServer],
    lengths: &[usize],
    origin_port: u16,
    rounds: usize,
    requests: usize,
) -> Result<(), String> {
    for &bytes in lengths {
        let mut figures: Vec<HitSamples> = peers.iter().map(|_| HitSamples::default()).collect();
        for round in 0..rounds {
            for turn in 0..peers.len() {
                // Alternates the order, so that no server always follows the same neighbour.
                let at = if round % 2 == 0 { turn } else { peers.len() - 1 - turn };
                measure(peers[at], bytes, requests, origin_port, &mut figures[at]).await?;
            }
        }
        print(bytes, peers, &figures);
    }
    Ok(())
}

async fn measure(
    peer: &BenchServer,
    bytes: usize,
    requests: usize,
    origin_port: u16,
    figures: &mut HitSamples,
) -> Result<(), String> {
    let (request, expected) = (client::request(&origin::list(bytes)), origin::body(bytes));
    let mut connections = client::open(peer.port, CONNECTIONS).await?;
    client::drive(&mut connections, &request, &expected, WARM_UP)
        .await
        .map_err(|why| format!("{}: {why}", peer.name))?;
    let asked_before = origin_requests(origin_port).await?;
    let (cpu_before, began) = (cpu::process_tree_time(peer.process()), client::now());
    let took = client::drive(&mut connections, &request, &expected, requests / CONNECTIONS).await;
    let took = took.map_err(|why| format!("{}: {why}", peer.name))?;
    let (lasted, used) = (began.elapsed(), cpu::process_tree_time(peer.process()).saturating_sub(cpu_before));
    if origin_requests(origin_port).await? > asked_before + peer.background_requests {
        return Err(format!("{}: not every answer came from the cache", peer.name));
    }
    let count = took.len() as f64;
    figures.cpu_us.0.push(used.as_secs_f64() * 1e6 / count);
    figures.per_s.0.push(count / lasted.as_secs_f64());
    figures.p50_us.0.push(percentile_us(&took, 0.5));
    figures.p99_us.0.push(percentile_us(&took, 0.99));
    Ok(())
}

/// Requests for measured paths that reached the origin.
pub(crate) async fn origin_requests(origin_port: u16) -> Result<u64, String> {
    let mut connection = client::BenchConnection::open(origin_port).await?;
    let answer = connection.send(&client::request("/asked")).await?;
    std::str::from_utf8(answer.body).ok().and_then(|text| text.parse().ok()).ok_or("the origin cannot count".into())
}

fn print(bytes: usize, peers: &[&BenchServer], figures: &[HitSamples]) {
    let title = format!("A hit of {} KiB, {CONNECTIONS} connections", bytes / 1024);
    head(&title, &["server", "CPU µs per request", "to nginx", "to bare hyper", "requests/s", "p50 µs", "p99 µs"]);
    let of = |name: &str| peers.iter().position(|peer| peer.name == name).map(|at| &figures[at].cpu_us);
    let ratio =
        |own: &RoundValues, name: &str| of(name).map_or_else(String::new, |other| own.ratio_to(other).to_string());
    for (peer, own) in peers.iter().zip(figures) {
        line(&[
            peer.name.to_owned(),
            own.cpu_us.to_string(),
            ratio(&own.cpu_us, "nginx"),
            ratio(&own.cpu_us, "bare"),
            format!("{:.0}", own.per_s.median()),
            format!("{:.0}", own.p50_us.median()),
            format!("{:.0}", own.p99_us.median()),
        ]);
    }
}
