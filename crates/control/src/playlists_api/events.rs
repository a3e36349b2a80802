//! Somebody who watches a run.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::answers::Told;
use super::{in_full, json_of};
use crate::Plane;
use crate::auth::middleware::Pass;
use crate::live::event_stream;
use greenroom_sync::playlists::run::{Progress, Run};

/// Tells how far a run is, as often as that changes, and what came of it.
pub(super) fn follow(plane: Arc<Plane>, run: Arc<Run>, pass: Pass, seat: OwnedSemaphorePermit) -> Response {
    let viewer =
        Viewer { progress: run.watch(), pass, run, plane, is_over: false, is_new: true, _seat: seat };
    let frames = stream::unfold(viewer, |mut viewer| async move {
        let frame = viewer.next().await?;
        Some((Ok::<_, Infallible>(frame), viewer))
    });
    event_stream(frames)
}

struct Viewer {
    plane: Arc<Plane>,
    run: Arc<Run>,
    progress: watch::Receiver<Progress>,
    pass: Pass,
    is_new: bool,
    is_over: bool,
    _seat: OwnedSemaphorePermit,
}

impl Viewer {
    /// The next event; nothing after the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if !std::mem::take(&mut self.is_new) && self.run.ending().is_none() {
            tokio::select! {
                () = self.plane.stop.cancelled() => return None,
                changed = self.progress.changed() => changed.ok()?,
            }
        }
        if !self.plane.still_admits(self.pass) {
            return None;
        }
        self.progress.borrow_and_update();
        self.is_over = self.run.ending().is_some();
        let name = if self.is_over { "ended" } else { "progress" };
        let told =
            if self.is_over { in_full(&self.run).await.ok()? } else { json_of(&Told::of(&self.run, false)) };
        Some(Bytes::from(format!("event: {name}\ndata: {told}\n\n")))
    }
}
