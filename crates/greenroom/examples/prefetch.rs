//! What prefetch gains and costs somebody in front of a television: `cargo run --example prefetch`.
//!
//! On a simulated Jellyfin they open one show after the other: its seasons, then the episodes of one season, each with
//! the first pictures, a few at a time as apps do, and look at each screen for two seconds. Once they always take the
//! first season, once any. Prints for each, without prefetch, with that of lists, and with all of it: requests that reached the server, and how long
//! a screen took until its last picture was there.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use greenroom::app::Process;
use greenroom_cache::Clock;
use greenroom_config::{ConfigSource, Settings};
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinOptions};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio_util::task::TaskTracker;

const SHOWS: usize = 20;
const PICTURES: usize = 12;
const PICTURES_AT_A_TIME: usize = 4;
const LOOKS: Duration = Duration::from_secs(2);

/// Which season is opened.
#[derive(Debug, Clone, Copy)]
enum SeasonChoice {
    First,
    Any,
}

struct TelevisionClient {
    client: Client<HttpConnector, Empty<Bytes>>,
    address: SocketAddr,
    authorization: String,
    clock: Clock,
    screens_ms: Vec<u64>,
}

impl TelevisionClient {
    async fn get(&self, target: &str) -> Bytes {
        let request = Request::builder()
            .uri(format!("http://{}{target}", self.address))
            .header("authorization", &self.authorization)
            .body(Empty::new())
            .expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        assert!(response.status().is_success(), "{target}: {}", response.status());
        response.into_body().collect().await.expect("a whole body").to_bytes()
    }

    async fn list(&self, target: &str) -> Vec<Value> {
        let body: Value = serde_json::from_slice(&self.get(target).await).expect("JSON");
        body["Items"].as_array().cloned().expect("a list")
    }

    /// Opens a screen and looks at it.
    async fn screen(&mut self, target: &str) -> Vec<Value> {
        let began_ms = self.clock.now_ms();
        let rows = self.list(target).await;
        let picture = |row: &Value| {
            let (id, tag) = (row["Id"].as_str()?, row["ImageTags"]["Primary"].as_str()?);
            Some(format!("/Items/{id}/Images/Primary?maxWidth=400&quality=90&tag={tag}"))
        };
        let pictures: Vec<String> = rows.iter().take(PICTURES).filter_map(picture).collect();
        let loads = stream::iter(&pictures).map(|picture| self.get(picture));
        loads.buffer_unordered(PICTURES_AT_A_TIME).for_each(|_| async {}).await;
        self.screens_ms.push(self.clock.now_ms() - began_ms);
        self.clock.sleep(LOOKS).await;
        rows
    }
}

/// What is loaded ahead.
#[derive(Debug, Clone, Copy)]
enum PrefetchLevel {
    Nothing,
    Lists,
    Everything,
}

impl PrefetchLevel {
    /// The lines of the configuration.
    fn settings(self) -> &'static str {
        match self {
            Self::Nothing => "enabled = false",
            Self::Lists => "enabled = true\nclasses = [\"item\", \"lists\"]",
            Self::Everything => "enabled = true",
        }
    }
}

async fn evening(opens: SeasonChoice, ahead: PrefetchLevel) -> String {
    let tasks = TaskTracker::new();
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let upstream = Jellyfin::new(JellyfinOptions::default()).start(loopback, &tasks).await.expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let mut tree = ConfigSource::default();
    tree.add_toml(
        "example",
        &format!(
            "[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\nname = \"den\"\nkind = \"jellyfin\"\nurl = \"{}\"\n\
             listen = \"127.0.0.1:0\"\n[server.prefetch]\n{}\n",
            upstream.url(),
            ahead.settings()
        ),
    );
    tree.set("data_dir", folder.path().display().to_string(), "example".into());
    let process = Process::start(Settings::read(tree).expect("valid"), Clock::system()).await.expect("it starts");
    let token = upstream.tokens().owner_a();
    let mut app = TelevisionClient {
        client: Client::builder(TokioExecutor::new()).build_http(),
        address: process.servers[0].1,
        authorization: format!(
            "MediaBrowser Client=\"Kodi\", Device=\"tv\", DeviceId=\"1\", Version=\"1\", Token=\"{token}\""
        ),
        clock: Clock::system(),
        screens_ms: Vec::new(),
    };
    let shows = app.list("/Items?includeItemTypes=Series&recursive=true&sortBy=SortName&limit=50").await;
    for (at, show) in shows.iter().take(SHOWS).enumerate() {
        let show = show["Id"].as_str().expect("an id");
        let seasons = app.screen(&format!("/Shows/{show}/Seasons?fields=Overview")).await;
        let chosen = match opens {
            SeasonChoice::First => 0,
            // Any, but the same in every run.
            SeasonChoice::Any => (at * 7 + 3) % seasons.len(),
        };
        let season = seasons[chosen]["Id"].as_str().expect("an id");
        app.screen(&format!("/Shows/{show}/Episodes?seasonId={season}&fields=Overview")).await;
    }
    let classes = process.cache.stats().classes;
    let sum = |pick: fn(&greenroom_cache::ClassStats) -> u64| classes.iter().map(pick).sum::<u64>();
    let (loaded, useful) = (sum(|class| class.prefetch_loads), sum(|class| class.prefetch_useful));
    assert!(process.stop().await, "everything ends");
    app.screens_ms.sort_unstable();
    let share = |percent: usize| app.screens_ms[(app.screens_ms.len() - 1) * percent / 100];
    let line = format!(
        "{opens:?} season, ahead {ahead:?}: {} requests reached the server; screens p50 {} ms, p95 {} ms; \
         {loaded} loaded ahead, {useful} of them read",
        upstream.request_log().total(),
        share(50),
        share(95),
    );
    upstream.stop().await;
    line
}

#[tokio::main]
async fn main() {
    let each = [PrefetchLevel::Nothing, PrefetchLevel::Lists, PrefetchLevel::Everything];
    let evenings =
        [SeasonChoice::First, SeasonChoice::Any].into_iter().flat_map(|opens| each.map(|ahead| evening(opens, ahead)));
    let lines = futures_util::future::join_all(evenings).await;
    for line in lines {
        println!("{line}");
    }
}
