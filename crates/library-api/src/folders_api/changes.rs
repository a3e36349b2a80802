//! Recent changes of a folder.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use greenroom_folder::change_history::{ChangeCounts, DAY_MS, FileChange, MAX_DAYS};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::{BAD_CHANGES_QUERY, FolderProblem, HISTORY_UNREADABLE};
use greenroom_control::blocking::run_blocking;
use greenroom_control::state::ApiState;

/// Days without `days`.
const USUAL_DAYS: u64 = 7;
/// Changes on a page without `limit`, and at most.
const USUAL_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// Query of changes.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangesParams {
    /// Days back: 1 to 31. Default 7.
    #[param(minimum = 1, maximum = 31)]
    days: Option<u64>,
    /// Max changes returned: 1 to 500. Default 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only changes before this one: `next_before` of the page before.
    before: Option<i64>,
}

/// Changes of a folder, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderChanges)]
pub(crate) struct ChangesResponse {
    folder: String,
    /// The beginning of the period, in milliseconds since 1970.
    since_ms: u64,
    /// All changes of the period by kind.
    counts: ChangeCounts,
    changes: Vec<FileChange>,
    /// Number of the last change of this page, if older ones follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<i64>,
}

/// Files that came, went, were renamed or written anew, newest first. The first list of a folder is no change.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}/changes",
    params(("name" = String, Path, description = "Such as comics"), ChangesParams),
    responses(
        (status = 200, body = ChangesResponse),
        (status = 400, description = "The parameters are wrong"),
        (status = 404, description = "No such folder"),
        (status = 503, description = "The history cannot be read"),
    ),
)]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    params: Result<Query<ChangesParams>, QueryRejection>,
) -> Result<Json<ChangesResponse>, FolderProblem> {
    let Query(params) = params.map_err(|_| BAD_CHANGES_QUERY)?;
    let (days, limit) = (params.days.unwrap_or(USUAL_DAYS), params.limit.unwrap_or(USUAL_LIMIT));
    if !(1..=MAX_DAYS).contains(&days) || !(1..=MAX_LIMIT).contains(&limit) {
        return Err(BAD_CHANGES_QUERY.into());
    }
    let folder = crate::folders_api::folder(&state, &name)?;
    let since_ms = state.control.clock.now().saturating_sub(Duration::from_millis(days * DAY_MS));
    let page = run_blocking(move || folder.changes.page(since_ms, params.before, limit)).await;
    let page = page.map_err(|error| {
        tracing::warn!(folder = name, %error, "the changes of a folder cannot be read");
        HISTORY_UNREADABLE
    })?;
    let (counts, changes, next_before) = (page.counts, page.changes, page.next_before);
    Ok(Json(ChangesResponse { folder: name, since_ms: since_ms.as_millis(), counts, changes, next_before }))
}
