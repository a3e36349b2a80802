//! A media server with music, the process before it, and what is known of its library.

use std::collections::HashMap;
use std::net::SocketAddr;

use greenroom_cache::Clock;
use greenroom_dialect::ask::Kind;
use greenroom_simulator::catalogue::{CatalogueSize, Kind as What, Section};
use greenroom_simulator::class::Class;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::running::Running;
use greenroom_simulator::users::{Token, User, UserId, Users};
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::stage::waiting::{until, until_told};
use crate::stage::{Answer, Client, Script, Stage};

pub const BOTH: [Kind; 2] = [Kind::Plex, Kind::Jellyfin];
/// One track of the library.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    pub key: String,
    pub title: String,
    pub artist: String,
    pub album: String,
}

/// The stage with its server.
pub struct House {
    pub kind: Kind,
    pub running: Running,
    pub stage: Stage,
    pub tracks: Vec<Track>,
    pub tasks: TaskTracker,
}

/// Ann owns the server; ben sees all of it; cleo sees no music.
fn users() -> Users {
    let user = |id: u32, name: &str, sections: &[Section]| User {
        id: UserId(id),
        name: name.into(),
        admin: id == 1,
        sections: sections.to_vec(),
    };
    let token = |label: &str, id: u32| Token {
        label: label.into(),
        secret: format!("{:032x}", 0xa000 + id),
        user: Some(UserId(id)),
    };
    Users {
        users: vec![
            user(1, "ann", &Section::EVERY),
            user(2, "ben", &Section::EVERY),
            user(3, "cleo", &[Section::Films]),
        ],
        tokens: vec![
            token("ann", 1),
            token("ben", 2),
            token("cleo", 3),
            Token { label: "key".into(), secret: "f".repeat(32), user: None },
        ],
    }
}

/// A server that runs.
pub async fn server(kind: Kind, takes_one: bool, tasks: &TaskTracker) -> Running {
    server_with(kind, 600, takes_one, tasks).await
}

/// A server that runs, with so many tracks.
pub async fn server_with(kind: Kind, tracks: u32, takes_one: bool, tasks: &TaskTracker) -> Running {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let size = CatalogueSize { tracks, ..CatalogueSize::tiny() };
    let started = match kind {
        Kind::Plex => {
            let switches = plex::Switches { playlist_takes_one: takes_one, ..plex::Switches::default() };
            let options = plex::Options { size, users: Some(users()), switches, ..plex::Options::quick() };
            Plex::new(options).start(anywhere, tasks).await
        }
        Kind::Jellyfin => {
            let options = jellyfin::Options { size, users: Some(users()), ..jellyfin::Options::quick() };
            Jellyfin::new(options).start(anywhere, tasks).await
        }
    };
    started.expect("it starts")
}

/// What the configuration says beside the address: two users with tokens, and where a key can speak for somebody, ben
/// by a key that is nobody's and by the owner's token.
pub fn tokens(running: &Running, kind: Kind) -> String {
    let of = |label: &str| running.tokens().secret(label).to_owned();
    let own = |label: &str| format!("[server.accounts.{label}]\ntoken = \"{}\"\n", of(label));
    let mut lines = format!("token = \"{}\"\n{}{}", of("ann"), own("ben"), own("cleo"));
    if kind == Kind::Jellyfin {
        lines += &own("key");
        lines += "user = \"ben\"\n[server.accounts.behalf]\nuser = \"Ben\"\n";
        // The same key, on behalf of who owns the server.
        lines += &own("key").replace("accounts.key", "accounts.boss");
        lines += "user = \"ann\"\n";
    }
    lines
}

/// All music of a server.
pub fn tracks_of(running: &Running, kind: Kind) -> Vec<Track> {
    let view = running.state().view();
    let ids = view.catalogue().ids(What::Track);
    let track = |id| {
        let record = view.record(id)?;
        Some(Track {
            key: match kind {
                Kind::Plex => id.to_string(),
                Kind::Jellyfin => jellyfin::item_id(id),
            },
            title: record.title,
            album: record.parent?.title,
            artist: record.grandparent?.title,
        })
    };
    let all: Vec<Track> = ids.filter_map(track).collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for track in &all {
        *count.entry(track.title.to_lowercase()).or_default() += 1;
    }
    // Who is meant by a title that there is several times is not what is tested here.
    all.into_iter().filter(|track| count[&track.title.to_lowercase()] == 1).collect()
}

/// Waits until the music of a server is indexed.
pub async fn indexed(stage: &Stage, server: &str) {
    let libraries = &stage.process.libraries;
    until(|| libraries.music_of(server).is_some()).await;
    let library = libraries.music_of(server).expect("it is found");
    library.ready().await.expect("it can be indexed");
}

impl House {
    pub async fn open(kind: Kind) -> Self {
        Self::open_with(kind, false, Clock::system()).await
    }

    pub async fn open_with(kind: Kind, takes_one: bool, clock: Clock) -> Self {
        let tasks = TaskTracker::new();
        let running = server(kind, takes_one, &tasks).await;
        let url = running.url();
        Self::before(kind, running, &url, tasks, clock).await
    }

    /// The same with something between process and server.
    pub async fn before(kind: Kind, running: Running, url: &str, tasks: TaskTracker, clock: Clock) -> Self {
        let script = Script::new().server("home", kind.name(), url, &tokens(&running, kind));
        let stage = script.start_at(clock).await;
        let tracks = tracks_of(&running, kind);
        indexed(&stage, "home").await;
        Self { kind, running, stage, tracks, tasks }
    }

    pub async fn close(self) {
        self.stage.down().await;
        self.running.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Rows as somebody would write them.
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

    /// Asks for a sync; `more` is added to the wish.
    pub async fn ask(&self, rows: Value, more: Value) -> Answer {
        let mut wish = json!({"source": rows, "server": "home", "name": "Weekly"});
        for (key, value) in more.as_object().expect("an object") {
            wish[key] = value.clone();
        }
        self.stage.control().send(Method::POST, "/api/v1/playlists/sync", &wish.to_string()).await
    }

    /// The report of a sync that ended.
    pub async fn sync(&self, rows: Value, more: Value) -> Value {
        let answer = self.ask(rows, more).await;
        // Who asks waits for the end, but not for ever.
        assert!(matches!(answer.status.as_u16(), 200 | 202), "{}", answer.text());
        let run = format!("/api/v1/playlists/runs/{}", answer.json()["run"].as_str().expect("an id"));
        let told = async || self.stage.control().get(&run).await.json();
        until_told(async || told().await["state"] != "running").await;
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

    /// What is in somebody's playlist, if it is there once.
    pub fn held(&self, label: &str, name: &str) -> Option<Vec<String>> {
        let user = self.user(label);
        let view = self.running.state().view();
        let mut own: Vec<_> = view
            .playlists(user)
            .into_iter()
            .filter(|list| list.owner == user && list.title == name)
            .collect();
        assert!(own.len() <= 1, "there are {} playlists called {name}", own.len());
        let key = |id| match self.kind {
            Kind::Plex => format!("{id}"),
            Kind::Jellyfin => jellyfin::item_id(id),
        };
        own.pop().map(|list| list.entries.iter().map(|entry| key(entry.item)).collect())
    }

    /// Requests that changed something.
    pub fn writes(&self) -> u64 {
        self.running.ledger().of(Class::Write)
    }

    /// A client that shows somebody's token to the process.
    pub fn client(&self, label: &str) -> Client {
        let secret = self.running.tokens().secret(label);
        let client = self.stage.client().with("accept", "application/json");
        match self.kind {
            Kind::Plex => client.with("x-plex-token", secret),
            Kind::Jellyfin => client.with("authorization", &format!("MediaBrowser Token=\"{secret}\"")),
        }
    }
}
