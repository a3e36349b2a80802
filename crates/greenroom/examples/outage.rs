//! Time until reads are answered when the server is down, beside reads of fresh answers: `cargo run --example outage`.
//!
//! Prints milliseconds from the moment the breaker opened to the first answer, and for 2,000 reads of each sort the
//! median and the longest.

use std::net::SocketAddr;
use std::time::Duration;

use greenroom::app::Process;
use greenroom_cache::Clock;
use greenroom_config::{ConfigSource, Settings};
use greenroom_simulator::faults::Fault;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

const READS: u32 = 2_000;
const KEYS: u32 = 50;

#[derive(Clone)]
struct ReadClient {
    client: Client<HttpConnector, Empty<bytes::Bytes>>,
    address: SocketAddr,
    token: String,
}

impl ReadClient {
    /// Reads an item; how long it took, and what was said of how it was served.
    async fn read(&self, item: u32) -> (Duration, u16, String) {
        let request = Request::builder()
            .uri(format!("http://{}/library/metadata/{item}", self.address))
            .header("x-plex-token", &self.token)
            .header("accept", "application/json")
            .body(Empty::new())
            .expect("a request");
        let began = now();
        let response = self.client.request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let said = response.headers().get("cache-status").and_then(|value| value.to_str().ok());
        let said = said.unwrap_or_default().to_owned();
        drop(response.into_body().collect().await.expect("a whole body"));
        (now() - began, status, said)
    }

    async fn measure(&self, name: &str, wanted: &str) -> f64 {
        let mut times = Vec::new();
        for read in 0..READS {
            let (time, status, said) = self.read(read % KEYS + 1).await;
            assert!(status == 200 && said.contains(wanted), "{status} {said}");
            times.push(time.as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{name}: median {median:.3} ms, longest {longest:.3} ms");
        median
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::main]
async fn main() {
    let tasks = TaskTracker::new();
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let plex = Plex::new(SimulatorOptions::quick()).start(anywhere, &tasks).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a folder");
    let mut tree = ConfigSource::default();
    let url = plex.url();
    tree.add_toml(
        "example",
        &format!(
            "[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"{url}\"\n\
             listen = \"127.0.0.1:0\"\n[server.lifetimes.item]\nfresh_s = 600\n"
        ),
    );
    tree.set("data_dir", folder.path().display().to_string(), "example".into());
    let settings = Settings::read(tree).expect("it is valid");
    let process = Process::start(settings, Clock::system()).await.expect("it starts");
    let (server, address) = (process.servers[0].0.clone(), process.servers[0].1);
    let token = plex.tokens().owner_a().to_owned();
    let reader = ReadClient { client: Client::builder(TokioExecutor::new()).build_http(), address, token };
    for item in 1..=KEYS {
        reader.read(item).await;
    }
    let fresh = reader.measure("fresh, the server is well", "hit").await;
    let everything = greenroom_cache::Scope::Namespace("home".into());
    process.cache.invalidate(&everything, &greenroom_cache::Invalidation::mark_stale());
    plex.faults().set(Fault::Gone);
    let waiting = reader.clone();
    let failing = async move {
        for item in 900_000.. {
            waiting.read(item).await;
        }
    };
    tokio::select! {
        () = server.origin.breaker.wait_down() => {}
        () = failing => {}
    }
    let opened = now();
    let (_, status, said) = reader.read(1).await;
    let first = (now() - opened).as_secs_f64() * 1_000.0;
    println!("first answer after the breaker opened: {first:.3} ms ({status}, {said})");
    let offline = reader.measure("stale, the server is down", "offline").await;
    println!("an answer while the server is down takes {:.2} times as long as a fresh one", offline / fresh);
    drop(reader);
    process.stop().await;
    plex.stop().await;
}
