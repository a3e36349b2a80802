//! `GET dashboard` and `GET summary`: precomputed statistics.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_control::ControlPlane;
use greenroom_control::state::ApiState;
use greenroom_dashboard::stats::{DashboardStats, PlayingSession};
use greenroom_dashboard::traffic::share;

/// The dashboard statistics of the last minute.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DashboardResponse {
    /// Their age in seconds.
    age_s: u64,
    #[serde(flatten)]
    figures: DashboardStats,
}

/// At most fifteen numbers, for a widget.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SummaryResponse {
    /// Configured servers.
    servers: u64,
    /// Servers that respond.
    servers_online: u64,
    /// Apps with a token that a server accepted since start.
    apps: u64,
    /// Requests of apps today.
    asked_today: u64,
    /// Requests that reached a server today.
    reached_today: u64,
    /// Requests answered today without asking the server.
    saved_today: u64,
    /// Their share, from 0 to 1; `null` before the first request.
    saved_share_today: Option<f64>,
    /// Seconds that apps were saved from waiting today.
    seconds_saved_today: u64,
    /// Share of stale responses today, from 0 to 1.
    stale_share_today: Option<f64>,
    /// Current sessions; `null` until every server reported them, and while one is down.
    active_sessions: Option<u64>,
    /// Films; `null` before any server reported them, like the two below.
    films: Option<u64>,
    /// Episodes.
    episodes: Option<u64>,
    /// Tracks.
    tracks: Option<u64>,
    /// Active warnings.
    warnings: u64,
    /// Time of the oldest server data, in milliseconds since 1970; `null` before any server responded.
    as_of_ms: Option<u64>,
}

/// The dashboard statistics of the last minute.
#[utoipa::path(get, path = "/api/v1/dashboard", tag = "dashboard",
    responses((status = 200, description = "The statistics of the last minute", body = DashboardResponse)))]
pub(super) async fn figures(State(state): State<Arc<ApiState>>) -> Json<DashboardResponse> {
    let stats = state.control.dashboard.stats();
    let age_s = state.control.clock.now().duration_since(Timestamp::from_millis(stats.as_of_ms)).as_secs();
    let age_s = if stats.as_of_ms == 0 { 0 } else { age_s };
    let mut figures = (*stats).clone();
    for playing in &mut figures.sessions.list {
        playing.picture = image_url(&state.control, playing);
    }
    Json(DashboardResponse { age_s, figures })
}

/// The link to the image of a playing item.
fn image_url(control: &ControlPlane, playing: &PlayingSession) -> Option<String> {
    let server = control.internal_client.server(&playing.server)?;
    control.image_url_signer.sign_own_page_url(server, playing.thumb.as_ref()?, control.clock.now())
}

/// At most fifteen numbers, for a widget.
#[utoipa::path(get, path = "/api/v1/summary", tag = "dashboard",
    responses((status = 200, description = "At most fifteen numbers", body = SummaryResponse)))]
pub(super) async fn summary(State(state): State<Arc<ApiState>>) -> Json<SummaryResponse> {
    let control = &state.control;
    let figures = control.dashboard.stats();
    let of_apis = control.apis.iter().flat_map(|api| api.client_apps().counters());
    let apps = control.servers.iter().flat_map(|managed| managed.server.apps.counters()).chain(of_apis);
    let apps = apps.filter(|(_, app)| !app.is_stranger).count();
    let amounts = figures.libraries.as_ref().map(|libraries| libraries.all);
    let counted_ms = figures.libraries.as_ref().map(|libraries| libraries.as_of_ms);
    let today = control.statistics.today(None);
    let warnings = control.sorted_warnings().len();
    Json(SummaryResponse {
        servers: (control.servers.len() + control.apis.len()) as u64,
        servers_online: figures.services.online,
        apps: apps as u64,
        asked_today: today.asked,
        reached_today: today.reached,
        saved_today: today.saved,
        saved_share_today: share(today.saved, today.asked),
        seconds_saved_today: today.seconds_saved,
        stale_share_today: today.stale_share,
        active_sessions: figures.sessions.active.filter(|_| !figures.sessions.stale),
        films: amounts.map(|totals| totals.films),
        episodes: amounts.map(|totals| totals.episodes),
        tracks: amounts.map(|totals| totals.tracks),
        warnings: warnings as u64,
        as_of_ms: [figures.sessions.as_of_ms, counted_ms].into_iter().flatten().min(),
    })
}
