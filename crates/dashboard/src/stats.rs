//! The dashboard statistics as one value.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

use greenroom_dialect::dashboard::{DashboardItem, DashboardSession};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_origin::health::Health;
use greenroom_proxy::server::Server;

/// The statistics at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = DashboardFigures)]
pub struct DashboardStats {
    /// When they were computed, in milliseconds since 1970; 0 before the first time.
    pub as_of_ms: u64,
    /// Number of servers by state.
    pub services: ServiceCounts,
    /// State of each server.
    pub servers: Vec<ServerHealth>,
    /// Media counts; `null` before any server reported them.
    pub libraries: Option<LibraryTotals>,
    /// Requests of apps.
    pub traffic: TrafficTotals,
    /// Current sessions.
    pub sessions: ActiveSessions,
    /// The apps that were saved the most requests.
    pub top_apps: Vec<TopApp>,
    /// Times of each server's data; servers that never responded are absent.
    #[serde(skip)]
    pub data_timestamps: BTreeMap<String, DataTimestamps>,
    /// Number of users of each server.
    #[serde(skip)]
    pub users: BTreeMap<String, u64>,
    /// Peak of concurrent sessions on record.
    #[serde(skip)]
    pub peak_sessions: u64,
    /// Time of the peak.
    #[serde(skip)]
    pub peak_ms: Option<u64>,
}

/// Times of the data of a server, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataTimestamps {
    /// The oldest time.
    pub oldest_ms: Timestamp,
    /// The newest time.
    pub newest_ms: Timestamp,
    /// When the first part becomes stale.
    pub stale_from_ms: Timestamp,
}

impl DataTimestamps {
    /// Combines times, each with how long its data is current.
    pub fn from_moments(moments: impl IntoIterator<Item = (Timestamp, Duration)>) -> Option<Self> {
        let single = |(at_ms, fresh): (Timestamp, Duration)| Self {
            oldest_ms: at_ms,
            newest_ms: at_ms,
            stale_from_ms: at_ms.saturating_add(fresh),
        };
        moments.into_iter().map(single).reduce(Self::merge)
    }

    /// Combines both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            oldest_ms: self.oldest_ms.min(other.oldest_ms),
            newest_ms: self.newest_ms.max(other.newest_ms),
            stale_from_ms: self.stale_from_ms.min(other.stale_from_ms),
        }
    }
}

/// Number of servers by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DashboardServices)]
pub struct ServiceCounts {
    /// All of them.
    pub total: u64,
    /// Servers that respond, slow ones included.
    pub online: u64,
    /// Servers that are down.
    pub offline: u64,
    /// Servers that respond far slower than usual.
    pub slow: u64,
}

/// State of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerHealth {
    /// Its name.
    pub name: String,
    /// `plex` or `jellyfin`.
    pub kind: &'static str,
    /// Its health.
    pub health: Health,
    /// State of its circuit breaker.
    pub breaker: &'static str,
    /// Start of the outage, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// Media counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LibraryTotals {
    /// Totals of all servers.
    #[serde(flatten)]
    pub all: MediaTotals,
    /// When the servers reported them; the oldest time.
    pub as_of_ms: u64,
    /// By server.
    pub per_server: Vec<ServerMediaTotals>,
}

/// Media counts of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerMediaTotals {
    /// Its name.
    pub server: String,
    /// Its counts.
    #[serde(flatten)]
    pub amounts: MediaTotals,
    /// When it reported them; the oldest time of its libraries.
    pub as_of_ms: u64,
}

/// Media counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MediaTotals {
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

/// Requests of apps over some days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DashboardTraffic)]
pub struct TrafficTotals {
    /// Number of days.
    pub days: u64,
    /// Requests of apps.
    pub asked: u64,
    /// Requests that reached a server, own requests included.
    pub reached: u64,
    /// Requests that reached a server and that no app waited for.
    pub own: u64,
    /// Requests answered without asking the server.
    pub saved: u64,
    /// Bytes sent to apps.
    pub bytes: u64,
    /// Bytes sent to apps in the last day.
    #[serde(skip)]
    pub last_day_bytes: u64,
}

/// Current sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = DashboardSessions)]
pub struct ActiveSessions {
    /// Number of sessions; `null` before any server reported them.
    pub active: Option<u64>,
    /// When the servers reported them; the oldest time. `null` if none ever did.
    pub as_of_ms: Option<u64>,
    /// True if a server could not be asked since.
    pub stale: bool,
    /// The first hundred sessions.
    pub list: Vec<PlayingSession>,
}

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct PlayingSession {
    /// The server.
    pub server: String,
    /// The user.
    pub user: String,
    /// The show, the artist or the film.
    pub title: String,
    /// The episode or the track.
    pub subtitle: Option<String>,
    /// The player.
    pub player: String,
    /// `playing`, `paused`, `buffering`.
    pub state: String,
    /// Progress from 0 to 1.
    pub progress: Option<f64>,
    /// A signed link to its image, which needs no token; valid for an hour or a little more. Following it does not
    /// count as an app.
    pub picture: Option<String>,
    /// The server's path of that image.
    #[serde(skip)]
    pub thumb: Option<String>,
}

/// An app that was saved requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopApp {
    /// The server it uses.
    pub server: String,
    /// The name it sends.
    pub app: String,
    /// Its requests.
    pub asked: u64,
    /// Those that did not reach the server.
    pub saved: u64,
}

impl ServiceCounts {
    /// Counts servers by state.
    pub fn count(servers: &[ServerHealth]) -> Self {
        let count = |matches: fn(Health) -> bool| servers.iter().filter(|server| matches(server.health)).count() as u64;
        Self {
            total: servers.len() as u64,
            online: count(|health| matches!(health, Health::Online | Health::Slow)),
            offline: count(|health| health == Health::Offline),
            slow: count(|health| health == Health::Slow),
        }
    }
}

impl ServerHealth {
    /// The state of this server.
    pub fn from_server(server: &Server, now_ms: Timestamp) -> Self {
        let outage = server.origin.breaker.outage();
        Self {
            name: server.name().to_owned(),
            kind: server.origin.settings.kind.name(),
            health: health_of(server, now_ms),
            breaker: server.origin.breaker.state().name(),
            since_ms: outage.map(|outage| outage.since_ms).map(Timestamp::as_millis),
        }
    }
}

impl PlayingSession {
    /// The displayed part of a session.
    pub fn from_session(server: &str, session: &DashboardSession) -> Self {
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

/// Display title and subtitle: the parent's title, and the item's own below it.
pub fn titles(item: &DashboardItem) -> (String, Option<String>) {
    match &item.grandparent_title {
        Some(parent) => (parent.clone(), Some(item.title.clone())),
        None => (item.title.clone(), None),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn progress(session: &DashboardSession) -> Option<f64> {
    let duration_ms = session.item.duration_ms.filter(|duration_ms| *duration_ms > 0)?;
    Some((session.offset_ms as f64 / duration_ms as f64).clamp(0.0, 1.0))
}

impl MediaTotals {
    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.films += other.films;
        self.shows += other.shows;
        self.seasons += other.seasons;
        self.episodes += other.episodes;
        self.artists += other.artists;
        self.albums += other.albums;
        self.tracks += other.tracks;
    }
}

/// Whether the server responds, and whether far slower than usual.
pub fn health_of(server: &Server, now_ms: Timestamp) -> Health {
    let (origin, is_down) = (&server.origin, server.origin.breaker.outage().is_some());
    Health::evaluate(is_down, origin.is_responding(), &origin.ttfb.samples(), now_ms)
}
