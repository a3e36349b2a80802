//! Server-sent events of a playlist run.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::full_response;
use super::responses::PlaylistRunResponse;
use greenroom_control::auth::caller::AuthGrant;
use greenroom_control::json_body::to_json;
use greenroom_control::live::{Frames, event_stream};
use greenroom_control::state::ApiState;
use greenroom_sync::playlists::run::{PlaylistProgress, SyncRun};

/// Streams a run's progress on each change, then its result.
pub(super) fn follow(
    state: Arc<ApiState>,
    run: Arc<SyncRun>,
    grant: AuthGrant,
    permit: OwnedSemaphorePermit,
) -> Response {
    let client =
        RunSseClient { progress: run.subscribe(), grant, run, state, has_ended: false, is_new: true, _permit: permit };
    event_stream(client)
}

struct RunSseClient {
    state: Arc<ApiState>,
    run: Arc<SyncRun>,
    progress: watch::Receiver<PlaylistProgress>,
    grant: AuthGrant,
    is_new: bool,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Frames for RunSseClient {
    /// The next event; `None` after the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        if !std::mem::take(&mut self.is_new) && self.run.result().is_none() {
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                changed = self.progress.changed() => changed.ok()?,
            }
        }
        if !self.state.is_grant_valid(self.grant) {
            return None;
        }
        self.progress.borrow_and_update();
        self.has_ended = self.run.result().is_some();
        let name = if self.has_ended { "ended" } else { "progress" };
        let json = if self.has_ended {
            full_response(&self.run).await
        } else {
            to_json(&PlaylistRunResponse::from_run(&self.run, false))
        };
        Some(Bytes::from(format!("event: {name}\ndata: {json}\n\n")))
    }
}
