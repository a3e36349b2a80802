//! A client's stream that reports its bytes to [`ClientConnection`] and has a write timeout.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use greenroom_cache::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::ClientConnection;
use super::fast_path::{FastConnection, FastPath};
use crate::write_timeout::WriteTimeoutStream;

/// A client's stream with a write timeout.
pub struct ClientStream<S> {
    stream: WriteTimeoutStream<S>,
    connection: Arc<ClientConnection>,
    /// The part of interim responses that is not written yet.
    interim: Vec<u8>,
    fast: Option<FastConnection>,
}

impl<S> ClientStream<S> {
    /// Wraps `stream`.
    pub fn new(stream: S, clock: Clock, connection: Arc<ClientConnection>) -> Self {
        Self {
            stream: WriteTimeoutStream::new(stream, clock, connection.write_timeout()),
            connection,
            interim: Vec::new(),
            fast: None,
        }
    }

    /// The same, with this fast path. While any of `endings` is cancelled, it answers nothing.
    #[must_use]
    pub fn with_fast_path(self, fast_path: Option<FastPath>, clock: Clock, endings: [CancellationToken; 2]) -> Self {
        Self { fast: fast_path.map(|fast_path| FastConnection::new(fast_path, clock, endings)), ..self }
    }

    /// Sets the timeout anew, because the response may or may not be for a player.
    fn with_current_timeout(&mut self) -> Pin<&mut WriteTimeoutStream<S>>
    where
        S: Unpin,
    {
        self.stream.set_timeout(self.connection.write_timeout());
        Pin::new(&mut self.stream)
    }

    /// Writes queued interim responses.
    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        self.interim.append(&mut self.connection.take_interim());
        while !self.interim.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.interim))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.interim.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the response of the fast path, if there is one, before anything else.
    fn poll_fast_response(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        let Some(fast) = &mut self.fast else { return Poll::Ready(Ok(())) };
        let result = fast.poll_write(Pin::new(&mut self.stream), context);
        self.record_timeout();
        result
    }

    /// Whether these bytes are a request that the fast path answers.
    fn respond(&mut self, received: &[u8]) -> bool {
        let Some(fast) = &mut self.fast else { return false };
        let is_answered = self.connection.owes_nothing() && fast.respond(received);
        if is_answered {
            self.connection.begin_response();
            self.stream.set_timeout(self.connection.write_timeout());
        }
        is_answered
    }

    fn record_timeout(&self) {
        if self.stream.has_timed_out() {
            self.connection.has_write_timed_out.store(true, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_fast_response(context))?;
            let before = buffer.filled().len();
            let result = Pin::new(&mut self.stream).poll_read(context, buffer);
            let received = &buffer.filled()[before..];
            if received.is_empty() {
                return result;
            }
            if !self.respond(received) {
                self.connection.record_read(received);
                return result;
            }
            buffer.set_filled(before);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_fast_response(context))?;
        ready!(self.poll_interim(context))?;
        self.connection.record_write();
        let result = self.with_current_timeout().poll_write(context, bytes);
        self.record_timeout();
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_fast_response(context))?;
        ready!(self.poll_interim(context))?;
        let result = self.with_current_timeout().poll_flush(context);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.connection.record_flush();
        }
        self.record_timeout();
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_fast_response(context))?;
        let result = self.with_current_timeout().poll_shutdown(context);
        self.record_timeout();
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_fast_response(context))?;
        ready!(self.poll_interim(context))?;
        self.connection.record_write();
        let result = self.with_current_timeout().poll_write_vectored(context, parts);
        self.record_timeout();
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::WRITE_TIMEOUT;
    use super::*;

    async fn is_closed(connection: Arc<ClientConnection>, pause: Duration) -> bool {
        let (stream, mut client) = duplex(16);
        let clock = Clock::system();
        let mut stream = ClientStream::new(stream, clock.clone(), connection);
        let reading = async {
            clock.sleep(pause).await;
            let mut buffer = [0; 64];
            client.read_exact(&mut buffer).await.map(|_| ())
        };
        let (result, _) = tokio::join!(stream.write_all(&[7; 64]), clock.timeout(pause * 2, reading));
        result.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_client_stops_reading_is_closed_but_not_a_paused_player() {
        let slow = Arc::new(ClientConnection::new());
        assert!(is_closed(Arc::clone(&slow), WRITE_TIMEOUT + Duration::from_secs(1)).await);
        assert!(slow.has_write_timed_out());
        let fast = Arc::new(ClientConnection::new());
        assert!(!is_closed(Arc::clone(&fast), WRITE_TIMEOUT / 2).await);
        assert!(!fast.has_write_timed_out());
        let player = Arc::new(ClientConnection::new());
        player.set_streams_media();
        assert!(!is_closed(player, WRITE_TIMEOUT * 10).await);
    }
}
