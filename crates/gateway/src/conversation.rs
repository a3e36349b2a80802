//! One client's connection: how long it is waited for, and what its latest head looked like.
//!
//! The parser reads heads; this watches the bytes that go in and out. A client that takes no byte of its answer for
//! a while is hung up on. And of a request with chunks the raw head is looked at once more: the parser takes the
//! chunks' word and drops a length that came with them before anybody sees it, but two lengths are one too many.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that takes no byte for so long is hung up on …
const PATIENCE: Duration = Duration::from_secs(60);
/// … but a player may be paused for so long in the middle of a film.
const PATIENCE_WITH_PLAYERS: Duration = Duration::from_secs(60 * 60);
/// Bytes that are remembered of what was heard: more than the longest head.
const MAX_HEARD: usize = 128 * 1024;
/// A memory that grew beyond this is given back after the request.
const KEPT_CAPACITY: usize = 8 * 1024;

/// What is known of a connection, shared by its stream and by whoever answers its requests.
#[derive(Debug, Default)]
pub struct Conversation {
    /// What was heard since the last answer began, while a head may be under way.
    heard: Mutex<Vec<u8>>,
    /// Bytes came since the last request was understood or the last answer began.
    in_a_head: AtomicBool,
    is_listening: AtomicBool,
    plays: AtomicBool,
    was_too_slow: AtomicBool,
}

impl Conversation {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        let conversation = Self::default();
        conversation.is_listening.store(true, Ordering::Relaxed);
        conversation
    }

    /// A request was understood; `is_chunked` if its body comes in chunks. Whether its head named a length too, or
    /// came on the heels of another request so that nobody can tell.
    pub fn has_two_lengths(&self, is_chunked: bool) -> bool {
        self.in_a_head.store(false, Ordering::Relaxed);
        self.is_listening.store(false, Ordering::Relaxed);
        self.plays.store(false, Ordering::Relaxed);
        let mut heard = self.heard.lock();
        let two = is_chunked && (heard.is_empty() || names_a_length(&heard));
        heard.clear();
        if heard.capacity() > KEPT_CAPACITY {
            *heard = Vec::new();
        }
        two
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

    fn hear(&self, bytes: &[u8]) {
        self.in_a_head.store(true, Ordering::Relaxed);
        if !self.is_listening.load(Ordering::Relaxed) {
            return;
        }
        let mut heard = self.heard.lock();
        if heard.len() + bytes.len() <= MAX_HEARD {
            heard.extend_from_slice(bytes);
        } else {
            // Longer than any head: it is not one, and what cannot be looked at is not trusted.
            heard.clear();
            self.is_listening.store(false, Ordering::Relaxed);
        }
    }

    /// Something was said to the client: what comes next may be a head.
    fn say(&self) {
        self.in_a_head.store(false, Ordering::Relaxed);
        self.is_listening.store(true, Ordering::Relaxed);
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

    #[test]
    fn a_length_beside_chunks_is_seen_and_one_alone_is_not() {
        for (heard, is_chunked, expected) in
            [(BOTH, true, true), (BOTH, false, false), (CHUNKED, true, false), (b"".as_slice(), true, true)]
        {
            let conversation = Conversation::new();
            conversation.hear(heard);
            assert_eq!(conversation.has_two_lengths(is_chunked), expected, "{heard:?}");
        }
    }

    #[test]
    fn each_request_is_looked_at_for_itself() {
        let conversation = Conversation::new();
        conversation.hear(BOTH);
        assert!(conversation.has_two_lengths(true));
        conversation.hear(b"4\r\nbody\r\n0\r\n\r\n");
        conversation.say();
        conversation.hear(CHUNKED);
        assert!(!conversation.has_two_lengths(true), "what came before the answer is forgotten");
        assert!(conversation.has_two_lengths(true), "a request nobody heard come may hide anything");
    }

    #[test]
    fn what_is_longer_than_a_head_is_not_remembered() {
        let conversation = Conversation::new();
        conversation.hear(&vec![b'a'; MAX_HEARD]);
        conversation.hear(CHUNKED);
        assert!(conversation.heard.lock().is_empty());
        assert!(conversation.has_two_lengths(true));
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
