//! The fast path of a connection: a request whose whole head is known byte by byte is answered where its bytes arrive,
//! if its response is at hand. Everything else goes to the HTTP parser, with the very bytes that arrived.
//!
//! It is asked only while the parser owes no response: see [`super::parser_state`].

use std::fmt;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use greenroom_cache::Clock;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

/// The parser answers one request of each connection within this time, in microseconds: its timeout for a head runs
/// since the last one that it read.
pub const PARSER_TURN_US: u64 = 15_000_000;

/// Bytes that arrived together at a connection without an unanswered request.
#[derive(Clone, Copy)]
pub struct FastRequest<'a> {
    /// The bytes: a whole head, if anything is to be answered.
    pub head: &'a [u8],
    /// When they arrived, by [`Clock::now_us`].
    pub now_us: u64,
}

/// `Debug` shows no bytes of it, because they contain tokens.
impl fmt::Debug for FastRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FastRequest({} bytes)", self.head.len())
    }
}

/// Largest body of a response. While it is sent, the parser waits for a head, and its timeout ends the connection: a larger
/// body could take that long on a slow line. Beside writing so much, parsing the request costs nothing.
pub const MAX_FAST_BODY_BYTES: usize = 1024 * 1024;

/// A response whose head is encoded already.
#[derive(Debug, Clone)]
pub struct FastResponse {
    /// The body.
    pub body: Bytes,
    /// Whether its head has a date; else the connection adds one.
    pub has_date: bool,
}

type Respond = dyn Fn(FastRequest<'_>, &mut Vec<u8>) -> Option<FastResponse> + Send + Sync;

/// Decides whether a request is answered at once. Clones are the same.
#[derive(Clone)]
pub struct FastPath(Arc<Respond>);

impl fmt::Debug for FastPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FastPath(…)")
    }
}

impl FastPath {
    /// `respond` appends the head of the response, without the empty line, and returns the rest. `None` hands the request
    /// to the HTTP parser.
    pub fn new(
        respond: impl Fn(FastRequest<'_>, &mut Vec<u8>) -> Option<FastResponse> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(respond))
    }
}

/// The fast path of one connection, and its response that is being written.
pub(super) struct FastConnection {
    fast_path: FastPath,
    clock: Clock,
    /// While any of them is cancelled, each response asks its client to reconnect, which is left to the parser.
    endings: [CancellationToken; 2],
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    is_writing: bool,
    date: ResponseDate,
    /// When the parser last got a request, by [`Clock::now_us`].
    parser_turn_us: u64,
}

impl FastConnection {
    pub(super) fn new(fast_path: FastPath, clock: Clock, endings: [CancellationToken; 2]) -> Self {
        let parser_turn_us = clock.now_us();
        Self {
            fast_path,
            clock,
            endings,
            head: Vec::new(),
            body: Bytes::new(),
            written: 0,
            is_writing: false,
            date: ResponseDate::default(),
            parser_turn_us,
        }
    }

    /// Whether these bytes are a request that is answered at once; its response is to be written.
    pub(super) fn respond(&mut self, received: &[u8]) -> bool {
        if !received.ends_with(b"\r\n\r\n") || self.endings.iter().any(CancellationToken::is_cancelled) {
            return false;
        }
        let now_us = self.clock.now_us();
        if now_us.saturating_sub(self.parser_turn_us) >= PARSER_TURN_US {
            self.parser_turn_us = now_us;
            return false;
        }
        self.head.clear();
        let Some(response) = (self.fast_path.0)(FastRequest { head: received, now_us }, &mut self.head) else {
            return false;
        };
        if !response.has_date {
            self.head.extend_from_slice(b"date: ");
            self.head.extend_from_slice(self.date.text(&self.clock, now_us));
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        (self.body, self.written, self.is_writing) = (response.body, 0, true);
        true
    }

    /// Writes the response, if there is one, to its end. After an error nothing of it is left.
    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        stream: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_writing {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.poll_write_rest(stream, context));
        (self.body, self.is_writing) = (Bytes::new(), false);
        Poll::Ready(result)
    }

    fn poll_write_rest<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let head_length = self.head.len();
        while self.written < head_length + self.body.len() {
            let written = if let Some(head) = self.head.get(self.written..).filter(|head| !head.is_empty()) {
                let parts = [IoSlice::new(head), IoSlice::new(&self.body)];
                ready!(stream.as_mut().poll_write_vectored(context, &parts))?
            } else {
                ready!(stream.as_mut().poll_write(context, &self.body[self.written - head_length..]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        stream.poll_flush(context)
    }
}

/// The `Date` of responses, formatted once a second.
#[derive(Debug, Default)]
struct ResponseDate {
    second: u64,
    text: Vec<u8>,
}

impl ResponseDate {
    fn text(&mut self, clock: &Clock, now_us: u64) -> &[u8] {
        let second = now_us / 1_000_000;
        if self.second != second {
            self.second = second;
            self.text.clear();
            // Writing to a vector cannot fail.
            let _ = write!(self.text, "{}", httpdate::HttpDate::from(clock.system_time()));
        }
        &self.text
    }
}
