//! `GET history` and `POST history/sync`: the playback history, from the mirror.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use greenroom_control::ControlPlane;
use greenroom_control::error::Problem;
use greenroom_control::json_body::ActionResponse;
use greenroom_control::state::ApiState;
use greenroom_jobs::{JobOutcome, RunWaitResult};
use greenroom_sync::history::playback::Playback;
use greenroom_sync::history::query::HistoryQuery;

/// Default and maximum number of rows per page.
const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 500;
/// Longest search text, in characters; longer ones are rejected.
const MAX_SEARCH: usize = 200;

const BAD_HISTORY_QUERY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-question",
    title: "Invalid query",
    detail: "The parameters are server, user, search (at most 200 characters), since_ms and offset (numbers) and limit (1 to 500).",
};
const HISTORY_DISABLED: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-off",
    title: "The playback history is disabled",
    detail: "history.max_rows is 0 in the configuration. Set it to the number of playbacks to store, or remove the line, and restart.",
};
const HISTORY_UNREADABLE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-not-readable",
    title: "The playback history cannot be read",
    detail: "state.db in the data directory cannot be used; the log says why.",
};
const HISTORY_NOT_SYNCED: Problem = Problem {
    status: StatusCode::BAD_GATEWAY,
    code: "history-not-synced",
    title: "The playback history could not be synced",
    detail: "A server did not respond, has no history, or rejected the configured token. Playbacks received before that are stored.",
};

/// Filters of the playback history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// Only of this server; of all if absent.
    server: Option<String>,
    /// Only of this user, by name or by the server's id.
    user: Option<String>,
    /// Only those whose title or user name contains this text; ASCII letters match in either case.
    #[param(max_length = 200)]
    search: Option<String>,
    /// Only those that ended since then, in milliseconds since 1970.
    since_ms: Option<u64>,
    /// Number of newest rows skipped.
    offset: Option<u64>,
    /// Max rows: 1 to 500, default 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u64>,
}

/// A page of the playback history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryResponse {
    /// Number of matching playbacks.
    total: u64,
    /// Number of newest rows skipped.
    offset: u64,
    /// When the mirror was last synced with the servers, in milliseconds since 1970: the oldest of those selected;
    /// `null` if one never was.
    synced_ms: Option<u64>,
    /// The playbacks, newest first.
    items: Vec<Playback>,
}

/// The playback history.
#[utoipa::path(get, path = "/api/v1/history", tag = "dashboard", params(HistoryParams), responses(
    (status = 200, description = "The playbacks, newest first", body = HistoryResponse),
    (status = 400, description = "Invalid query"),
    (status = 404, description = "No such server"),
    (status = 503, description = "The history is disabled or cannot be read")))]
pub(super) async fn page(
    State(state): State<Arc<ApiState>>,
    params: Result<Query<HistoryParams>, QueryRejection>,
) -> Result<Json<HistoryResponse>, Problem> {
    let Query(params) = params.map_err(|_| BAD_HISTORY_QUERY)?;
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    let is_too_long = params.search.as_ref().is_some_and(|search| search.chars().count() > MAX_SEARCH);
    if !(1..=MAX_LIMIT).contains(&limit) || is_too_long {
        return Err(BAD_HISTORY_QUERY);
    }
    state.control.check_server(params.server.as_deref())?;
    if state.control.history.is_off() {
        return Err(HISTORY_DISABLED);
    }
    let server_name = params.server.as_deref();
    let offset = params.offset.unwrap_or_default();
    let query = HistoryQuery {
        servers: state.control.select_servers(server_name).map(|server| server.name().to_owned()).collect(),
        user: params.user,
        search: params.search,
        since_ms: params.since_ms.map(Timestamp::from_millis),
        offset,
        limit,
        skips_total: false,
    };
    let page = state.control.history.page(query).await.map_err(|reason| {
        tracing::warn!(reason, "playback history cannot be read");
        HISTORY_UNREADABLE
    })?;
    let mut items = page.playbacks;
    for playback in &mut items {
        playback.picture = picture(&state.control, playback);
    }
    let synced_ms = state.control.history.synced_ms(state.control.select_servers(server_name));
    Ok(Json(HistoryResponse { total: page.total, offset, synced_ms, items }))
}

/// The link to the picture of what was played.
fn picture(control: &ControlPlane, playback: &Playback) -> Option<String> {
    let server = control.internal_client.server(&playback.server)?;
    control.image_url_signer.sign_own_page_url(server, playback.details.thumb.as_ref()?, control.clock.now())
}

/// Syncs the mirror with the servers: runs the job `history` and waits a while for its end.
#[utoipa::path(post, path = "/api/v1/history/sync", tag = "dashboard", responses(
    (status = 200, description = "Result of the sync", body = ActionResponse),
    (status = 202, description = "The sync is still running, or was already running", body = ActionResponse),
    (status = 502, description = "A server could not be synced")))]
pub(super) async fn sync(State(state): State<Arc<ApiState>>) -> Result<(StatusCode, Json<ActionResponse>), Problem> {
    let (status, message) = match state.control.sync_history().await {
        RunWaitResult::Ended(last) if matches!(last.outcome, JobOutcome::Done | JobOutcome::CaughtUp) => {
            (StatusCode::OK, last.message)
        }
        RunWaitResult::StillRunning => (StatusCode::ACCEPTED, "Still running.".to_owned()),
        RunWaitResult::AlreadyRunning => (StatusCode::ACCEPTED, "Already running.".to_owned()),
        RunWaitResult::Ended(_) | RunWaitResult::Unknown => return Err(HISTORY_NOT_SYNCED),
    };
    Ok((status, Json(ActionResponse::succeeded(message))))
}
