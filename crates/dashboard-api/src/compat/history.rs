//! `/api/plex/watch-history`: the playback history, from the mirror.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::AGE;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::iso;
use super::stats::ErrorDetailResponse;
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::state::ApiState;
use greenroom_jobs::{JobOutcome, RunWaitResult};
use greenroom_sync::history::playback::Playback;
use greenroom_sync::history::query::HistoryQuery;

/// Default and maximum number of rows.
const DEFAULT_LIMIT: u64 = 500;
const MAX_LIMIT: u64 = 10_000;

/// The page of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompatHistoryQuery {
    /// Max rows, newest first.
    limit: Option<u64>,
    /// Number of newest rows skipped.
    offset: Option<u64>,
}

/// One playback. What the server's history lacks is read from the items' own details; what these lack is empty.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexPlayed)]
pub(crate) struct CompatHistoryRow {
    user_id: String,
    /// The displayed name.
    email: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    grandparent_title: Option<String>,
    parent_index: Option<u64>,
    index: Option<u64>,
    viewed_at: String,
    /// In seconds.
    duration: Option<u64>,
    /// In seconds: the end, because the history lists finished playbacks.
    view_offset: Option<u64>,
    /// In percent; always complete, for the same reason.
    progress: f64,
    view_count: u64,
    rating: Option<f64>,
    year: Option<u64>,
    /// A signed link.
    thumb: Option<String>,
    content_rating: Option<String>,
    studio: Option<String>,
    summary: Option<String>,
    genres: Vec<String>,
}

/// Result of a sync.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatSyncResponse {
    success: bool,
    message: String,
}

/// The playback history, newest first: a bare list, as its readers expect; the mirror's age is in `DataAge`.
#[utoipa::path(get, path = "/api/plex/watch-history", tag = "compatible", params(CompatHistoryQuery), responses(
    (status = 200, description = "The playback history", body = Vec<CompatHistoryRow>),
    (status = 400, description = "The limit or the offset is not a number"),
    (status = 503, description = "The history cannot be read", body = ErrorDetailResponse)))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Query(query): Query<CompatHistoryQuery>,
) -> Result<Response, (StatusCode, Json<ErrorDetailResponse>)> {
    let control = &state.control;
    let history_query = HistoryQuery {
        servers: crate::compat::compat_servers(&state).iter().map(|server| server.name().to_owned()).collect(),
        offset: query.offset.unwrap_or_default(),
        limit: query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
        skips_total: true,
        ..HistoryQuery::default()
    };
    let result = control.history.page(history_query).await;
    let synced_ms = control.history.synced_ms(crate::compat::compat_servers(&state));
    control.compat_cache_counters.record(CompatCache::History, result.is_ok() && synced_ms.is_some());
    let page = result.map_err(|_| {
        let detail = ErrorDetailResponse { detail: "the playback history is disabled or cannot be read" };
        (StatusCode::SERVICE_UNAVAILABLE, Json(detail))
    })?;
    let rows: Vec<CompatHistoryRow> =
        page.playbacks.into_iter().map(|playback| compat_history_row(&state, playback)).collect();
    let age_s = synced_ms.map(|at_ms| control.clock.now().duration_since(Timestamp::from_millis(at_ms)).as_secs());
    let age = age_s.map(|age_s| [(AGE, age_s.to_string())]);
    Ok(match age {
        Some(age) => (AppendHeaders(age), Json(rows)).into_response(),
        None => Json(rows).into_response(),
    })
}

/// Syncs the mirror with the servers: runs the job `history` and waits a while for its end.
#[utoipa::path(post, path = "/api/plex/watch-history/sync", tag = "compatible", responses(
    (status = 200, description = "Result of the sync", body = CompatSyncResponse),
    (status = 202, description = "The sync is still running, or was already running", body = CompatSyncResponse)))]
pub(crate) async fn sync(State(state): State<Arc<ApiState>>) -> (StatusCode, Json<CompatSyncResponse>) {
    let (status, success, message) = match state.control.sync_history().await {
        RunWaitResult::Ended(last) if matches!(last.outcome, JobOutcome::Done | JobOutcome::CaughtUp) => {
            (StatusCode::OK, true, format!("Watch history sync completed. {}", last.message))
        }
        RunWaitResult::Ended(last) => (StatusCode::OK, false, last.message),
        RunWaitResult::StillRunning => (StatusCode::ACCEPTED, true, "Watch history sync is still running.".to_owned()),
        RunWaitResult::AlreadyRunning => {
            (StatusCode::ACCEPTED, true, "Watch history sync is already running.".to_owned())
        }
        RunWaitResult::Unknown => (StatusCode::OK, false, "The playback history is disabled.".to_owned()),
    };
    (status, Json(CompatSyncResponse { success, message }))
}

fn compat_history_row(state: &ApiState, playback: Playback) -> CompatHistoryRow {
    let control = &state.control;
    let server = control.internal_client.server(&playback.server);
    let image_path = playback.details.thumb.as_ref();
    let thumb = server
        .zip(image_path)
        .and_then(|(server, path)| control.image_url_signer.sign_url(server, path, control.clock.now()));
    let item = playback.details.item;
    CompatHistoryRow {
        user_id: playback.details.user_id,
        email: playback.user.clone(),
        username: playback.user,
        kind: playback.kind,
        title: playback.details.own_title,
        grandparent_title: playback.details.grandparent_title,
        parent_index: playback.details.parent_index,
        index: playback.details.index,
        viewed_at: iso(Timestamp::from_millis(playback.at_ms)),
        duration: playback.duration_s,
        view_offset: playback.duration_s,
        progress: 100.0,
        view_count: 1,
        rating: item.rating,
        year: playback.details.year,
        thumb,
        content_rating: item.content_rating,
        studio: item.studio,
        summary: item.summary,
        genres: item.genres,
    }
}
