//! Measures what prefetch gains and costs a viewer in front of a television: `cargo run --example prefetch`.
//!
//! Two evenings on a simulated Jellyfin; every screen is looked at for two seconds.
//! - `Shows`: one show after the other is opened: its seasons, then the episodes of one season, each with the first
//!   images, a few at a time.
//! - `Kodi`: the menus of the demo, one visit per show: the start page with three lists, the shows, the seasons of one
//!   show, the episodes of one season, and the images of all lists, one after the other.
//!
//! The opened season is always the first, or any. Prints for each, without prefetch, with prefetch of lists, and with
//! all of it: requests that reached the server, how long a screen took until its last image was there, prefetched
//! responses, and how many of these the app read or never used.

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
const VISITS: usize = 10;
const FIELDS: &str = "fields=DateCreated%2COverview%2CGenres%2CMediaStreams%2CPath";
const LOOKS: Duration = Duration::from_secs(2);

/// The season to open.
#[derive(Debug, Clone, Copy)]
enum SeasonChoice {
    First,
    Any,
}

impl SeasonChoice {
    fn index(self, show: usize, seasons: usize) -> usize {
        match self {
            Self::First => 0,
            // The same in every run.
            Self::Any => (show * 7 + 3) % seasons,
        }
    }
}

/// The viewer's evening.
#[derive(Debug, Clone, Copy)]
enum EveningKind {
    Shows,
    Kodi,
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
        body["Items"].as_array().or_else(|| body.as_array()).cloned().expect("a list")
    }

    /// Opens a screen of lists with their images, this many at a time, and looks at it. Returns the rows of the last.
    async fn screen(&mut self, targets: &[String], at_a_time: usize) -> Vec<Value> {
        let began_ms = self.clock.now_ms();
        let mut lists = Vec::new();
        for target in targets {
            lists.push(self.list(target).await);
        }
        let image = |row: &Value| {
            let (id, tag) = (row["Id"].as_str()?, row["ImageTags"]["Primary"].as_str()?);
            Some(format!("/Items/{id}/Images/Primary?maxWidth=400&quality=90&tag={tag}"))
        };
        let images: Vec<String> = lists.iter().flat_map(|rows| rows.iter().take(PICTURES).filter_map(image)).collect();
        let loads = stream::iter(&images).map(|image| self.get(image));
        loads.buffer_unordered(at_a_time).for_each(|_| async {}).await;
        self.screens_ms.push(self.clock.now_ms() - began_ms);
        self.clock.sleep(LOOKS).await;
        lists.pop().unwrap_or_default()
    }

    async fn shows(&mut self, opens: SeasonChoice) {
        let shows = self.list("/Items?includeItemTypes=Series&recursive=true&sortBy=SortName&limit=50").await;
        for (at, show) in shows.iter().take(SHOWS).enumerate() {
            let show = id(show);
            let seasons = self.screen(&[format!("/Shows/{show}/Seasons?fields=Overview")], PICTURES_AT_A_TIME).await;
            let season = id(&seasons[opens.index(at, seasons.len())]);
            let episodes = format!("/Shows/{show}/Episodes?seasonId={season}&fields=Overview");
            self.screen(&[episodes], PICTURES_AT_A_TIME).await;
        }
    }

    async fn kodi(&mut self, opens: SeasonChoice) {
        for visit in 0..VISITS {
            let me: Value = serde_json::from_slice(&self.get("/Users/Me").await).expect("JSON");
            let user = format!("userId={}", id(&me));
            self.get(&format!("/UserViews?{user}")).await;
            let start = [
                format!("/UserItems/Resume?{user}&limit=20&mediaTypes=Video&recursive=true&{FIELDS}"),
                format!("/Shows/NextUp?{user}&limit=24&{FIELDS}"),
                format!("/Items/Latest?{user}&includeItemTypes=Episode&limit=20&groupItems=true&{FIELDS}"),
            ];
            self.screen(&start, 1).await;
            let shows = format!(
                "/Items?{user}&includeItemTypes=Series&recursive=true&sortBy=SortName&sortOrder=Ascending&startIndex=0\
                 &limit=50&{FIELDS}"
            );
            let show = id(&self.screen(&[shows], 1).await[visit]);
            let seasons = self.screen(&[format!("/Shows/{show}/Seasons?{user}&{FIELDS}")], 1).await;
            let season = id(&seasons[opens.index(visit, seasons.len())]);
            self.screen(&[format!("/Shows/{show}/Episodes?{user}&seasonId={season}&{FIELDS}")], 1).await;
        }
    }
}

fn id(row: &Value) -> String {
    row["Id"].as_str().expect("an id").to_owned()
}

/// Extent of prefetching.
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

async fn evening(kind: EveningKind, opens: SeasonChoice, ahead: PrefetchLevel) -> String {
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
    match kind {
        EveningKind::Shows => app.shows(opens).await,
        EveningKind::Kodi => app.kodi(opens).await,
    }
    let classes = process.cache.stats().classes;
    let sum = |pick: fn(&greenroom_cache::ClassStats) -> u64| classes.iter().map(pick).sum::<u64>();
    let (loaded, useful) = (sum(|class| class.prefetch_loads), sum(|class| class.prefetch_useful));
    assert!(process.stop().await, "everything ends");
    app.screens_ms.sort_unstable();
    let share = |percent: usize| app.screens_ms[(app.screens_ms.len() - 1) * percent / 100];
    let line = format!(
        "{kind:?}, {opens:?} season, prefetch {ahead:?}: {} requests reached the server; screens p50 {} ms, p95 {} ms; \
         {loaded} prefetched, {useful} of them read, {} never used",
        upstream.request_log().total(),
        share(50),
        share(95),
        loaded - useful,
    );
    upstream.stop().await;
    line
}

#[tokio::main]
async fn main() {
    let levels = [PrefetchLevel::Nothing, PrefetchLevel::Lists, PrefetchLevel::Everything];
    let evenings = [EveningKind::Shows, EveningKind::Kodi].into_iter().flat_map(|kind| {
        [SeasonChoice::First, SeasonChoice::Any]
            .into_iter()
            .flat_map(move |opens| levels.map(|level| evening(kind, opens, level)))
    });
    let lines = futures_util::future::join_all(evenings).await;
    for line in lines {
        println!("{line}");
    }
}
