//! What a dashboard shows, as one value.

use std::collections::BTreeMap;

use greenroom_dialect::dashboard::{Item, Session};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_origin::health::Health;
use greenroom_proxy::server::Server;

/// The figures of one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = DashboardFigures)]
pub struct Figures {
    /// When they were computed, in milliseconds since 1970; 0 before that was ever done.
    pub as_of_ms: u64,
    /// Servers, counted by how they do.
    pub services: Services,
    /// How each of them does.
    pub servers: Vec<ServerHealth>,
    /// How much there is of everything; `null` before any server said it.
    pub libraries: Option<LibraryTotals>,
    /// What apps asked.
    pub traffic: Traffic,
    /// Who plays what.
    pub sessions: Sessions,
    /// The apps that were spared most requests.
    pub top_apps: Vec<TopApp>,
    /// When what is known of each server was heard; who never said anything is not in it.
    #[serde(skip)]
    pub heard: BTreeMap<String, Heard>,
    /// How many users each server has.
    #[serde(skip)]
    pub users: BTreeMap<String, u64>,
    /// Most that played at once, as far back as is known.
    #[serde(skip)]
    pub peak_sessions: u64,
    /// When that was.
    #[serde(skip)]
    pub peak_ms: Option<u64>,
}

/// When what is known of a server was heard, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The oldest of it.
    pub oldest_ms: u64,
    /// The newest of it.
    pub newest_ms: u64,
    /// From when on any of it is older than it should be.
    pub stale_from_ms: u64,
}

impl Heard {
    /// Of these moments, each with how long it is good for.
    pub fn of(moments: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let one = |(at_ms, good_ms): (u64, u64)| Self {
            oldest_ms: at_ms,
            newest_ms: at_ms,
            stale_from_ms: at_ms.saturating_add(good_ms),
        };
        moments.into_iter().map(one).reduce(Self::with)
    }

    /// Of both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            oldest_ms: self.oldest_ms.min(other.oldest_ms),
            newest_ms: self.newest_ms.max(other.newest_ms),
            stale_from_ms: self.stale_from_ms.min(other.stale_from_ms),
        }
    }
}

/// Servers, counted by how they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DashboardServices)]
pub struct Services {
    /// All of them.
    pub total: u64,
    /// Those that answer, slow ones included.
    pub online: u64,
    /// Those that are down.
    pub offline: u64,
    /// Those that answer, but far slower than they usually do.
    pub slow: u64,
}

/// How one server does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerHealth {
    /// Its name.
    pub name: String,
    /// `plex` or `jellyfin`.
    pub kind: &'static str,
    /// How it does.
    pub health: Health,
    /// Where its breaker stands.
    pub breaker: &'static str,
    /// Since when it is down, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LibraryTotals {
    /// Of all servers together.
    #[serde(flatten)]
    pub all: Amounts,
    /// When the servers said so; the longest ago.
    pub as_of_ms: u64,
    /// Of each server.
    pub per_server: Vec<ServerAmounts>,
}

/// How much there is of everything on one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerAmounts {
    /// Its name.
    pub server: String,
    /// How much there is.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// When it said so; of its libraries the longest ago.
    pub as_of_ms: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Amounts {
    /// Films.
    pub films: u64,
    /// Shows.
    pub shows: u64,
    /// Seasons of shows.
    pub seasons: u64,
    /// Episodes of shows.
    pub episodes: u64,
    /// Artists.
    pub artists: u64,
    /// Albums.
    pub albums: u64,
    /// Tracks.
    pub tracks: u64,
}

/// What apps asked in some days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DashboardTraffic)]
pub struct Traffic {
    /// In how many days.
    pub days: u64,
    /// Requests that apps made.
    pub asked: u64,
    /// Requests that reached a server, ours included.
    pub reached: u64,
    /// Of those that reached a server, the ones that no app waited for.
    pub own: u64,
    /// Requests that were answered without asking one.
    pub saved: u64,
    /// Bytes that apps were answered.
    pub bytes: u64,
    /// The same of the last day.
    #[serde(skip)]
    pub last_day_bytes: u64,
}

/// Who plays what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = DashboardSessions)]
pub struct Sessions {
    /// How many play; `null` before any server said it.
    pub active: Option<u64>,
    /// When the servers said so; the longest ago. `null` if none ever did.
    pub as_of_ms: Option<u64>,
    /// Whether a server could not be asked since.
    pub stale: bool,
    /// Who plays what; the first hundred.
    pub list: Vec<Playing>,
}

/// One who plays something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Playing {
    /// On which server.
    pub server: String,
    /// Who.
    pub user: String,
    /// What: the show, the artist, the film.
    pub title: String,
    /// The episode or the track.
    pub subtitle: Option<String>,
    /// On what.
    pub player: String,
    /// `playing`, `paused`, `buffering`.
    pub state: String,
    /// How much of it is over, from 0 to 1.
    pub progress: Option<f64>,
    /// A link of ours to its picture, which needs no token; good for an hour or a little more. Who follows it is not
    /// counted as an app.
    pub picture: Option<String>,
    /// The server's path of that picture.
    #[serde(skip)]
    pub thumb: Option<String>,
}

/// An app that was spared requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopApp {
    /// Which server it asked.
    pub server: String,
    /// What it calls itself.
    pub app: String,
    /// Requests it made.
    pub asked: u64,
    /// Those that did not reach the server.
    pub saved: u64,
}

impl Services {
    /// Counts.
    pub fn of(servers: &[ServerHealth]) -> Self {
        let count =
            |fits: fn(Health) -> bool| servers.iter().filter(|server| fits(server.health)).count() as u64;
        Self {
            total: servers.len() as u64,
            online: count(|health| matches!(health, Health::Online | Health::Slow)),
            offline: count(|health| health == Health::Offline),
            slow: count(|health| health == Health::Slow),
        }
    }
}

impl ServerHealth {
    /// How this one does.
    pub fn of(server: &Server, now_ms: u64) -> Self {
        let outage = server.origin.breaker.outage();
        Self {
            name: server.name().to_owned(),
            kind: server.origin.settings.kind.name(),
            health: Health::of(
                outage.is_some(),
                server.origin.is_well(),
                &server.origin.first_bytes.samples(),
                now_ms,
            ),
            breaker: server.origin.breaker.state().name(),
            since_ms: outage.map(|outage| outage.since_ms),
        }
    }
}

impl Playing {
    /// What is shown of a session.
    pub fn of(server: &str, session: &Session) -> Self {
        let (title, subtitle) = titles(&session.item);
        let player = session.player.device.clone().or_else(|| session.player.product.clone());
        Self {
            server: server.to_owned(),
            user: session.user.name.clone(),
            title,
            subtitle,
            player: player.unwrap_or_default(),
            state: session.state.clone(),
            progress: progress(session),
            picture: None,
            thumb: session.item.grandparent_thumb.clone().or_else(|| session.item.thumb.clone()),
        }
    }
}

/// What something is called: by what it belongs to, and by itself below.
pub fn titles(item: &Item) -> (String, Option<String>) {
    match &item.grandparent_title {
        Some(above) => (above.clone(), Some(item.title.clone())),
        None => (item.title.clone(), None),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn progress(session: &Session) -> Option<f64> {
    let duration_ms = session.item.duration_ms.filter(|duration_ms| *duration_ms > 0)?;
    Some((session.offset_ms as f64 / duration_ms as f64).clamp(0.0, 1.0))
}

impl Amounts {
    /// Adds others.
    pub fn add(&mut self, more: &Self) {
        self.films += more.films;
        self.shows += more.shows;
        self.seasons += more.seasons;
        self.episodes += more.episodes;
        self.artists += more.artists;
        self.albums += more.albums;
        self.tracks += more.tracks;
    }
}
