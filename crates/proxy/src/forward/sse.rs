//! Reads notification sockets and event streams as they pass. A frame's invalidations apply before the client gets the
//! frame, so a client that refetches because of it sees the new state.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_event::ServerEvent;
use greenroom_dialect::tag::{Tag, TagInvalidation};
use greenroom_origin::body::BodyError;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::forward::upstream_slot::SocketPermit;
use crate::identity::Identity;
use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::invalidation_state::{PlayerChange, PlayerReport};
use crate::server::Server;

/// Longest event that is parsed. A longer one passes unread and invalidates everything.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Applies the invalidations of a frame.
pub fn apply_frame(server: &Server, frame: &[u8], source: InvalidationSource<'_>) {
    let identity = source.identity();
    for event in server.origin.settings.kind.parse_frame(frame) {
        match event {
            ServerEvent::Stale(invalidations) => invalidate::apply(server, &invalidations, source),
            ServerEvent::Playback { session, item, state, position_ms } => {
                let report = PlayerReport { state, position_ms, at_ms: server.origin.clock.now() };
                match server.invalidation.player_states.record(identity, &session, &item, report) {
                    PlayerChange::Nothing => {}
                    PlayerChange::Position => {
                        invalidate::apply(server, &[TagInvalidation::everyone(Tag::sessions())], source);
                    }
                    PlayerChange::State => {
                        let concerned = server.origin.settings.kind.playback_invalidations(&item, state);
                        invalidate::apply(server, &concerned, source);
                    }
                }
            }
            ServerEvent::Restarting => {
                server.origin.breaker.record_restart_sign(server.origin.clock.now());
                invalidate::invalidate_all(server);
            }
        }
    }
}

/// Marks an identity as having a live signal while its socket is open. When the last socket closes, entries with a
/// longer fresh time because of it are invalidated.
#[derive(Debug)]
pub struct LiveSignalGuard {
    server: Arc<Server>,
    identity: Arc<Identity>,
    /// The socket is Greenroom's own.
    is_own_feed: bool,
}

impl LiveSignalGuard {
    /// Starts a live signal if the socket is one: Jellyfin tells every user what changes for them. Plex does not report
    /// what others marked as watched, and a Jellyfin API key without a user gets no events.
    pub fn start(server: &Arc<Server>, identity: &Arc<Identity>) -> Option<Self> {
        if server.origin.settings.kind != ServerKind::Jellyfin || identity.account().is_none() {
            return None;
        }
        identity.socket_opened(server.origin.clock.now());
        Some(Self { server: Arc::clone(server), identity: Arc::clone(identity), is_own_feed: false })
    }

    /// Like [`Self::start`], for Greenroom's own subscription. Its end invalidates nothing: see
    /// [`crate::confirmation::Confirmation::feed_lost`].
    pub fn start_own_feed(server: &Arc<Server>, identity: &Arc<Identity>) -> Option<Self> {
        let mut guard = Self::start(server, identity)?;
        guard.is_own_feed = true;
        Some(guard)
    }
}

impl Drop for LiveSignalGuard {
    fn drop(&mut self) {
        // After a restart entries are unconfirmed; after a gap of Greenroom's own subscription, too.
        let is_covered = self.server.origin.stop.is_cancelled() || self.is_own_feed;
        if self.identity.socket_closed() && !is_covered {
            invalidate::invalidate_after_signal_loss(&self.server, &self.identity);
        }
    }
}

/// A stream of server-sent events on its way to a client.
#[derive(Debug)]
pub struct SseTap {
    server: Arc<Server>,
    identity: Arc<Identity>,
    body: Incoming,
    /// Bytes of an incomplete event.
    partial: BytesMut,
    /// Chunks ready to be sent.
    ready: VecDeque<Bytes>,
    ended: bool,
    /// Ends the stream when the process shuts down, because it has no end of its own; clients reconnect.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    _permit: SocketPermit,
}

impl SseTap {
    /// Reads `body`, which belongs to `identity`, as it passes.
    pub fn new(server: Arc<Server>, identity: Arc<Identity>, body: Incoming, permit: SocketPermit) -> Self {
        let (partial, ready) = (BytesMut::new(), VecDeque::new());
        let stopped = Box::pin(server.origin.stop.clone().cancelled_owned());
        Self { server, identity, body, partial, ready, ended: false, stopped, _permit: permit }
    }

    fn feed(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        while let Some(end) = end_of_event(&self.partial) {
            let event = self.partial.split_to(end).freeze();
            apply_frame(&self.server, &event_data(&event), InvalidationSource::ClientEvent(&self.identity));
            self.ready.push_back(event);
        }
        if self.partial.len() > MAX_EVENT_BYTES {
            invalidate::invalidate_all(&self.server);
            self.ready.push_back(self.partial.split().freeze());
        }
    }
}

impl HttpBody for SseTap {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            if self.stopped.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.feed(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    self.ended = true;
                    let remaining = self.partial.split().freeze();
                    if !remaining.is_empty() {
                        self.ready.push_back(remaining);
                    }
                }
            }
        }
    }
}

/// End of the first complete event: after an empty line, with any line ending.
pub fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.find_map(|end| match bytes[end..] {
        [b'\n', ..] => Some(end + 1),
        [b'\r', b'\n', ..] => Some(end + 2),
        _ => None,
    })
}

/// The `data:` lines of an event, joined by line feeds as the format requires.
pub fn event_data(event: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(event.len());
    let mut is_first = true;
    for line in event.split(|byte| *byte == b'\n') {
        let Some(remaining) = line.strip_prefix(b"data:") else { continue };
        if !std::mem::take(&mut is_first) {
            data.push(b'\n');
        }
        let remaining = remaining.strip_prefix(b" ").unwrap_or(remaining);
        data.extend_from_slice(remaining.strip_suffix(b"\r").unwrap_or(remaining));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_an_empty_line() {
        assert_eq!(end_of_event(b"data: 1\n\ndata: 2"), Some(9));
        assert_eq!(end_of_event(b"data: 1\r\n\r\n"), Some(11));
        assert_eq!(end_of_event(b"data: 1\n\r\ndata: 2\n\n"), Some(10), "mixed line endings");
        assert_eq!(end_of_event(b"data: 1\n"), None);
    }

    #[test]
    fn data_lines_are_joined() {
        assert_eq!(event_data(b"event: x\ndata: {\r\ndata:}\r\n\r\n"), b"{\n}");
        assert_eq!(event_data(b"data:\ndata: x\n\n"), b"\nx", "an empty data line counts");
    }
}
