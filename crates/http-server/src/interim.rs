//! Interim responses (1xx) on their way to a client, which the HTTP library does not send.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use crate::connection::ClientConnection;

/// Max bytes of the interim responses to one request; further ones are dropped.
const MAX_INTERIM_BYTES: usize = 16 * 1024;

/// Sends interim responses to one request, until its final response begins.
pub struct InterimSender {
    connection: Arc<ClientConnection>,
    /// Wakes the connection's task, which writes them.
    waker: Waker,
    /// Bytes that may still be sent; `None` once the final response begins.
    left: Mutex<Option<usize>>,
}

impl fmt::Debug for InterimSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterimSender").finish_non_exhaustive()
    }
}

impl InterimSender {
    /// A sender for the current request of this connection, whose task has this waker.
    pub fn new(connection: Arc<ClientConnection>, waker: Waker) -> Self {
        Self { connection, waker, left: Mutex::new(Some(MAX_INTERIM_BYTES)) }
    }

    /// Sends one, unless the final response has begun.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut bytes =
            format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        let mut left = self.left.lock();
        let Some(remaining) = left.as_mut().filter(|remaining| **remaining >= bytes.len()) else { return };
        *remaining -= bytes.len();
        self.connection.queue_interim(&bytes);
        self.waker.wake_by_ref();
    }

    /// The final response begins: nothing is sent from here on.
    pub fn close(&self) {
        *self.left.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::connection::ClientStream;

    #[tokio::test]
    async fn interim_responses_come_before_the_final_one_and_never_after_its_beginning() {
        let (stream, mut client) = duplex(4096);
        let connection = Arc::new(ClientConnection::new());
        let mut stream = ClientStream::new(stream, greenroom_cache::Clock::system(), Arc::clone(&connection));
        let sender = InterimSender::new(connection, Waker::noop().clone());
        let headers = HeaderMap::from_iter([(http::header::LINK, "</a>".parse().expect("a value"))]);
        sender.send(StatusCode::EARLY_HINTS, &headers);
        sender.send(StatusCode::OK, &headers);
        sender.close();
        sender.send(StatusCode::PROCESSING, &headers);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("written");
        drop(stream);
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("read");
        assert_eq!(text, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    }

    #[tokio::test]
    async fn a_flush_is_enough_to_send_them() {
        let (stream, mut client) = duplex(4);
        let connection = Arc::new(ClientConnection::new());
        let mut stream = ClientStream::new(stream, greenroom_cache::Clock::system(), Arc::clone(&connection));
        InterimSender::new(connection, Waker::noop().clone()).send(StatusCode::PROCESSING, &HeaderMap::new());
        let (flushed, text) = tokio::join!(
            async {
                stream.flush().await.expect("flushed");
                drop(stream);
            },
            async {
                let mut text = String::new();
                client.read_to_string(&mut text).await.expect("read");
                text
            }
        );
        assert_eq!(((), text.as_str()), (flushed, "HTTP/1.1 102 Processing\r\n\r\n"));
    }

    #[test]
    fn their_bytes_are_bounded() {
        let connection = Arc::new(ClientConnection::new());
        let sender = InterimSender::new(Arc::clone(&connection), Waker::noop().clone());
        (0..10_000).for_each(|_| sender.send(StatusCode::PROCESSING, &HeaderMap::new()));
        assert!(connection.queued_interim_bytes() <= MAX_INTERIM_BYTES);
    }
}
