//! Changes of a folder as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use greenroom_folder::Folder;
use greenroom_folder::folder::FolderPulse;
use tokio::sync::{OwnedSemaphorePermit, watch};

use greenroom_control::auth::caller::{AuthContext, AuthGrant};
use greenroom_control::error::Problem;
use greenroom_control::json_body::to_json;
use greenroom_control::live::{Frames, event_stream};
use greenroom_control::state::ApiState;

/// Minimum interval of events. Real time, because people read them.
const MIN_EVENT_INTERVAL: Duration = Duration::from_millis(500);

/// The state of a folder whenever its list, its marks or its state change. Each event is a whole report.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}/events",
    params(("name" = String, Path, description = "Such as comics")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such folder"),
        (status = 503, description = "Too many open event streams"),
    ),
)]
pub(crate) async fn watch(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let folder = crate::folders_api::folder(&state, &name)?;
    let permit = state.control.live.try_acquire()?;
    let pulse = folder.subscribe();
    Ok(event_stream(FolderSseClient { state, folder, pulse, grant: auth.grant, is_new: true, _permit: permit }))
}

/// One viewer of a folder.
struct FolderSseClient {
    state: Arc<ApiState>,
    folder: Arc<Folder>,
    pulse: watch::Receiver<FolderPulse>,
    grant: AuthGrant,
    is_new: bool,
    _permit: OwnedSemaphorePermit,
}

impl Frames for FolderSseClient {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.is_new) {
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                changed = self.pulse.changed() => changed.ok()?,
            }
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                () = tokio::time::sleep(MIN_EVENT_INTERVAL) => {}
            }
        }
        if !self.state.is_grant_valid(self.grant) {
            return None;
        }
        self.pulse.borrow_and_update();
        Some(Bytes::from(format!("event: folder\ndata: {}\n\n", to_json(&self.folder.report()))))
    }
}
