//! `GET history` and `POST history/sync`: the playback history, from the mirror.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::ActionResponse;
use crate::control::ApiState;
use crate::error::Problem;
use crate::history::playback::Playback;
use crate::history::query::HistoryQuery;
use crate::jobs::{JobOutcome, RunWaitResult};

/// Default and maximum number of rows per page.
const USUAL: u64 = 100;
const MOST: u64 = 500;
/// Longest search text, in characters; longer ones are rejected.
const MAX_SEARCH: usize = 200;

const BAD_QUESTION: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-question",
    title: "The question cannot be understood",
    detail: "server, user, search, since_ms, offset and limit may be asked for; search is at most 200 characters long, since_ms and offset are numbers, and limit is one from 1 to 500.",
};
const OFF: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-off",
    title: "The history is turned off",
    detail: "history.max_rows is 0 in the configuration. Say how many playbacks are to be kept, or take the line out, and start again.",
};
const NOT_READABLE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-not-readable",
    title: "The history cannot be read",
    detail: "state.db in the data directory cannot be used; the log says why.",
};
const NOT_SYNCED: Problem = Problem {
    status: StatusCode::BAD_GATEWAY,
    code: "history-not-synced",
    title: "The history could not be mirrored",
    detail: "A server does not answer, does not offer it, or refuses the configured token. What came until then is kept.",
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
    (status = 200, description = "What was played, the newest first", body = HistoryResponse),
    (status = 400, description = "The question cannot be understood"),
    (status = 404, description = "No such server"),
    (status = 503, description = "It is turned off, or cannot be read")))]
pub(super) async fn page(
    State(plane): State<Arc<ApiState>>,
    wanted: Result<Query<HistoryParams>, QueryRejection>,
) -> Result<Json<HistoryResponse>, Problem> {
    let Query(wanted) = wanted.map_err(|_| BAD_QUESTION)?;
    let limit = wanted.limit.unwrap_or(USUAL);
    let is_too_long = wanted.search.as_ref().is_some_and(|search| search.chars().count() > MAX_SEARCH);
    if !(1..=MOST).contains(&limit) || is_too_long {
        return Err(BAD_QUESTION);
    }
    plane.control.check_server(wanted.server.as_deref())?;
    if plane.control.history.is_off() {
        return Err(OFF);
    }
    let only = wanted.server.as_deref();
    let offset = wanted.offset.unwrap_or_default();
    let asked = HistoryQuery {
        servers: plane.control.select_servers(only).map(|server| server.name().to_owned()).collect(),
        user: wanted.user,
        search: wanted.search,
        since_ms: wanted.since_ms,
        offset,
        limit,
        skips_total: false,
    };
    let page = plane.control.history.page(asked).await.map_err(|reason| {
        tracing::warn!(reason, "what was played cannot be read");
        NOT_READABLE
    })?;
    let synced_ms = plane.control.history.synced_ms(plane.control.select_servers(only));
    Ok(Json(HistoryResponse { total: page.total, offset, synced_ms, items: page.views }))
}

/// Syncs the mirror with the servers: runs the job `history` and waits a while for its end.
#[utoipa::path(post, path = "/api/v1/history/sync", tag = "dashboard", responses(
    (status = 200, description = "What came of it", body = ActionResponse),
    (status = 202, description = "It goes on, or ran already", body = ActionResponse),
    (status = 502, description = "A server could not be mirrored")))]
pub(super) async fn sync(State(plane): State<Arc<ApiState>>) -> Result<(StatusCode, Json<ActionResponse>), Problem> {
    let (status, said) = match plane.control.sync_history().await {
        RunWaitResult::Ended(last) if matches!(last.outcome, JobOutcome::Done | JobOutcome::CaughtUp) => {
            (StatusCode::OK, last.message)
        }
        RunWaitResult::StillRunning => (StatusCode::ACCEPTED, "It goes on.".to_owned()),
        RunWaitResult::AlreadyRunning => (StatusCode::ACCEPTED, "It runs already.".to_owned()),
        RunWaitResult::Ended(_) | RunWaitResult::Unknown => return Err(NOT_SYNCED),
    };
    Ok((status, Json(ActionResponse::succeeded(said))))
}
