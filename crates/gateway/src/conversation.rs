//! One client's connection: how long it is waited for, and what its latest head looked like.
//!
//! The parser reads heads; this watches the bytes that go in and out. A client that takes no byte of its answer for
//! a while is hung up on. And of a request with chunks the raw head is looked at once more: the parser takes the
//! chunks' word and drops a length that came with them before anybody sees it, but two lengths are one too many. For
//! that every byte is known for what it is: a body is counted or its chunks are followed, and the rest are heads,
//! however they come in pieces and ahead of their time.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use greenroom_cache::Clock;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use memchr::memchr_iter;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::departure::Task;

/// A client that takes no byte for so long is hung up on …
const PATIENCE: Duration = Duration::from_secs(60);
/// … but a player may be paused for so long in the middle of a film.
const PATIENCE_WITH_PLAYERS: Duration = Duration::from_secs(60 * 60);
/// Bytes that are remembered of what was heard: more than the parser reads ahead.
const MAX_HEARD: usize = 128 * 1024;
/// A memory that grew beyond this is given back after the request.
const KEPT_CAPACITY: usize = 8 * 1024;

/// What is known of a connection, shared by its stream and by whoever answers its requests. Shows nothing of what was
/// said on it: that holds tokens.
#[derive(Default)]
pub struct Conversation {
    heard: Mutex<Heard>,
    /// Bytes came since the last request was understood or the last answer began.
    in_a_head: AtomicBool,
    plays: AtomicBool,
    was_too_slow: AtomicBool,
    /// What waits for the answer that leaves now.
    departing: Mutex<Vec<Task>>,
    /// Whether anything does.
    is_awaited: AtomicBool,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation(…)")
    }
}

/// What was heard and not understood yet: what remains of a body, then heads.
#[derive(Default)]
struct Heard {
    body: Extent,
    heads: Vec<u8>,
    /// It is not known any more which byte is what, or nobody needs to know.
    is_lost: bool,
}

/// How much of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Nothing.
    #[default]
    Nothing,
    /// So many bytes.
    Bytes(u64),
    /// Chunks, as far as they are.
    Chunks(Chunks),
}

/// Where in a body of chunks one is. What is not well-formed the parser refuses, and the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// In the digits of a chunk's size, which is this so far.
    Size(u64),
    /// Behind them, up to the end of the line.
    Extension(u64),
    /// In a chunk; so many bytes and the end of its line are left.
    Data(u64),
    /// In a line behind the last chunk.
    Trailer,
    /// At the beginning of one; an empty one is the end.
    TrailerStart,
    /// In the line feed of such a line; a line feed alone ends none.
    TrailerEnd,
    /// In the line feed of the empty one.
    End,
}

impl Extent {
    /// What a head says of its body.
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunks(Chunks::Size(0));
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        length.map_or(Self::Nothing, Self::Bytes)
    }

    /// How many of these bytes belong to the body.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            taken += match self {
                Self::Nothing | Self::Bytes(0) => break,
                Self::Bytes(left) => skip(left, bytes.len() - taken),
                Self::Chunks(Chunks::Data(left)) if *left > 0 => skip(left, bytes.len() - taken),
                Self::Chunks(Chunks::End) => {
                    *self = Self::Nothing;
                    1
                }
                Self::Chunks(chunks) => {
                    *chunks = chunks.after(bytes[taken]);
                    1
                }
            };
        }
        taken
    }
}

impl Chunks {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') | (Self::TrailerEnd, _) => Self::TrailerStart,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).unwrap_or(0);
                Self::Size(size.saturating_mul(16).saturating_add(value.into()))
            }
            (Self::Size(size) | Self::Extension(size), _) => Self::Extension(size),
            (Self::Data(_), b'\n') => Self::Size(0),
            (Self::Data(_), _) => self,
            (Self::TrailerStart, b'\r') | (Self::End, _) => Self::End,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::TrailerStart | Self::Trailer, _) => Self::Trailer,
        }
    }
}

/// As many as are left, or as there are.
fn skip(left: &mut u64, there: usize) -> usize {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= skipped as u64;
    skipped
}

impl Heard {
    fn hear(&mut self, bytes: &[u8]) {
        if self.is_lost {
            return;
        }
        let rest = &bytes[self.body.take(bytes)..];
        if self.heads.len() + rest.len() <= MAX_HEARD {
            self.heads.extend_from_slice(rest);
        } else {
            // Longer than any head: it is not one, and what cannot be looked at is not trusted.
            self.lose();
        }
    }

    fn lose(&mut self) {
        *self = Self { is_lost: true, ..Self::default() };
    }

    /// Takes the first head out, and what is here of its body. Whether it has chunks and yet may have named a length:
    /// its head did, or was not heard.
    fn understand(&mut self, body: Extent) -> bool {
        let has_chunks = matches!(body, Extent::Chunks(_));
        let Some(end) = end_of_head(&self.heads) else {
            self.lose();
            return has_chunks;
        };
        let has_two = has_chunks && names_a_length(&self.heads[..end]);
        let rest = self.heads.split_off(end);
        if self.heads.capacity() > KEPT_CAPACITY {
            self.heads = Vec::new();
        }
        self.heads.clear();
        self.body = body;
        self.hear(&rest);
        has_two
    }
}

/// Where the first head ends: behind its first empty line. Empty lines before it count for nothing.
fn end_of_head(heard: &[u8]) -> Option<usize> {
    let start = heard.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    memchr_iter(b'\n', &heard[start..]).find_map(|at| match heard[start + at + 1..] {
        [b'\n', ..] => Some(start + at + 2),
        [b'\r', b'\n', ..] => Some(start + at + 3),
        _ => None,
    })
}

impl Conversation {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request was understood; `body` is what its head says of its body. Whether that comes in chunks although the
    /// head names a length too, or was not heard so that nobody can tell.
    pub fn has_two_lengths(&self, body: Extent) -> bool {
        self.in_a_head.store(false, Ordering::Relaxed);
        self.plays.store(false, Ordering::Relaxed);
        self.heard.lock().understand(body)
    }

    /// What comes from now on is no request: the connection was handed over.
    pub fn is_handed_over(&self) {
        self.heard.lock().lose();
    }

    /// The answer is for a player, who may pause.
    pub fn is_for_a_player(&self) {
        self.plays.store(true, Ordering::Relaxed);
    }

    /// Whether a head was begun and never ended.
    pub fn is_in_a_head(&self) -> bool {
        self.in_a_head.load(Ordering::Relaxed)
    }

    /// Whether the client was hung up on because it took nothing.
    pub fn was_too_slow(&self) -> bool {
        self.was_too_slow.load(Ordering::Relaxed)
    }

    /// These wait for what was said so far to be taken.
    pub fn departs(&self, tasks: Vec<Task>) {
        self.departing.lock().extend(tasks);
        self.is_awaited.store(true, Ordering::Release);
    }

    /// Everything that was said is taken.
    fn has_departed(&self) {
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            let tasks = std::mem::take(&mut *self.departing.lock());
            for task in tasks {
                task();
            }
        }
    }

    fn hear(&self, bytes: &[u8]) {
        self.in_a_head.store(true, Ordering::Relaxed);
        self.heard.lock().hear(bytes);
    }

    /// Something was said to the client: what comes next may be a head.
    fn say(&self) {
        self.in_a_head.store(false, Ordering::Relaxed);
    }

    fn patience(&self) -> Duration {
        if self.plays.load(Ordering::Relaxed) { PATIENCE_WITH_PLAYERS } else { PATIENCE }
    }
}

/// Whether any line begins with `Content-Length`.
fn names_a_length(heard: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    heard
        .split(|byte| *byte == b'\n')
        .any(|line| line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)))
}

/// A client's stream that is not waited for forever.
pub struct Patient<S> {
    stream: S,
    clock: Clock,
    conversation: Arc<Conversation>,
    /// Runs while the client takes nothing.
    running_out: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Patient<S> {
    /// Watches `stream`.
    pub fn new(stream: S, clock: Clock, conversation: Arc<Conversation>) -> Self {
        Self { stream, clock, conversation, running_out: None }
    }

    /// What becomes of an attempt to say something: one that succeeds begins the patience anew.
    fn attempted<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.running_out = None;
            return outcome;
        }
        let (clock, patience) = (&self.clock, self.conversation.patience());
        let running_out = self.running_out.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move { clock.sleep(patience).await })
        });
        if running_out.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.conversation.was_too_slow.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let heard = &buffer.filled()[before..];
        if !heard.is_empty() {
            self.conversation.hear(heard);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.conversation.say();
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.attempted(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            self.conversation.has_departed();
        }
        self.attempted(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.attempted(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.conversation.say();
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.attempted(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BOTH: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nCONTENT-length: 4\r\n\r\n";
    const CHUNKED: &[u8] = b"POST /Content-Length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    const ANY_CHUNKS: Extent = Extent::Chunks(Chunks::Size(0));
    const GET: &[u8] = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";

    #[test]
    fn a_length_beside_chunks_is_seen_and_one_alone_is_not() {
        for (heard, body, expected) in [
            (BOTH, ANY_CHUNKS, true),
            (BOTH, Extent::Bytes(4), false),
            (CHUNKED, ANY_CHUNKS, false),
            (b"".as_slice(), ANY_CHUNKS, true),
        ] {
            let conversation = Conversation::new();
            conversation.hear(heard);
            assert_eq!(conversation.has_two_lengths(body), expected, "{heard:?}");
        }
    }

    #[test]
    fn each_request_is_looked_at_for_itself() {
        let bodies: [(&[u8], Extent, &[u8]); 5] = [
            (GET, Extent::Nothing, b""),
            (BOTH, Extent::Bytes(20), b"content-length: 4\r\n\n"),
            (CHUNKED, ANY_CHUNKS, b"4\r\nbody\r\n0\r\n\r\n"),
            (CHUNKED, ANY_CHUNKS, b"14;x=1\r\n\r\ncontent-length: 1\n\r\n1\r\nx\r\n000\r\n\r\n"),
            (CHUNKED, ANY_CHUNKS, b"0\r\nContent-Length: 9\n\r\nX: 1\r\n\r\n"),
        ];
        for (head, extent, body) in bodies {
            for (next, expected) in [(BOTH, true), (CHUNKED, false)] {
                let all = [head, body, next].concat();
                for cut in 0..=next.len() + body.len() {
                    let conversation = Conversation::new();
                    let cut = head.len() + cut;
                    conversation.hear(&all[..cut]);
                    conversation.has_two_lengths(extent);
                    conversation.hear(&all[cut..cut + (all.len() - cut) / 2]);
                    conversation.say();
                    conversation.hear(&all[cut + (all.len() - cut) / 2..]);
                    assert_eq!(conversation.has_two_lengths(ANY_CHUNKS), expected, "{extent:?} cut at {cut}");
                    assert!(conversation.heard.lock().heads.is_empty());
                }
            }
        }
    }

    #[test]
    fn what_is_longer_than_a_head_or_no_request_is_not_remembered() {
        let conversation = Conversation::new();
        conversation.hear(&vec![b'a'; MAX_HEARD]);
        conversation.hear(CHUNKED);
        assert!(conversation.heard.lock().heads.is_empty());
        assert!(conversation.has_two_lengths(ANY_CHUNKS));
        let conversation = Conversation::new();
        conversation.hear(GET);
        conversation.has_two_lengths(Extent::Nothing);
        conversation.is_handed_over();
        conversation.hear(CHUNKED);
        assert!(conversation.heard.lock().heads.is_empty());
    }

    #[test]
    fn what_was_said_is_not_printed() {
        let conversation = Conversation::new();
        conversation.hear(BOTH);
        assert_eq!(format!("{conversation:?}"), "Conversation(…)");
    }

    async fn is_hung_up_on(conversation: Arc<Conversation>, quiet: Duration) -> bool {
        let (stream, mut client) = duplex(16);
        let clock = Clock::system();
        let mut patient = Patient::new(stream, clock.clone(), conversation);
        let taking = async {
            clock.sleep(quiet).await;
            let mut taken = [0; 64];
            client.read_exact(&mut taken).await.map(|_| ())
        };
        let (said, _) = tokio::join!(patient.write_all(&[7; 64]), clock.timeout(quiet * 2, taking));
        said.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_hung_up_on_and_who_pauses_a_film_is_not() {
        let slow = Arc::new(Conversation::new());
        assert!(is_hung_up_on(Arc::clone(&slow), PATIENCE + Duration::from_secs(1)).await);
        assert!(slow.was_too_slow());
        let quick = Arc::new(Conversation::new());
        assert!(!is_hung_up_on(Arc::clone(&quick), PATIENCE / 2).await);
        assert!(!quick.was_too_slow());
        let player = Arc::new(Conversation::new());
        player.is_for_a_player();
        assert!(!is_hung_up_on(player, PATIENCE * 10).await);
    }
}
