//! `/api/plex/stats`, `/stats/live`, `/stats/dashboard`: counts from the precomputed statistics. No request waits for a
//! server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{iso, seconds};
use crate::compat_cache_counters::CompatCache;
use crate::control::ApiState;
use crate::dashboard::stats::{DashboardStats, DataTimestamps, MediaTotals};
use greenroom_proxy::server::Server;

/// An error for programs that read `detail`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetailResponse {
    pub(super) detail: &'static str,
}

/// No server ever responded.
pub(super) const NOTHING_KNOWN: (StatusCode, Json<ErrorDetailResponse>) = (
    StatusCode::SERVICE_UNAVAILABLE,
    Json(ErrorDetailResponse { detail: "the server cannot be asked, and nothing was kept of this" }),
);

/// Counts of a server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexStats)]
pub(crate) struct CompatStatsResponse {
    peak_concurrent: u64,
    last_updated: Option<String>,
    /// Always `null`.
    server_url: Option<String>,
    server_name: String,
    token_configured: bool,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    age: DataAge,
}

/// Counts of a server, as shown live.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatLiveStatsResponse {
    #[serde(flatten)]
    counts: Counts,
    total_episodes: Option<u64>,
    server_name: String,
    #[serde(flatten)]
    age: DataAge,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Counts {
    /// `null` until a server reported it, like the others.
    total_users: Option<u64>,
    total_movies: Option<u64>,
    total_tv_shows: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DataAge {
    cached: bool,
    /// When the servers reported it; the oldest time.
    timestamp: String,
    /// Seconds since then.
    cache_age: f64,
    /// True if any of it is stale, or a server included is down or never responded.
    stale: bool,
}

/// The dashboard's overview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatOverviewResponse {
    services: Services,
    plex: Plex,
    traffic: Traffic,
    #[serde(flatten)]
    age: DataAge,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexServices)]
struct Services {
    total: u64,
    online: u64,
    offline: u64,
    /// Servers that respond far slower than usual.
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
    /// Bytes in thirty days.
    total_30d: u64,
    unit: &'static str,
}

/// Counts of a server.
#[utoipa::path(get, path = "/api/plex/stats", tag = "compatible", responses(
    (status = 200, description = "Counts", body = CompatStatsResponse),
    (status = 503, description = "No server said anything yet", body = ErrorDetailResponse)))]
pub(crate) async fn all(
    State(plane): State<Arc<ApiState>>,
) -> Result<Json<CompatStatsResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (figures, age) = plane.ready(CompatCache::Stats)?;
    Ok(Json(CompatStatsResponse {
        peak_concurrent: figures.peak_sessions,
        last_updated: figures.peak_ms.map(iso),
        server_url: None,
        server_name: plane.server_name(),
        token_configured: plane.compat_servers().iter().any(|server| server.origin.settings.token.is_some()),
        counts: plane.counts_of(&figures).0,
        age,
    }))
}

/// Counts of a server, as shown live.
#[utoipa::path(get, path = "/api/plex/stats/live", tag = "compatible", responses(
    (status = 200, description = "Counts", body = CompatLiveStatsResponse),
    (status = 503, description = "No server said anything yet", body = ErrorDetailResponse)))]
pub(crate) async fn live(
    State(plane): State<Arc<ApiState>>,
) -> Result<Json<CompatLiveStatsResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (figures, age) = plane.ready(CompatCache::LiveStats)?;
    let (counts, amounts) = plane.counts_of(&figures);
    let (total_episodes, server_name) = (amounts.map(|of| of.episodes), plane.server_name());
    Ok(Json(CompatLiveStatsResponse { counts, total_episodes, server_name, age }))
}

/// The dashboard's overview.
#[utoipa::path(get, path = "/api/plex/stats/dashboard", tag = "compatible", responses(
    (status = 200, description = "What a dashboard shows first", body = CompatOverviewResponse),
    (status = 503, description = "No server said anything yet", body = ErrorDetailResponse)))]
pub(crate) async fn dashboard(
    State(plane): State<Arc<ApiState>>,
) -> Result<Json<CompatOverviewResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (figures, age) = plane.ready(CompatCache::Background)?;
    let (counts, amounts) = plane.counts_of(&figures);
    let services = figures.services;
    Ok(Json(CompatOverviewResponse {
        services: Services {
            total: services.total,
            online: services.online - services.slow,
            offline: services.offline,
            problem: services.slow,
        },
        plex: Plex {
            configured: plane.compat_servers().iter().any(|server| server.origin.settings.token.is_some()),
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

impl ApiState {
    /// The statistics, if any of the servers shown ever responded.
    fn ready(
        &self,
        cached: CompatCache,
    ) -> Result<(Arc<DashboardStats>, DataAge), (StatusCode, Json<ErrorDetailResponse>)> {
        let figures = self.control.dashboard.stats();
        let age = self.data_timestamps(&figures).map(|heard| self.age_of(&figures, heard));
        self.control.compat_cache_counters.record(cached, age.is_some());
        age.map(|age| (figures, age)).ok_or(NOTHING_KNOWN)
    }

    /// Times of the data of the servers shown.
    pub(super) fn data_timestamps(&self, figures: &DashboardStats) -> Option<DataTimestamps> {
        let servers = self.compat_servers();
        servers
            .iter()
            .filter_map(|server| figures.data_timestamps.get(server.name()).copied())
            .reduce(DataTimestamps::merge)
    }

    /// Counts of the servers shown, as far as they reported them.
    fn counts_of(&self, figures: &DashboardStats) -> (Counts, Option<MediaTotals>) {
        let (mut amounts, mut total_users): (Option<MediaTotals>, Option<u64>) = (None, None);
        let per_server = figures.libraries.iter().flat_map(|libraries| &libraries.per_server);
        for server in self.compat_servers() {
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

    fn age_of(&self, figures: &DashboardStats, heard: DataTimestamps) -> DataAge {
        let now_ms = self.control.clock.now_ms();
        let is_away = |server: &&Arc<Server>| {
            server.origin.breaker.outage().is_some() || !figures.data_timestamps.contains_key(server.name())
        };
        DataAge {
            cached: true,
            timestamp: iso(heard.oldest_ms),
            cache_age: seconds(now_ms.saturating_sub(heard.oldest_ms)),
            stale: now_ms >= heard.stale_from_ms || self.compat_servers().iter().any(is_away),
        }
    }
}
