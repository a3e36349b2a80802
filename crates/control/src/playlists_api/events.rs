//! Server-sent events of a playlist run.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::responses::PlaylistRunResponse;
use super::{full_response, json_of};
use crate::auth::caller::AuthGrant;
use crate::control::ApiState;
use crate::live::{Frames, event_stream};
use greenroom_sync::playlists::run::{PlaylistProgress, SyncRun};

/// Streams a run's progress on each change, then its result.
pub(super) fn follow(plane: Arc<ApiState>, run: Arc<SyncRun>, pass: AuthGrant, seat: OwnedSemaphorePermit) -> Response {
    let viewer = RunSseClient {
        progress: run.subscribe(),
        grant: pass,
        run,
        plane,
        is_over: false,
        is_new: true,
        _permit: seat,
    };
    event_stream(viewer)
}

struct RunSseClient {
    plane: Arc<ApiState>,
    run: Arc<SyncRun>,
    progress: watch::Receiver<PlaylistProgress>,
    grant: AuthGrant,
    is_new: bool,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Frames for RunSseClient {
    /// The next event; `None` after the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if !std::mem::take(&mut self.is_new) && self.run.result().is_none() {
            tokio::select! {
                () = self.plane.stop.cancelled() => return None,
                changed = self.progress.changed() => changed.ok()?,
            }
        }
        if !self.plane.is_grant_valid(self.grant) {
            return None;
        }
        self.progress.borrow_and_update();
        self.is_over = self.run.result().is_some();
        let name = if self.is_over { "ended" } else { "progress" };
        let told = if self.is_over {
            full_response(&self.run).await.ok()?
        } else {
            json_of(&PlaylistRunResponse::from_run(&self.run, false))
        };
        Some(Bytes::from(format!("event: {name}\ndata: {told}\n\n")))
    }
}
