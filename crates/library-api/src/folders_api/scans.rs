//! Scans: asking for one, and cancelling it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_control::error::Problem;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::state::ApiState;

/// Options of a scan.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FolderScanWanted)]
pub(crate) struct ScanRequest {
    /// Accepts the result, even if most files are gone.
    #[serde(default)]
    accept_loss: bool,
}

/// Result of a request for a scan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderScanBegun)]
pub(crate) struct ScanResponse {
    folder: String,
    /// True if a scan was running: another follows it.
    was_running: bool,
    message: &'static str,
}

/// Asks for a scan. The list stays as it is until the scan has ended.
#[utoipa::path(
    post,
    path = "/api/v1/folders/{name}/scan",
    params(("name" = String, Path, description = "Such as comics")),
    request_body = Option<ScanRequest>,
    responses((status = 202, description = "The scan was requested", body = ScanResponse), (status = 404, description = "No such folder")),
)]
pub(crate) async fn scan(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    body: JsonBody<ScanRequest>,
) -> Result<Response, Problem> {
    let request = body.or_default();
    let folder = crate::folders_api::folder(&state, &name)?;
    let was_running = folder.request_scan(request.accept_loss);
    let message = if was_running { "A scan is running; another follows it." } else { "Scan requested." };
    Ok((StatusCode::ACCEPTED, Json(ScanResponse { folder: name, was_running, message })).into_response())
}

/// Cancels a running scan.
#[utoipa::path(
    post,
    path = "/api/v1/folders/{name}/cancel",
    params(("name" = String, Path, description = "Such as comics")),
    responses((status = 200, body = ActionResponse), (status = 404, description = "No such folder")),
)]
pub(crate) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
) -> Result<Json<ActionResponse>, Problem> {
    let was_running = crate::folders_api::folder(&state, &name)?.cancel_scan();
    let message = if was_running { "Scan cancelled; the list stays as it was." } else { "No scan was running." };
    Ok(Json(ActionResponse::succeeded(message.to_owned())))
}
