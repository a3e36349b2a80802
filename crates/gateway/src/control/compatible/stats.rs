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
use crate::control::Plane;
use crate::dashboard::figures::{Amounts, Figures};

/// What a program is told that reads `detail`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct Detail {
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
pub(in crate::control) struct Stats {
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
pub(in crate::control) struct Live {
    #[serde(flatten)]
    counts: Counts,
    total_episodes: u64,
    server_name: String,
    #[serde(flatten)]
    age: Age,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Counts {
    total_users: u64,
    total_movies: u64,
    total_tv_shows: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Age {
    cached: bool,
    /// When it was computed.
    timestamp: String,
    /// How long ago that is, in seconds.
    cache_age: f64,
    /// Whether a server it speaks of is down.
    stale: bool,
}

/// What a dashboard shows first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct Overview {
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
    total_episodes: u64,
    movies: u64,
    shows: u64,
    seasons: u64,
    episodes: u64,
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
    (status = 503, description = "Nothing was computed yet", body = Detail)))]
pub(in crate::control) async fn all(
    State(plane): State<Arc<Plane>>,
) -> Result<Json<Stats>, (StatusCode, Json<Detail>)> {
    let figures = plane.ready(Cached::Stats)?;
    Ok(Json(Stats {
        peak_concurrent: figures.peak_sessions,
        last_updated: figures.peak_ms.map(iso),
        server_url: None,
        server_name: plane.server_name(),
        token_configured: plane.shown_servers().iter().any(|server| server.settings.token.is_some()),
        counts: plane.counts_of(&figures).0,
        age: plane.age_of(&figures),
    }))
}

/// Counts of a server, as they are shown live.
#[utoipa::path(get, path = "/api/plex/stats/live", tag = "compatible", responses(
    (status = 200, description = "Counts", body = Live),
    (status = 503, description = "Nothing was computed yet", body = Detail)))]
pub(in crate::control) async fn live(
    State(plane): State<Arc<Plane>>,
) -> Result<Json<Live>, (StatusCode, Json<Detail>)> {
    let figures = plane.ready(Cached::LiveStats)?;
    let (counts, amounts) = plane.counts_of(&figures);
    let (total_episodes, server_name) = (amounts.episodes, plane.server_name());
    Ok(Json(Live { counts, total_episodes, server_name, age: plane.age_of(&figures) }))
}

/// What a dashboard shows first.
#[utoipa::path(get, path = "/api/plex/stats/dashboard", tag = "compatible", responses(
    (status = 200, description = "What a dashboard shows first", body = Overview),
    (status = 503, description = "Nothing was computed yet", body = Detail)))]
pub(in crate::control) async fn dashboard(
    State(plane): State<Arc<Plane>>,
) -> Result<Json<Overview>, (StatusCode, Json<Detail>)> {
    let figures = plane.ready(Cached::Background)?;
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
            configured: plane.shown_servers().iter().any(|server| server.settings.token.is_some()),
            peak_concurrent: figures.peak_sessions,
            counts,
            total_episodes: amounts.episodes,
            movies: amounts.films,
            shows: amounts.shows,
            seasons: amounts.seasons,
            episodes: amounts.episodes,
        },
        traffic: Traffic {
            last_24h_download_bytes: figures.traffic.last_day_bytes,
            last_24h_upload_bytes: 0,
            last_24h_total_bytes: figures.traffic.last_day_bytes,
            total_30d: figures.traffic.bytes,
            unit: "B",
        },
        age: plane.age_of(&figures),
    }))
}

impl Plane {
    /// The figures, if there are any.
    fn ready(&self, cached: Cached) -> Result<Arc<Figures>, (StatusCode, Json<Detail>)> {
        let figures = self.control.dashboard.figures();
        let is_ready = figures.as_of_ms > 0;
        self.control.counts.note(cached, is_ready);
        if is_ready { Ok(figures) } else { Err(NOTHING_KNOWN) }
    }

    /// Counts of the servers that are shown.
    fn counts_of(&self, figures: &Figures) -> (Counts, Amounts) {
        let mut amounts = Amounts::default();
        let mut total_users = 0;
        for server in self.shown_servers() {
            let of = figures.libraries.per_server.iter().find(|of| of.server == server.name());
            amounts.add(&of.map(|of| of.amounts).unwrap_or_default());
            total_users += figures.users.get(server.name()).copied().unwrap_or_default();
        }
        (Counts { total_users, total_movies: amounts.films, total_tv_shows: amounts.shows }, amounts)
    }

    fn age_of(&self, figures: &Figures) -> Age {
        let age_ms = self.control.clock.now_ms().saturating_sub(figures.as_of_ms);
        Age {
            cached: true,
            timestamp: iso(figures.as_of_ms),
            cache_age: seconds(age_ms),
            stale: self.shown_servers().iter().any(|server| server.breaker.outage().is_some()),
        }
    }
}
