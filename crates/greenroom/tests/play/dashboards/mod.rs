//! What existing dashboards read: the fields they know, one request to the server for a crowd of them, the last good
//! answer while it is down, and no secret in any of it.

mod figures;
mod history;
mod kept;
mod shapes;
mod sparing;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_proxy::server::Server;
use greenroom_simulator::catalogue::{CatalogueSize, Kind, Section, SortKey};
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::Options;
use greenroom_simulator::plex::{Plex, Switches};
use greenroom_simulator::running::Running;
use greenroom_simulator::state::{Device, Playing, Progress};
use tokio_util::task::TaskTracker;

use crate::stage::waiting::PATIENCE;
use crate::stage::{Answer, Client, Script, Stage};

/// A media server on which something is going on, and a gateway in front of it that has its owner's token.
pub struct House {
    pub server: Running,
    pub stage: Stage,
    pub clock: Clock,
}

impl House {
    pub async fn plex(factor: f64) -> Self {
        Self::with(factor, 40, "").await
    }

    /// `plays` lie in each user's past; `control` holds further lines of the control plane's table.
    pub async fn with(factor: f64, plays: u32, control: &str) -> Self {
        let tasks = TaskTracker::new();
        let switches = Switches { scan_takes: Duration::from_secs(3_600), ..Switches::default() };
        let options = Options { plays_per_user: plays, now: None, switches, ..Options::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        // It looks for new films for as long as it is watched.
        let owner = Client::new(server.address()).with("x-plex-token", server.tokens().owner_a());
        let scan = format!("/library/sections/{}/refresh", Section::Films.number());
        assert_eq!(owner.get(&scan).await.status, 200);
        Self::before("plex", server, factor, control).await
    }

    pub async fn jellyfin(factor: f64) -> Self {
        let tasks = TaskTracker::new();
        let options = Options { size: CatalogueSize::tiny(), now: None, ..Options::quick() };
        let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("jellyfin", server.expect("it starts"), factor, "").await
    }

    /// The server is down before anybody asks it anything.
    pub async fn never_heard() -> Self {
        let tasks = TaskTracker::new();
        let options = Options { now: None, ..Options::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        server.faults().set(Fault::Down);
        Self::before("plex", server, 30.0, "").await
    }

    async fn before(kind: &str, server: Running, factor: f64, control: &str) -> Self {
        play(&server);
        let clock = Clock::scaled(factor);
        let token = format!("token = \"{}\"\n", server.tokens().owner_a());
        let script = Script::with_control(control).server("home", kind, &server.url(), &token);
        let stage = script.start_at(clock.clone()).await;
        let house = Self { server, stage, clock };
        house.until("/api/v1/dashboard", |answer| answer.json()["as_of_ms"].as_u64() > Some(0)).await;
        house
    }

    pub fn gateway(&self) -> &Arc<Server> {
        &self.stage.process.servers[0].0
    }

    /// A dashboard that calls itself so.
    pub fn dashboard(&self) -> Client {
        self.stage.control().with("user-agent", "Tableau/1.0")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.dashboard().get(path).await
    }

    /// Asks until the answer is so.
    pub async fn until(&self, path: &str, is_so: impl Fn(&Answer) -> bool) -> Answer {
        let client = self.stage.control();
        let mut last = String::new();
        let asking = async {
            loop {
                let answer = client.get(path).await;
                if is_so(&answer) {
                    return answer;
                }
                last = answer.text();
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, asking).await;
        outcome.unwrap_or_else(|_| panic!("{path} never became so: {last}"))
    }

    /// Requests for a path that reached the server.
    pub fn reached(&self, path: &str) -> usize {
        self.server.ledger().count(|seen| seen.target.split('?').next() == Some(path))
    }

    /// What nobody may be told.
    pub fn secrets(&self) -> Vec<String> {
        vec![self.server.tokens().owner_a().to_owned(), self.stage.process.token.secret.expose().to_owned()]
    }

    pub async fn end(self) {
        self.stage.down().await;
    }
}

/// Somebody watches an episode.
fn play(server: &Running) {
    let episode = {
        let view = server.state().view();
        view.list(Kind::Episode, SortKey::Id).first().copied().expect("there is one")
    };
    server.change(|write| {
        write.report(&Playing {
            item: episode,
            progress: Progress::Playing,
            offset_ms: 60_000,
            device: Device {
                client: "tv".into(),
                name: "Telly".into(),
                product: "TV".into(),
                ..Device::default()
            },
        });
    });
}
