//! One client connection: its timeouts, and the raw head of its latest request.
//!
//! The HTTP parser reads heads; this module watches the bytes in both directions. It closes connections whose client
//! stops reading. It also checks the raw head of each chunked request: the parser follows the chunks and drops a
//! `Content-Length` beside them, but a request with both must be rejected. So every byte is classified: bodies are
//! counted or their chunks followed, and the rest are heads, even if fragmented or pipelined.

mod body_framing;
mod fast_path;
mod parser_state;
mod request_head;
mod stream;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::passing::{PassThroughCount, PassThroughGuard};
pub use body_framing::BodyFraming;
pub use fast_path::{FastPath, FastRequest, FastResponse, MAX_FAST_BODY_BYTES, PARSER_TURN_US};
use parser_state::ParserState;
use request_head::HeadSniffer;
pub use stream::ClientStream;

/// A task to run once a response is sent.
pub type OnSentTask = Box<dyn FnOnce() + Send>;

/// Write timeout: closes a connection whose client reads nothing for this time …
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// … but a player may be paused this long in the middle of a film.
const WRITE_TIMEOUT_FOR_PLAYERS: Duration = Duration::from_secs(60 * 60);

/// State of one connection, shared by its stream and its request handlers. `Debug` shows no bytes of it, because they
/// contain tokens.
#[derive(Default)]
pub struct ClientConnection {
    head_sniffer: Mutex<HeadSniffer>,
    parser: ParserState,
    /// Bytes arrived since the last request was parsed or the last response began.
    is_reading_head: AtomicBool,
    streams_media: AtomicBool,
    has_write_timed_out: AtomicBool,
    /// Tasks to run once the current response is sent.
    on_sent_tasks: Mutex<Vec<OnSentTask>>,
    /// Whether there are such tasks.
    has_on_sent_tasks: AtomicBool,
    /// Only the body of the current response is still being sent.
    is_passing: AtomicBool,
    last: Mutex<LastResponse>,
    /// Bytes of interim responses that are still to be written.
    interim: Mutex<Vec<u8>>,
    /// Whether there are such bytes.
    has_interim: AtomicBool,
}

/// Whether the current response is the connection's last, and its count among those of which only the body is left.
#[derive(Default)]
struct LastResponse {
    is_last: bool,
    counted: Option<PassThroughGuard>,
}

impl fmt::Debug for ClientConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientConnection(…)")
    }
}

impl ClientConnection {
    /// A new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a parsed request; `body` is the framing its head declares. Returns whether the body is chunked although
    /// the head has a length too, or had a head that was not seen.
    pub fn has_conflicting_length(&self, body: BodyFraming) -> bool {
        self.begin_response();
        self.parser.record_request();
        self.head_sniffer.lock().take_head(body)
    }

    /// A request was read: what concerned the last one is over.
    fn begin_response(&self) {
        self.is_reading_head.store(false, Ordering::Relaxed);
        self.streams_media.store(false, Ordering::Relaxed);
        if self.is_passing.load(Ordering::Relaxed) {
            self.is_passing.store(false, Ordering::Relaxed);
            self.last.lock().counted = None;
        }
    }

    /// The head of the request that the HTTP parser read last, as it arrived, until its response is sent.
    pub fn read_raw_head<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.head_sniffer.lock().last_head)
    }

    /// The HTTP parser got a whole response to a request without a body, and keeps the connection after it.
    pub(crate) fn record_whole_response(&self) {
        self.parser.record_whole_response();
    }

    /// Whether the HTTP parser owes no response.
    fn owes_nothing(&self) -> bool {
        self.parser.is_idle()
    }

    /// Stops looking for heads: the connection was upgraded.
    pub fn set_upgraded(&self) {
        self.head_sniffer.lock().stop();
    }

    /// Allows the long write timeout: the response is for a player, which may pause.
    pub fn set_streams_media(&self) {
        self.streams_media.store(true, Ordering::Relaxed);
    }

    /// Only the body of the response is left. It is counted once no request can follow on this connection.
    pub fn set_passing(&self, passing: &PassThroughCount) {
        let mut last = self.last.lock();
        self.is_passing.store(true, Ordering::Relaxed);
        if last.is_last {
            last.counted.get_or_insert_with(|| passing.begin());
        }
    }

    /// No request follows the current one.
    pub fn set_last_response(&self, passing: &PassThroughCount) {
        let mut last = self.last.lock();
        last.is_last = true;
        if self.is_passing.load(Ordering::Relaxed) {
            last.counted.get_or_insert_with(|| passing.begin());
        }
    }

    /// Whether a head is incomplete.
    pub fn is_reading_head(&self) -> bool {
        self.is_reading_head.load(Ordering::Relaxed)
    }

    /// Whether the connection was closed because the client stopped reading.
    pub fn has_write_timed_out(&self) -> bool {
        self.has_write_timed_out.load(Ordering::Relaxed)
    }

    /// Runs these tasks once everything written so far is sent.
    pub fn run_when_sent(&self, tasks: Vec<OnSentTask>) {
        self.on_sent_tasks.lock().extend(tasks);
        self.has_on_sent_tasks.store(true, Ordering::Release);
    }

    /// Queues the bytes of an interim response: they are written before anything else.
    pub(crate) fn queue_interim(&self, bytes: &[u8]) {
        self.interim.lock().extend_from_slice(bytes);
        self.has_interim.store(true, Ordering::Release);
    }

    /// Takes the bytes of interim responses.
    fn take_interim(&self) -> Vec<u8> {
        if self.has_interim.swap(false, Ordering::AcqRel) {
            std::mem::take(&mut *self.interim.lock())
        } else {
            Vec::new()
        }
    }

    #[cfg(test)]
    pub(crate) fn queued_interim_bytes(&self) -> usize {
        self.interim.lock().len()
    }

    /// Everything written so far is sent.
    fn record_flush(&self) {
        if self.parser.record_flush(|| self.head_sniffer.lock().is_between_requests()) {
            self.head_sniffer.lock().last_head.clear();
        }
        self.run_sent_tasks();
    }

    fn run_sent_tasks(&self) {
        if self.has_on_sent_tasks.swap(false, Ordering::AcqRel) {
            let tasks = std::mem::take(&mut *self.on_sent_tasks.lock());
            for task in tasks {
                task();
            }
        }
    }

    fn record_read(&self, bytes: &[u8]) {
        self.is_reading_head.store(true, Ordering::Relaxed);
        self.parser.record_request();
        self.head_sniffer.lock().feed(bytes);
    }

    /// Records a write to the client: what it sends next may be a head.
    fn record_write(&self) {
        self.is_reading_head.store(false, Ordering::Relaxed);
        self.parser.record_write();
    }

    fn write_timeout(&self) -> Duration {
        if self.streams_media.load(Ordering::Relaxed) { WRITE_TIMEOUT_FOR_PLAYERS } else { WRITE_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::body_framing::ChunkedState;
    use crate::connection::request_head::MAX_BUFFERED;

    const BOTH: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nCONTENT-length: 4\r\n\r\n";
    const CHUNKED: &[u8] = b"POST /Content-Length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    const ANY_CHUNKS: BodyFraming = BodyFraming::Chunks(ChunkedState::Size(0));
    const GET: &[u8] = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";

    #[test]
    fn a_length_beside_chunks_is_a_conflict_and_one_alone_is_not() {
        for (bytes, body, expected) in [
            (BOTH, ANY_CHUNKS, true),
            (BOTH, BodyFraming::Bytes(4), false),
            (CHUNKED, ANY_CHUNKS, false),
            (b"".as_slice(), ANY_CHUNKS, true),
        ] {
            let connection = ClientConnection::new();
            connection.record_read(bytes);
            assert_eq!(connection.has_conflicting_length(body), expected, "{bytes:?}");
        }
    }

    #[test]
    fn each_request_is_checked_for_itself() {
        let bodies: [(&[u8], BodyFraming, &[u8]); 5] = [
            (GET, BodyFraming::Nothing, b""),
            (BOTH, BodyFraming::Bytes(20), b"content-length: 4\r\n\n"),
            (CHUNKED, ANY_CHUNKS, b"4\r\nbody\r\n0\r\n\r\n"),
            (CHUNKED, ANY_CHUNKS, b"14;x=1\r\n\r\ncontent-length: 1\n\r\n1\r\nx\r\n000\r\n\r\n"),
            (CHUNKED, ANY_CHUNKS, b"0\r\nContent-Length: 9\n\r\nX: 1\r\n\r\n"),
        ];
        for (head, framing, body) in bodies {
            for (next, expected) in [(BOTH, true), (CHUNKED, false)] {
                let all = [head, body, next].concat();
                for cut in 0..=next.len() + body.len() {
                    let connection = ClientConnection::new();
                    let cut = head.len() + cut;
                    connection.record_read(&all[..cut]);
                    connection.has_conflicting_length(framing);
                    connection.record_read(&all[cut..cut + (all.len() - cut) / 2]);
                    connection.record_write();
                    connection.record_read(&all[cut + (all.len() - cut) / 2..]);
                    assert_eq!(connection.has_conflicting_length(ANY_CHUNKS), expected, "{framing:?} cut at {cut}");
                    assert!(connection.head_sniffer.lock().heads.is_empty());
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_head_are_not_buffered() {
        let connection = ClientConnection::new();
        connection.record_read(&vec![b'a'; MAX_BUFFERED]);
        connection.record_read(CHUNKED);
        assert!(connection.head_sniffer.lock().heads.is_empty());
        assert!(connection.has_conflicting_length(ANY_CHUNKS));
        let connection = ClientConnection::new();
        connection.record_read(GET);
        connection.has_conflicting_length(BodyFraming::Nothing);
        connection.set_upgraded();
        connection.record_read(CHUNKED);
        assert!(connection.head_sniffer.lock().heads.is_empty());
    }

    #[test]
    fn a_pass_through_response_is_counted_when_no_request_can_follow_it() {
        let (connection, passing) = (ClientConnection::new(), PassThroughCount::default());
        connection.has_conflicting_length(BodyFraming::Nothing);
        connection.set_passing(&passing);
        assert_eq!(passing.count(), 0, "a request may follow");
        connection.has_conflicting_length(BodyFraming::Nothing);
        connection.set_last_response(&passing);
        assert_eq!(passing.count(), 0, "this response is not known to pass through");
        connection.set_passing(&passing);
        connection.set_last_response(&passing);
        assert_eq!(passing.count(), 1);
        drop(connection);
        assert_eq!(passing.count(), 0);
        let connection = ClientConnection::new();
        connection.set_passing(&passing);
        connection.set_last_response(&passing);
        assert_eq!(passing.count(), 1, "it began before");
    }

    #[test]
    fn debug_output_holds_no_bytes_of_the_connection() {
        let connection = ClientConnection::new();
        connection.record_read(BOTH);
        assert_eq!(format!("{connection:?}"), "ClientConnection(…)");
    }
}
