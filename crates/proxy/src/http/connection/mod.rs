//! One client's connection: how long it is waited for, and what its latest head looked like.
//!
//! The parser reads heads; this watches the bytes that go in and out. A client that takes no byte of its answer for
//! a while is hung up on. And of a request with chunks the raw head is looked at once more: the parser takes the
//! chunks' word and drops a length that came with them before anybody sees it, but two lengths are one too many. For
//! that every byte is known for what it is: a body is counted or its chunks are followed, and the rest are heads,
//! however they come in pieces and ahead of their time.

mod body_framing;
mod request_head;
mod stream;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::http::on_sent::Task;
pub use body_framing::Extent;
use request_head::Heard;
pub use stream::Patient;

/// A client that takes no byte for so long is hung up on …
const PATIENCE: Duration = Duration::from_secs(60);
/// … but a player may be paused for so long in the middle of a film.
const PATIENCE_WITH_PLAYERS: Duration = Duration::from_secs(60 * 60);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection::body_framing::Chunks;
    use crate::http::connection::request_head::MAX_HEARD;

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
}
