//! Notification sockets and event streams are read while they pass: what a frame makes stale is stale before the
//! client has the frame, so a client that refetches on it sees the new state.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use greenroom_cache::Partition;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::signal::Signal;
use greenroom_origin::body::BodyError;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;

use crate::http::connection_limit::Seat;
use crate::identity::Identity;
use crate::invalidate;
use crate::invalidate::By;
use crate::server::Server;

/// Longest event that is still read as one; what is longer passes unread, and everything counts as stale.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Applies what a frame says.
pub fn hear(server: &Server, frame: &[u8], by: By<'_>) {
    let watcher = by.identity();
    for signal in server.origin.settings.kind.frame(frame) {
        match signal {
            Signal::Stale(stalings) => invalidate::apply(server, &stalings, by),
            Signal::Playing { session, item, state } => {
                if server.invalidation.players.changed(watcher, &session, &item, state) {
                    invalidate::apply(server, &server.origin.settings.kind.playing(&item, state), by);
                }
            }
            Signal::Restarting => {
                server.origin.breaker.note_trouble(server.origin.clock.now_ms());
                invalidate::everything(server);
            }
        }
    }
}

/// A live signal of an identity as long as its socket lives. When the last one ends, what was kept for longer because
/// of it is to be asked again.
#[derive(Debug)]
pub struct Watching {
    server: Arc<Server>,
    identity: Arc<Identity>,
}

impl Watching {
    /// From now on this identity has a live signal, if its socket is one: Jellyfin tells every user what changes for
    /// them. Plex does not tell what somebody else marked as watched, and a Jellyfin key without a user hears
    /// nothing.
    pub fn begin(server: &Arc<Server>, identity: &Arc<Identity>) -> Option<Self> {
        if server.origin.settings.kind != Kind::Jellyfin || identity.account().is_none() {
            return None;
        }
        identity.socket_opened(server.origin.clock.now_ms());
        Some(Self { server: Arc::clone(server), identity: Arc::clone(identity) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if self.identity.socket_closed() {
            invalidate::lost_signal(&self.server, &self.identity);
        }
    }
}

/// A stream of server-sent events on its way to a client.
#[derive(Debug)]
pub struct EventTap {
    server: Arc<Server>,
    identity: Arc<Identity>,
    body: Incoming,
    /// What came of an event that is not complete yet.
    partial: BytesMut,
    /// What may leave.
    ready: VecDeque<Bytes>,
    ended: bool,
    _seat: Seat<Partition>,
}

impl EventTap {
    /// Reads `body`, which belongs to `identity`, while it passes.
    pub fn new(server: Arc<Server>, identity: Arc<Identity>, body: Incoming, seat: Seat<Partition>) -> Self {
        let (partial, ready) = (BytesMut::new(), VecDeque::new());
        Self { server, identity, body, partial, ready, ended: false, _seat: seat }
    }

    fn take(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        while let Some(end) = end_of_event(&self.partial) {
            let event = self.partial.split_to(end).freeze();
            hear(&self.server, &data_of(&event), By::Client(&self.identity));
            self.ready.push_back(event);
        }
        if self.partial.len() > MAX_EVENT_BYTES {
            invalidate::everything(&self.server);
            self.ready.push_back(self.partial.split().freeze());
        }
    }
}

impl HttpBody for EventTap {
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
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.take(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    self.ended = true;
                    let rest = self.partial.split().freeze();
                    if !rest.is_empty() {
                        self.ready.push_back(rest);
                    }
                }
            }
        }
    }
}

/// Where the first complete event ends: after an empty line, whichever way its lines end.
pub fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.find_map(|end| match bytes[end..] {
        [b'\n', ..] => Some(end + 1),
        [b'\r', b'\n', ..] => Some(end + 2),
        _ => None,
    })
}

/// The `data:` lines of an event, joined by line feeds as the format says.
pub fn data_of(event: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(event.len());
    let mut is_first = true;
    for line in event.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"data:") else { continue };
        if !std::mem::take(&mut is_first) {
            data.push(b'\n');
        }
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        data.extend_from_slice(rest.strip_suffix(b"\r").unwrap_or(rest));
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
        assert_eq!(end_of_event(b"data: 1\n\r\ndata: 2\n\n"), Some(10), "in both ways at once");
        assert_eq!(end_of_event(b"data: 1\n"), None);
    }

    #[test]
    fn data_lines_are_joined() {
        assert_eq!(data_of(b"event: x\ndata: {\r\ndata:}\r\n\r\n"), b"{\n}");
        assert_eq!(data_of(b"data:\ndata: x\n\n"), b"\nx", "an empty line is one too");
    }
}
