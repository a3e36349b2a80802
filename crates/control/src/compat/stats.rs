//! `/api/plex/stats`, `/stats/live`, `/stats/dashboard`: counts, from the figures that lie ready. Nobody who asks waits
//! for a server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::caches::Cached;
use super::{iso, seconds};
use crate::Plane;
use crate::dashboard::figures::{Amounts, Figures, Heard};
use greenroom_proxy::server::Server;

/// What a program is told that reads `detail`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detail {
    pub(super) detail: &'static str,
}

/// Nothing was ever heard of the server.
pub(super) const NOTHING_KNOWN: (StatusCode, Json<Detail>) = (
    StatusCode::SERVICE_UNAVAILABLE,
    Json(Detail { detail: "the server cannot be asked, and nothing was kept of this" }),
);

/// Counts of a server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexStats)]
pub(crate) struct Stats {
    peak_concurrent: u64,
    last_updated: Option<String>,
    /// Never told.
    server_url: Option<String>,
    server_name: String,
    token_configured: bool,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    age: Age,
}

/// The same, as they are shown live.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Live {
    #[serde(flatten)]
    counts: Counts,
    total_episodes: Option<u64>,
    server_name: String,
    #[serde(flatten)]
    age: Age,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Counts {
    /// `null` before a server said it, as the others.
    total_users: Option<u64>,
    total_movies: Option<u64>,
    total_tv_shows: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Age {
    cached: bool,
    /// When the servers said it; the longest ago.
    timestamp: String,
    /// How long ago that is, in seconds.
    cache_age: f64,
    /// Whether any of it is older than it should be, or a server it speaks of is down or never said anything.
    stale: bool,
}

/// What a dashboard shows first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    services: Services,
    plex: Plex,
    traffic: Traffic,
    #[serde(flatten)]
    age: Age,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexServices)]
struct Services {
    total: u64,
    online: u64,
    offline: u64,
    /// Those that answer far slower than they usually do.
    problem: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Plex {
    configured: bool,
    peak_concurrent: u64,
    #[serde(flatten)]
    counts: Counts,
    total_episodes: Option<u64>,
    movies: Option<u64>,
    shows: Option<u64>,
    seasons: Option<u64>,
    episodes: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexTraffic)]
struct Traffic {
    last_24h_download_bytes: u64,
    last_24h_upload_bytes: u64,
    last_24h_total_bytes: u64,
    /// Bytes of thirty days.
    total_30d: u64,
    unit: &'static str,
}

/// Counts of a server.
#[utoipa::path(get, path = "/api/plex/stats", tag = "compatible", responses(
    (status = 200, description = "Counts", body = Stats),
    (status = 503, description = "No server said anything yet", body = Detail)))]
pub(crate) async fn all(State(plane): State<Arc<Plane>>) -> Result<Json<Stats>, (StatusCode, Json<Detail>)> {
    let (figures, age) = plane.ready(Cached::Stats)?;
    Ok(Json(Stats {
        peak_concurrent: figures.peak_sessions,
        last_updated: figures.peak_ms.map(iso),
        server_url: None,
        server_name: plane.server_name(),
        token_configured: plane.shown_servers().iter().any(|server| server.origin.settings.token.is_some()),
        counts: plane.counts_of(&figures).0,
        age,
    }))
}

/// Counts of a server, as they are shown live.
#[utoipa::path(get, path = "/api/plex/stats/live", tag = "compatible", responses(
    (status = 200, description = "Counts", body = Live),
    (status = 503, description = "No server said anything yet", body = Detail)))]
pub(crate) async fn live(State(plane): State<Arc<Plane>>) -> Result<Json<Live>, (StatusCode, Json<Detail>)> {
    let (figures, age) = plane.ready(Cached::LiveStats)?;
    let (counts, amounts) = plane.counts_of(&figures);
    let (total_episodes, server_name) = (amounts.map(|of| of.episodes), plane.server_name());
    Ok(Json(Live { counts, total_episodes, server_name, age }))
}

/// What a dashboard shows first.
#[utoipa::path(get, path = "/api/plex/stats/dashboard", tag = "compatible", responses(
    (status = 200, description = "What a dashboard shows first", body = Overview),
    (status = 503, description = "No server said anything yet", body = Detail)))]
pub(crate) async fn dashboard(
    State(plane): State<Arc<Plane>>,
) -> Result<Json<Overview>, (StatusCode, Json<Detail>)> {
    let (figures, age) = plane.ready(Cached::Background)?;
    let (counts, amounts) = plane.counts_of(&figures);
    let services = figures.services;
    Ok(Json(Overview {
        services: Services {
            total: services.total,
            online: services.online - services.slow,
            offline: services.offline,
            problem: services.slow,
        },
        plex: Plex {
            configured: plane.shown_servers().iter().any(|server| server.origin.settings.token.is_some()),
            peak_concurrent: figures.peak_sessions,
            counts,
            total_episodes: amounts.map(|of| of.episodes),
            movies: amounts.map(|of| of.films),
            shows: amounts.map(|of| of.shows),
            seasons: amounts.map(|of| of.seasons),
            episodes: amounts.map(|of| of.episodes),
        },
        traffic: Traffic {
            last_24h_download_bytes: figures.traffic.last_day_bytes,
            last_24h_upload_bytes: 0,
            last_24h_total_bytes: figures.traffic.last_day_bytes,
            total_30d: figures.traffic.bytes,
            unit: "B",
        },
        age,
    }))
}

impl Plane {
    /// The figures, if any server that is shown ever said anything.
    fn ready(&self, cached: Cached) -> Result<(Arc<Figures>, Age), (StatusCode, Json<Detail>)> {
        let figures = self.control.dashboard.figures();
        let age = self.heard(&figures).map(|heard| self.age_of(&figures, heard));
        self.control.counts.note(cached, age.is_some());
        age.map(|age| (figures, age)).ok_or(NOTHING_KNOWN)
    }

    /// When what is known of the servers that are shown was heard.
    pub(super) fn heard(&self, figures: &Figures) -> Option<Heard> {
        let servers = self.shown_servers();
        servers.iter().filter_map(|server| figures.heard.get(server.name()).copied()).reduce(Heard::with)
    }

    /// Counts of the servers that are shown, as far as they said them.
    fn counts_of(&self, figures: &Figures) -> (Counts, Option<Amounts>) {
        let (mut amounts, mut total_users): (Option<Amounts>, Option<u64>) = (None, None);
        let per_server = figures.libraries.iter().flat_map(|libraries| &libraries.per_server);
        for server in self.shown_servers() {
            if let Some(of) = per_server.clone().find(|of| of.server == server.name()) {
                amounts.get_or_insert_default().add(&of.amounts);
            }
            if let Some(users) = figures.users.get(server.name()) {
                *total_users.get_or_insert_default() += users;
            }
        }
        let counts = Counts {
            total_users,
            total_movies: amounts.map(|of| of.films),
            total_tv_shows: amounts.map(|of| of.shows),
        };
        (counts, amounts)
    }

    fn age_of(&self, figures: &Figures, heard: Heard) -> Age {
        let now_ms = self.control.clock.now_ms();
        let is_away = |server: &&Arc<Server>| {
            server.origin.breaker.outage().is_some() || !figures.heard.contains_key(server.name())
        };
        Age {
            cached: true,
            timestamp: iso(heard.oldest_ms),
            cache_age: seconds(now_ms.saturating_sub(heard.oldest_ms)),
            stale: now_ms >= heard.stale_from_ms || self.shown_servers().iter().any(is_away),
        }
    }
}
