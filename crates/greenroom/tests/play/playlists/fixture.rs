//! A media server with music, the gateway in front of it, and its library's tracks.

use std::collections::HashMap;
use std::net::SocketAddr;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use greenroom_simulator::catalogue::{CatalogueSize, MediaKind as What, Section};
use greenroom_simulator::class::RequestClass;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::{SimulatedUser, UserId, UserRegistry, UserToken};
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};

pub const BOTH: [ServerKind; 2] = [ServerKind::Plex, ServerKind::Jellyfin];
/// One track of the library.
#[derive(Debug, Clone, PartialEq)]
pub struct LibraryTrack {
    pub key: String,
    pub title: String,
    pub artist: String,
    pub album: String,
}

/// The gateway with its server.
pub struct PlaylistFixture {
    pub kind: ServerKind,
    pub running: SimulatedServer,
    pub stage: GatewayFixture,
    pub tracks: Vec<LibraryTrack>,
    pub tasks: TaskTracker,
}

/// Ann owns the server; ben sees all of it; cleo sees no music.
fn users() -> UserRegistry {
    let user = |id: u32, name: &str, sections: &[Section]| SimulatedUser {
        id: UserId(id),
        name: name.into(),
        admin: id == 1,
        sections: sections.to_vec(),
    };
    let token = |label: &str, id: u32| UserToken {
        label: label.into(),
        secret: format!("{:032x}", 0xa000 + id),
        user: Some(UserId(id)),
    };
    UserRegistry {
        users: vec![
            user(1, "ann", &Section::EVERY),
            user(2, "ben", &Section::EVERY),
            user(3, "cleo", &[Section::Films]),
        ],
        tokens: vec![
            token("ann", 1),
            token("ben", 2),
            token("cleo", 3),
            UserToken { label: "key".into(), secret: "f".repeat(32), user: None },
        ],
    }
}

/// A running server.
pub async fn server(kind: ServerKind, takes_one: bool, tasks: &TaskTracker) -> SimulatedServer {
    server_with(kind, 600, takes_one, tasks).await
}

/// A running server with this many tracks.
pub async fn server_with(kind: ServerKind, tracks: u32, takes_one: bool, tasks: &TaskTracker) -> SimulatedServer {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let size = CatalogueSize { tracks, ..CatalogueSize::tiny() };
    let started = match kind {
        ServerKind::Plex => {
            let switches = plex::PlexSwitches { playlist_takes_one: takes_one, ..plex::PlexSwitches::default() };
            let options = plex::PlexOptions { size, users: Some(users()), switches, ..plex::PlexOptions::quick() };
            Plex::new(options).start(anywhere, tasks).await
        }
        ServerKind::Jellyfin => {
            let options =
                jellyfin::JellyfinOptions { size, users: Some(users()), ..jellyfin::JellyfinOptions::quick() };
            Jellyfin::new(options).start(anywhere, tasks).await
        }
    };
    started.expect("it starts")
}

/// Configuration beside the address: two users with tokens, and where an API key can act for a user, ben by an API key
/// without a user and by the owner's token.
pub fn tokens(running: &SimulatedServer, kind: ServerKind) -> String {
    let of = |label: &str| running.tokens().secret(label).to_owned();
    let own = |label: &str| format!("[server.accounts.{label}]\ntoken = \"{}\"\n", of(label));
    let mut lines = format!("token = \"{}\"\n{}{}", of("ann"), own("ben"), own("cleo"));
    if kind == ServerKind::Jellyfin {
        lines += &own("key");
        lines += "user = \"ben\"\n[server.accounts.behalf]\nuser = \"Ben\"\n";
        // The same API key, on behalf of the server's owner.
        lines += &own("key").replace("accounts.key", "accounts.boss");
        lines += "user = \"ann\"\n";
    }
    lines
}

/// All music of a server.
pub fn tracks_of(running: &SimulatedServer, kind: ServerKind) -> Vec<LibraryTrack> {
    let view = running.state().view();
    let ids = view.catalogue().ids(What::Track);
    let track = |id| {
        let record = view.record(id)?;
        Some(LibraryTrack {
            key: match kind {
                ServerKind::Plex => id.to_string(),
                ServerKind::Jellyfin => jellyfin::item_id(id),
            },
            title: record.title,
            album: record.parent?.title,
            artist: record.grandparent?.title,
        })
    };
    let all: Vec<LibraryTrack> = ids.filter_map(track).collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for track in &all {
        *count.entry(track.title.to_lowercase()).or_default() += 1;
    }
    // Ambiguous titles are not tested here.
    all.into_iter().filter(|track| count[&track.title.to_lowercase()] == 1).collect()
}

/// Waits until the music of a server is indexed.
pub async fn indexed(stage: &GatewayFixture, server: &str) {
    let libraries = &stage.process.libraries;
    until(|| libraries.music_library(server).is_some()).await;
    let library = libraries.music_library(server).expect("it is found");
    library.ready().await.expect("it can be indexed");
}

impl PlaylistFixture {
    pub async fn open(kind: ServerKind) -> Self {
        Self::open_with(kind, false, Clock::system()).await
    }

    pub async fn open_with(kind: ServerKind, takes_one: bool, clock: Clock) -> Self {
        let tasks = TaskTracker::new();
        let running = server(kind, takes_one, &tasks).await;
        let url = running.url();
        Self::before(kind, running, &url, tasks, clock).await
    }

    /// The same with something between process and server.
    pub async fn before(
        kind: ServerKind,
        running: SimulatedServer,
        url: &str,
        tasks: TaskTracker,
        clock: Clock,
    ) -> Self {
        let script = GatewayConfigBuilder::new().server("home", kind.name(), url, &tokens(&running, kind));
        let stage = script.start_at(clock).await;
        let tracks = tracks_of(&running, kind);
        indexed(&stage, "home").await;
        Self { kind, running, stage, tracks, tasks }
    }

    pub async fn close(self) {
        self.stage.stop().await;
        self.running.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Rows as a user would write them.
    pub fn rows(&self, range: impl IntoIterator<Item = usize>) -> Value {
        let row = |at: usize| {
            let track = &self.tracks[at];
            json!({"title": track.title, "artist": track.artist, "album": track.album})
        };
        Value::Array(range.into_iter().map(row).collect())
    }

    pub fn keys(&self, range: impl IntoIterator<Item = usize>) -> Vec<String> {
        range.into_iter().map(|at| self.tracks[at].key.clone()).collect()
    }

    /// Requests a sync; `more` is added to the request.
    pub async fn ask(&self, rows: Value, more: Value) -> TestResponse {
        let mut wish = json!({"source": rows, "server": "home", "name": "Weekly"});
        for (key, value) in more.as_object().expect("an object") {
            wish[key] = value.clone();
        }
        self.stage.control().send(Method::POST, "/api/v1/playlists/sync", &wish.to_string()).await
    }

    /// The report of a completed sync.
    pub async fn sync(&self, rows: Value, more: Value) -> Value {
        let answer = self.ask(rows, more).await;
        // The response comes at the end, or after a time limit.
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{}", answer.text());
        let run = format!("/api/v1/playlists/runs/{}", answer.json()["run"].as_str().expect("an id"));
        let told = async || self.stage.control().get(&run).await.json();
        until_async(async || told().await["state"] != "running").await;
        let told = told().await;
        assert!(told["report"].is_object(), "{told}");
        told["report"].clone()
    }

    fn user(&self, label: &str) -> UserId {
        self.running
            .tokens()
            .tokens
            .iter()
            .find(|token| token.label == label)
            .and_then(|token| token.user)
            .expect("a user")
    }

    /// Tracks of a user's playlist, if it exists exactly once.
    pub fn playlist_keys(&self, label: &str, name: &str) -> Option<Vec<String>> {
        let user = self.user(label);
        let view = self.running.state().view();
        let mut own: Vec<_> =
            view.playlists(user).into_iter().filter(|list| list.owner == user && list.title == name).collect();
        assert!(own.len() <= 1, "there are {} playlists called {name}", own.len());
        let key = |id| match self.kind {
            ServerKind::Plex => format!("{id}"),
            ServerKind::Jellyfin => jellyfin::item_id(id),
        };
        own.pop().map(|list| list.entries.iter().map(|entry| key(entry.item)).collect())
    }

    /// Writes that reached the server.
    pub fn writes(&self) -> u64 {
        self.running.request_log().count_of_class(RequestClass::Write)
    }

    /// A client with a user's token.
    pub fn client(&self, label: &str) -> TestClient {
        let secret = self.running.tokens().secret(label);
        let client = self.stage.client().with("accept", "application/json");
        match self.kind {
            ServerKind::Plex => client.with("x-plex-token", secret),
            ServerKind::Jellyfin => client.with("authorization", &format!("MediaBrowser Token=\"{secret}\"")),
        }
    }
}
