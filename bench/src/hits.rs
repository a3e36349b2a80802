//! Kept answers: CPU time per request of the server, all its processes, user and system.

use crate::client::{self, CONNECTIONS};
use crate::figures::{Rounds, head, line, percentile_us};
use crate::peer::Peer;
use crate::{cpu, origin};

/// Lengths of the bodies.
pub(crate) const LENGTHS: [usize; 3] = [1024, 16 * 1024, 64 * 1024];
/// Requests on each connection before each round that are not counted.
const WARM_UP: usize = 20;

/// What is taken of one server.
#[derive(Debug, Default)]
struct Figures {
    cpu_us: Rounds,
    per_s: Rounds,
    p50_us: Rounds,
    p99_us: Rounds,
}

/// Measures every server for every length, in turns. The last server is the bare one, which asks no origin.
pub(crate) async fn compare(
    peers: &[&Peer],
    lengths: &[usize],
    origin_port: u16,
    rounds: usize,
    requests: usize,
) -> Result<(), String> {
    for &bytes in lengths {
        let mut figures: Vec<Figures> = peers.iter().map(|_| Figures::default()).collect();
        for round in 0..rounds {
            for turn in 0..peers.len() {
                // Nobody always comes after the same neighbour.
                let at = if round % 2 == 0 { turn } else { peers.len() - 1 - turn };
                measure(peers[at], bytes, requests, origin_port, &mut figures[at]).await?;
            }
        }
        print(bytes, peers, &figures);
    }
    Ok(())
}

async fn measure(
    peer: &Peer,
    bytes: usize,
    requests: usize,
    origin_port: u16,
    figures: &mut Figures,
) -> Result<(), String> {
    let (request, expected) = (client::request(&origin::list(bytes)), origin::body(bytes));
    let mut connections = client::open(peer.port, CONNECTIONS).await?;
    client::drive(&mut connections, &request, &expected, WARM_UP)
        .await
        .map_err(|why| format!("{}: {why}", peer.name))?;
    let asked_before = asked(origin_port).await?;
    let (cpu_before, began) = (cpu::of(peer.process()), client::now());
    let took = client::drive(&mut connections, &request, &expected, requests / CONNECTIONS).await;
    let took = took.map_err(|why| format!("{}: {why}", peer.name))?;
    let (lasted, used) = (began.elapsed(), cpu::of(peer.process()).saturating_sub(cpu_before));
    if asked(origin_port).await? > asked_before + peer.own_requests {
        return Err(format!("{}: not every answer came from the cache", peer.name));
    }
    let count = took.len() as f64;
    figures.cpu_us.0.push(used.as_secs_f64() * 1e6 / count);
    figures.per_s.0.push(count / lasted.as_secs_f64());
    figures.p50_us.0.push(percentile_us(&took, 0.5));
    figures.p99_us.0.push(percentile_us(&took, 0.99));
    Ok(())
}

/// How often the origin was asked for what is measured.
pub(crate) async fn asked(origin_port: u16) -> Result<u64, String> {
    let mut connection = client::Connection::open(origin_port).await?;
    let answer = connection.ask(&client::request("/asked")).await?;
    std::str::from_utf8(answer.body)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or("the origin cannot count".into())
}

fn print(bytes: usize, peers: &[&Peer], figures: &[Figures]) {
    let title = format!("A hit of {} KiB, {CONNECTIONS} connections", bytes / 1024);
    head(
        &title,
        &["server", "CPU µs per request", "to nginx", "to bare hyper", "requests/s", "p50 µs", "p99 µs"],
    );
    let of = |name: &str| peers.iter().position(|peer| peer.name == name).map(|at| &figures[at].cpu_us);
    let ratio =
        |own: &Rounds, name: &str| of(name).map_or_else(String::new, |other| own.over(other).to_string());
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
