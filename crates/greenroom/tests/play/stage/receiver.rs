//! A media server that lets bodies run through its hands: it counts their bytes while they arrive and keeps none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::scripted::{answer, container};

/// Bodies end like this if their length was not said.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// What is counted.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bytes of bodies, with their framing.
    pub body_bytes: AtomicU64,
    /// Bodies that came to their end.
    pub whole: AtomicUsize,
    /// Bodies that did not.
    pub cut_off: AtomicUsize,
    /// Every head, as sent.
    pub heads: Mutex<Vec<String>>,
}

impl Seen {
    /// How many heads begin like this.
    pub fn count(&self, beginning: &str) -> usize {
        self.heads.lock().iter().filter(|head| head.starts_with(beginning)).count()
    }

    /// The lines of the last head that begins like this.
    pub fn last(&self, beginning: &str) -> String {
        let heads = self.heads.lock();
        heads.iter().rev().find(|head| head.starts_with(beginning)).cloned().unwrap_or_default()
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    stop: CancellationToken,
}

impl Receiver {
    /// Accepts every token but those that contain `refused`.
    pub async fn start(tasks: &TaskTracker, refused: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            stop: CancellationToken::new(),
        };
        let (seen, stop, owner) = (Arc::clone(&receiver.seen), receiver.stop.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        let (seen, stop) = (Arc::clone(&seen), stop.clone());
                        owner.spawn(async move {
                            tokio::select! { () = stop.cancelled() => {}, () = converse(stream, &seen, refused) => {} }
                        });
                    }
                }
            }
        });
        receiver
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }
}

async fn converse(mut stream: TcpStream, seen: &Seen, refused: &str) {
    let mut buffer = Vec::new();
    loop {
        let at = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(length) if length > 0) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..at]).into_owned();
        buffer.drain(..at + 4);
        seen.heads.lock().push(head.clone());
        let low = head.to_ascii_lowercase();
        let length = low.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let is_chunked = low.contains("transfer-encoding: chunked");
        if !take_body(&mut stream, &mut buffer, seen, (length, is_chunked)).await {
            seen.cut_off.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if length.is_some_and(|length| length > 0) || is_chunked {
            seen.whole.fetch_add(1, Ordering::SeqCst);
        }
        let said = if low.contains(refused) {
            answer("401 Unauthorized", "application/json", "{}")
        } else {
            container(seen.heads.lock().len())
        };
        if stream.write_all(&said).await.is_err() {
            return;
        }
    }
}

/// Counts a body until its end; `false` if it has none.
async fn take_body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    seen: &Seen,
    (length, is_chunked): (Option<u64>, bool),
) -> bool {
    let mut left = length.unwrap_or(0);
    let mut end = Vec::new();
    loop {
        if is_chunked {
            seen.body_bytes.fetch_add(buffer.len() as u64, Ordering::SeqCst);
            end.append(buffer);
            if end.ends_with(LAST_CHUNK) {
                return true;
            }
            end.drain(..end.len().saturating_sub(LAST_CHUNK.len()));
        } else {
            let part = left.min(buffer.len() as u64);
            seen.body_bytes.fetch_add(part, Ordering::SeqCst);
            left -= part;
            buffer.drain(..usize::try_from(part).expect("it fits"));
            if left == 0 {
                return true;
            }
        }
        if !matches!(stream.read_buf(buffer).await, Ok(length) if length > 0) {
            return false;
        }
    }
}
