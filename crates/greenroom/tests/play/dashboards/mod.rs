//! APIs of existing dashboards: the fields they know, one upstream request for a crowd of them, the last good response
//! during an outage, and no secret in any of it.

mod figures;
mod history;
mod kept;
mod shapes;
mod sparing;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_proxy::server::Server;
use greenroom_simulator::catalogue::{CatalogueSize, MediaKind, Section, SortKey};
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::{Plex, PlexSwitches};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::state::{PlaybackUpdate, PlayerDevice, PlayerState};
use http::Method;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{long_moment, moment, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};

/// An active media server, and a gateway in front of it that has its owner's token.
pub struct DashboardFixture {
    pub server: SimulatedServer,
    pub stage: GatewayFixture,
    pub clock: Clock,
}

impl DashboardFixture {
    pub async fn plex() -> Self {
        Self::with(40, "").await
    }

    /// `plays` is the length of each user's history; `control` holds further lines of the control plane's table.
    pub async fn with(plays: u32, control: &str) -> Self {
        let tasks = TaskTracker::new();
        let switches = PlexSwitches { scan_takes: Duration::from_secs(3_600), ..PlexSwitches::default() };
        let options = SimulatorOptions { plays_per_user: plays, now: None, switches, ..SimulatorOptions::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        // Starts a library scan, so that there is an activity to show.
        let owner = TestClient::new(server.address()).with("x-plex-token", server.tokens().owner_a());
        let scan = format!("/library/sections/{}/refresh", Section::Films.number());
        assert_eq!(owner.get(&scan).await.status, 200);
        Self::before("plex", server, control).await
    }

    pub async fn jellyfin() -> Self {
        let tasks = TaskTracker::new();
        let options = SimulatorOptions { size: CatalogueSize::tiny(), now: None, ..SimulatorOptions::quick() };
        let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("jellyfin", server.expect("it starts"), "").await
    }

    /// The server is down before the first request.
    pub async fn never_heard() -> Self {
        let tasks = TaskTracker::new();
        let options = SimulatorOptions { now: None, ..SimulatorOptions::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        server.faults().set(Fault::Down);
        Self::before("plex", server, "").await
    }

    async fn before(kind: &str, server: SimulatedServer, control: &str) -> Self {
        play(&server);
        let clock = Clock::system();
        let token = format!("token = \"{}\"\n", server.tokens().owner_a());
        let script = GatewayConfigBuilder::with_control(control).server("home", kind, &server.url(), &token);
        let stage = script.start_at(clock.clone()).await;
        let house = Self { server, stage, clock };
        house.until("/api/v1/dashboard", |answer| answer.json()["as_of_ms"].as_u64() > Some(0)).await;
        house
    }

    pub fn gateway(&self) -> &Arc<Server> {
        &self.stage.process.servers[0].0
    }

    /// A dashboard of this name.
    pub fn dashboard(&self) -> TestClient {
        self.stage.control().with("user-agent", "Tableau/1.0")
    }

    pub async fn get(&self, path: &str) -> TestResponse {
        self.dashboard().get(path).await
    }

    /// Polls until the response fits.
    pub async fn until(&self, path: &str, is_so: impl Fn(&TestResponse) -> bool) -> TestResponse {
        let client = self.stage.control();
        let last = RefCell::new(String::new());
        let asking = async {
            loop {
                let answer = client.get(path).await;
                if is_so(&answer) {
                    return answer;
                }
                last.replace(answer.text());
                long_moment().await;
            }
        };
        with_deadline(Awaited(path, &last), asking).await
    }

    /// Syncs the history; once more if a sync is already running.
    pub async fn sync(&self) -> Value {
        let syncing = async {
            loop {
                let answer = self.stage.control().send(Method::POST, "/api/v1/history/sync", "").await;
                if answer.status != 202 {
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    return answer.json();
                }
                moment().await;
            }
        };
        with_deadline("a mirror that is up to date", syncing).await
    }

    /// Requests for a path that reached the server.
    pub fn reached(&self, path: &str) -> usize {
        self.server.request_log().count(|seen| seen.target.split('?').next() == Some(path))
    }

    /// Strings that no response may contain.
    pub fn secrets(&self) -> Vec<String> {
        vec![self.server.tokens().owner_a().to_owned(), self.stage.process.token.secret.expose().to_owned()]
    }

    pub async fn end(self) {
        self.stage.stop().await;
    }
}

/// A path with an expected response, and the last one received.
struct Awaited<'a>(&'a str, &'a RefCell<String>);

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.1.borrow())
    }
}

/// Starts playing an episode.
fn play(server: &SimulatedServer) {
    let episode = {
        let view = server.state().view();
        view.list(MediaKind::Episode, SortKey::Id).first().copied().expect("there is one")
    };
    server.change(|write| {
        write.report(&PlaybackUpdate {
            item: episode,
            progress: PlayerState::Playing,
            offset_ms: 60_000,
            device: PlayerDevice {
                client: "tv".into(),
                name: "Telly".into(),
                product: "TV".into(),
                ..PlayerDevice::default()
            },
        });
    });
}
