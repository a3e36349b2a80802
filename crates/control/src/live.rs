//! Live updates: the limit of viewers, their frames, and streaming responses.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::Problem;

/// Max concurrent live pages.
const MAX_VIEWERS: usize = 64;
/// Max concurrent watchers of builds.
pub const MAX_WATCHERS: usize = 32;

/// Live viewers and the latest frames.
#[derive(Debug)]
pub struct LiveStats {
    /// The newest statistics, as an event.
    pub stats: watch::Sender<Bytes>,
    /// The newest requests, as an event.
    pub decisions: watch::Sender<Bytes>,
    permits: Arc<Semaphore>,
}

impl LiveStats {
    /// No updates yet.
    pub(crate) fn new() -> Self {
        Self {
            stats: watch::Sender::new(Bytes::new()),
            decisions: watch::Sender::new(Bytes::new()),
            permits: Arc::new(Semaphore::new(MAX_VIEWERS)),
        }
    }

    /// A viewer slot, held by the permit.
    pub fn try_acquire(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Problem::TOO_MANY_CLIENTS)
    }

    /// Number of viewers.
    pub fn viewers(&self) -> usize {
        MAX_VIEWERS - self.permits.available_permits()
    }
}

/// A sequence of frames.
pub trait Frames: Send + 'static {
    /// The next frame; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// A streaming response of server-sent events.
pub fn event_stream(frames: impl Frames) -> Response {
    let frames = stream::unfold(frames, |mut frames| async move {
        let frame = frames.next().await?;
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Tells a buffering proxy to pass on each frame at once.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
