//! The live page as server-sent events: statistics every two seconds and new log entries every second, shared by all
//! viewers.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};

use greenroom_control::ControlPlane;
use greenroom_control::auth::caller::{AuthContext, AuthGrant};
use greenroom_control::error::Problem;
use greenroom_control::live::{Frames, event_stream};
use greenroom_control::state::ApiState;

/// Interval of log updates. Real time, however fast the process clock runs, because people read them.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
/// Statistics are sent on every n-th update.
const STATS_EVERY_NTH: u64 = 2;

/// One viewer.
struct LiveSseClient {
    state: Arc<ApiState>,
    grant: AuthGrant,
    stats: watch::Receiver<Bytes>,
    decisions: watch::Receiver<Bytes>,
    is_new: bool,
    _permit: OwnedSemaphorePermit,
}

/// Sends the statistics to all viewers until the process stops. Without viewers nothing is gathered.
pub(super) async fn broadcast_stats(state: Arc<ApiState>) {
    let control = &state.control;
    let mut last_number = 0;
    for update in 1_u64.. {
        tokio::select! {
            () = state.stop.cancelled() => return,
            () = tokio::time::sleep(UPDATE_INTERVAL) => {}
        }
        if control.live.viewers() == 0 {
            continue;
        }
        if update.is_multiple_of(STATS_EVERY_NTH) {
            control.refresh_identities();
            control.live.stats.send_replace(frame(control));
        }
        if let Some((newest, entries)) = crate::decisions::decisions_since(control, last_number) {
            last_number = newest;
            control.live.decisions.send_replace(entries);
        }
    }
}

/// Streams the statistics.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many open event streams"),
    ),
)]
pub(super) async fn watch(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
) -> Result<Response, Problem> {
    let live = &state.control.live;
    let permit = live.try_acquire()?;
    state.control.refresh_identities();
    let client = LiveSseClient {
        stats: live.stats.subscribe(),
        decisions: live.decisions.subscribe(),
        grant: auth.grant,
        is_new: true,
        _permit: permit,
        state: Arc::clone(&state),
    };
    Ok(event_stream(client))
}

impl Frames for LiveSseClient {
    /// The next frame; `None` when the process stops or the viewer's credential is revoked.
    async fn next(&mut self) -> Option<Bytes> {
        let control = &self.state.control;
        if self.is_new {
            self.is_new = false;
            return Some(frame(control));
        }
        // Separate channels, so that a frame cannot replace an unsent one of the other kind.
        let changed_frame = tokio::select! {
            () = self.state.stop.cancelled() => return None,
            changed = self.stats.changed() => changed.map(|()| &mut self.stats),
            changed = self.decisions.changed() => changed.map(|()| &mut self.decisions),
        };
        if !self.state.is_grant_valid(self.grant) {
            return None;
        }
        Some(changed_frame.ok()?.borrow_and_update().clone())
    }
}

fn frame(control: &ControlPlane) -> Bytes {
    let json = serde_json::to_string(&control.snapshot()).expect("a snapshot serializes to JSON");
    Bytes::from(format!("event: figures\ndata: {json}\n\n"))
}
