//! The live page as server-sent events: statistics every two seconds and new log entries every second, shared by all
//! viewers.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::auth::caller::{AuthContext, AuthGrant};
use crate::control::{ApiState, ControlPlane};
use crate::error::Problem;
use crate::live::{Frames, event_stream};

/// Interval of log updates. Real time, however fast the process clock runs, because people read them.
const PERIOD: Duration = Duration::from_secs(1);
/// Statistics are sent on every n-th update.
const FIGURES_EVERY: u64 = 2;

/// One viewer.
struct LiveSseClient {
    plane: Arc<ApiState>,
    grant: AuthGrant,
    figures: watch::Receiver<Bytes>,
    decisions: watch::Receiver<Bytes>,
    is_new: bool,
    _permit: OwnedSemaphorePermit,
}

/// Sends the statistics to all viewers until the process stops. Without viewers nothing is gathered.
pub(super) async fn broadcast_stats(plane: Arc<ApiState>) {
    let control = &plane.control;
    let mut told = 0;
    for round in 1_u64.. {
        tokio::select! {
            () = plane.stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        if control.live.viewers() == 0 {
            continue;
        }
        if round.is_multiple_of(FIGURES_EVERY) {
            control.refresh_identities();
            control.live.figures.send_replace(frame(control));
        }
        if let Some((newest, news)) = control.decisions_since(told) {
            told = newest;
            control.live.decisions.send_replace(news);
        }
    }
}

/// Streams the statistics.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many watch"),
    ),
)]
pub(super) async fn watch(
    State(plane): State<Arc<ApiState>>,
    Extension(admitted): Extension<AuthContext>,
) -> Result<Response, Problem> {
    let live = &plane.control.live;
    let seat = live.try_acquire()?;
    plane.control.refresh_identities();
    let viewer = LiveSseClient {
        figures: live.figures.subscribe(),
        decisions: live.decisions.subscribe(),
        grant: admitted.grant,
        is_new: true,
        _permit: seat,
        plane: Arc::clone(&plane),
    };
    Ok(event_stream(viewer))
}

impl Frames for LiveSseClient {
    /// The next frame; `None` when the process stops or the viewer's credential is revoked.
    async fn next(&mut self) -> Option<Bytes> {
        let control = &self.plane.control;
        if self.is_new {
            self.is_new = false;
            return Some(frame(control));
        }
        // Separate channels, so that a frame cannot replace an unsent one of the other kind.
        let told = tokio::select! {
            () = self.plane.stop.cancelled() => return None,
            changed = self.figures.changed() => changed.map(|()| &mut self.figures),
            changed = self.decisions.changed() => changed.map(|()| &mut self.decisions),
        };
        if !self.plane.is_grant_valid(self.grant) {
            return None;
        }
        Some(told.ok()?.borrow_and_update().clone())
    }
}

fn frame(control: &ControlPlane) -> Bytes {
    let json = serde_json::to_string(&control.snapshot()).expect("figures are always JSON");
    Bytes::from(format!("event: figures\ndata: {json}\n\n"))
}
