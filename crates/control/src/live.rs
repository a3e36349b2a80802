//! The live page: the same figures for everybody who watches, every two seconds, and what was decided since, every
//! second, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Control, Plane};
use crate::auth::middleware::{Admitted, Pass};
use crate::error::Problem;

/// Pages that may watch at a time.
const MAX_VIEWERS: usize = 64;
/// How often they are told of decisions. Real time: it is for people, however fast the process' clock runs.
const PERIOD: Duration = Duration::from_secs(1);
/// The figures are told every so many times.
const FIGURES_EVERY: u64 = 2;

/// Who watches, and what they were told last.
#[derive(Debug)]
pub(super) struct Live {
    figures: watch::Sender<Bytes>,
    news: watch::Sender<Bytes>,
    seats: Arc<Semaphore>,
}

/// One page that watches.
struct Viewer {
    plane: Arc<Plane>,
    pass: Pass,
    figures: watch::Receiver<Bytes>,
    news: watch::Receiver<Bytes>,
    is_new: bool,
    _seat: OwnedSemaphorePermit,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            figures: watch::Sender::new(Bytes::new()),
            news: watch::Sender::new(Bytes::new()),
            seats: Arc::new(Semaphore::new(MAX_VIEWERS)),
        }
    }

    /// A place to watch from, as long as it is held.
    pub(super) fn seat(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.seats).try_acquire_owned().map_err(|_| Problem::TOO_MANY_VIEWERS)
    }

    /// How many watch.
    pub(super) fn viewers(&self) -> usize {
        MAX_VIEWERS - self.seats.available_permits()
    }
}

/// Tells all viewers the figures, until the process is told to stop. While nobody watches nothing is gathered.
pub(super) async fn tell(plane: Arc<Plane>) {
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
            control.ask_for_introductions();
            control.live.figures.send_replace(frame(control));
        }
        if let Some((newest, news)) = control.news(told) {
            told = newest;
            control.live.news.send_replace(news);
        }
    }
}

/// Watches the figures.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many watch"),
    ),
)]
pub(super) async fn watch(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
) -> Result<Response, Problem> {
    let live = &plane.control.live;
    let seat = live.seat()?;
    plane.control.ask_for_introductions();
    let viewer = Viewer {
        figures: live.figures.subscribe(),
        news: live.news.subscribe(),
        pass: admitted.pass,
        is_new: true,
        _seat: seat,
        plane: Arc::clone(&plane),
    };
    let frames = stream::unfold(viewer, |mut viewer| async move {
        let frame = viewer.next().await?;
        Some((Ok::<_, Infallible>(frame), viewer))
    });
    Ok(event_stream(frames))
}

/// An answer that goes on, frame by frame.
pub(super) fn event_stream<S>(frames: S) -> Response
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
{
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy before us is to pass each frame on as it comes.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

impl Viewer {
    /// The next figures; `None` when the process stops, or what let this viewer in has ended.
    async fn next(&mut self) -> Option<Bytes> {
        let control = &self.plane.control;
        if self.is_new {
            self.is_new = false;
            return Some(frame(control));
        }
        // One frame is not to replace one of the other kind that was not sent yet.
        let told = tokio::select! {
            () = self.plane.stop.cancelled() => return None,
            changed = self.figures.changed() => changed.map(|()| &mut self.figures),
            changed = self.news.changed() => changed.map(|()| &mut self.news),
        };
        if !self.plane.still_admits(self.pass) {
            return None;
        }
        Some(told.ok()?.borrow_and_update().clone())
    }
}

fn frame(control: &Control) -> Bytes {
    let json = serde_json::to_string(&control.snapshot()).expect("figures are always JSON");
    Bytes::from(format!("event: figures\ndata: {json}\n\n"))
}
