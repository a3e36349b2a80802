//! `/api/plex/stats`, `/stats/live`, `/stats/dashboard`: counts from the precomputed statistics. No request waits for a
//! server.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{iso, seconds};
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::state::ApiState;
use greenroom_dashboard::stats::{DashboardStats, DataTimestamps, MediaTotals};
use greenroom_proxy::server::Server;

/// An error for programs that read `detail`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetailResponse {
    pub(super) detail: &'static str,
}

/// No server ever responded.
pub(super) const NO_DATA: (StatusCode, Json<ErrorDetailResponse>) = (
    StatusCode::SERVICE_UNAVAILABLE,
    Json(ErrorDetailResponse { detail: "no server responded, and nothing is cached" }),
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
    (status = 503, description = "No server responded yet", body = ErrorDetailResponse)))]
pub(crate) async fn all(
    State(state): State<Arc<ApiState>>,
) -> Result<Json<CompatStatsResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (stats, age) = latest_stats(&state, CompatCache::Stats)?;
    Ok(Json(CompatStatsResponse {
        peak_concurrent: stats.peak_sessions,
        last_updated: stats.peak_ms.map(|at_ms| iso(Timestamp::from_millis(at_ms))),
        server_url: None,
        server_name: crate::compat::server_name(&state),
        token_configured: crate::compat::compat_servers(&state)
            .iter()
            .any(|server| server.origin.settings.token.is_some()),
        counts: counts_of(&state, &stats).0,
        age,
    }))
}

/// Counts of a server, as shown live.
#[utoipa::path(get, path = "/api/plex/stats/live", tag = "compatible", responses(
    (status = 200, description = "Counts", body = CompatLiveStatsResponse),
    (status = 503, description = "No server responded yet", body = ErrorDetailResponse)))]
pub(crate) async fn live(
    State(state): State<Arc<ApiState>>,
) -> Result<Json<CompatLiveStatsResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (stats, age) = latest_stats(&state, CompatCache::LiveStats)?;
    let (counts, amounts) = counts_of(&state, &stats);
    let (total_episodes, server_name) = (amounts.map(|totals| totals.episodes), crate::compat::server_name(&state));
    Ok(Json(CompatLiveStatsResponse { counts, total_episodes, server_name, age }))
}

/// The dashboard's overview.
#[utoipa::path(get, path = "/api/plex/stats/dashboard", tag = "compatible", responses(
    (status = 200, description = "The overview of a dashboard", body = CompatOverviewResponse),
    (status = 503, description = "No server responded yet", body = ErrorDetailResponse)))]
pub(crate) async fn dashboard(
    State(state): State<Arc<ApiState>>,
) -> Result<Json<CompatOverviewResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let (stats, age) = latest_stats(&state, CompatCache::Background)?;
    let (counts, amounts) = counts_of(&state, &stats);
    let services = stats.services;
    Ok(Json(CompatOverviewResponse {
        services: Services {
            total: services.total,
            online: services.online - services.slow,
            offline: services.offline,
            problem: services.slow,
        },
        plex: Plex {
            configured: crate::compat::compat_servers(&state)
                .iter()
                .any(|server| server.origin.settings.token.is_some()),
            peak_concurrent: stats.peak_sessions,
            counts,
            total_episodes: amounts.map(|totals| totals.episodes),
            movies: amounts.map(|totals| totals.films),
            shows: amounts.map(|totals| totals.shows),
            seasons: amounts.map(|totals| totals.seasons),
            episodes: amounts.map(|totals| totals.episodes),
        },
        traffic: Traffic {
            last_24h_download_bytes: stats.traffic.last_day_bytes,
            last_24h_upload_bytes: 0,
            last_24h_total_bytes: stats.traffic.last_day_bytes,
            total_30d: stats.traffic.bytes,
            unit: "B",
        },
        age,
    }))
}

/// The statistics, if any of the servers shown ever responded.
fn latest_stats(
    state: &ApiState,
    cached: CompatCache,
) -> Result<(Arc<DashboardStats>, DataAge), (StatusCode, Json<ErrorDetailResponse>)> {
    let stats = state.control.dashboard.stats();
    let age = data_timestamps(state, &stats).map(|timestamps| age_of(state, &stats, timestamps));
    state.control.compat_cache_counters.record(cached, age.is_some());
    age.map(|age| (stats, age)).ok_or(NO_DATA)
}

/// Times of the data of the servers shown.
pub(super) fn data_timestamps(state: &ApiState, stats: &DashboardStats) -> Option<DataTimestamps> {
    let servers = crate::compat::compat_servers(state);
    servers.iter().filter_map(|server| stats.data_timestamps.get(server.name()).copied()).reduce(DataTimestamps::merge)
}

/// Counts of the servers shown, as far as they reported them.
fn counts_of(state: &ApiState, stats: &DashboardStats) -> (Counts, Option<MediaTotals>) {
    let (mut amounts, mut total_users): (Option<MediaTotals>, Option<u64>) = (None, None);
    let per_server = stats.libraries.iter().flat_map(|libraries| &libraries.per_server);
    for server in crate::compat::compat_servers(state) {
        if let Some(totals) = per_server.clone().find(|totals| totals.server == server.name()) {
            amounts.get_or_insert_default().add(&totals.amounts);
        }
        if let Some(users) = stats.users.get(server.name()) {
            *total_users.get_or_insert_default() += users;
        }
    }
    let counts = Counts {
        total_users,
        total_movies: amounts.map(|totals| totals.films),
        total_tv_shows: amounts.map(|totals| totals.shows),
    };
    (counts, amounts)
}

fn age_of(state: &ApiState, stats: &DashboardStats, timestamps: DataTimestamps) -> DataAge {
    let now_ms = state.control.clock.now();
    let is_down = |server: &&Arc<Server>| {
        server.origin.breaker.outage().is_some() || !stats.data_timestamps.contains_key(server.name())
    };
    DataAge {
        cached: true,
        timestamp: iso(timestamps.oldest_ms),
        cache_age: seconds(now_ms.duration_since(timestamps.oldest_ms)),
        stale: now_ms >= timestamps.stale_from_ms || crate::compat::compat_servers(state).iter().any(is_down),
    }
}
