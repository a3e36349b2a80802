//! A client's stream that is watched, and not waited for forever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use greenroom_cache::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Conversation;
use crate::http::write_timeout::Taking;

/// A client's stream that is not waited for forever.
pub struct Patient<S> {
    stream: Taking<S>,
    conversation: Arc<Conversation>,
}

impl<S> Patient<S> {
    /// Watches `stream`.
    pub fn new(stream: S, clock: Clock, conversation: Arc<Conversation>) -> Self {
        Self { stream: Taking::new(stream, clock, conversation.patience()), conversation }
    }

    /// An answer may have become one for a player, or be one no more.
    fn bear(&mut self) -> Pin<&mut Taking<S>>
    where
        S: Unpin,
    {
        self.stream.bear(self.conversation.patience());
        Pin::new(&mut self.stream)
    }

    fn note_patience(&self) {
        if self.stream.has_lost_patience() {
            self.conversation.was_too_slow.store(true, Ordering::Relaxed);
        }
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
        let outcome = self.bear().poll_write(context, bytes);
        self.note_patience();
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.bear().poll_flush(context);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            self.conversation.has_departed();
        }
        self.note_patience();
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.bear().poll_shutdown(context);
        self.note_patience();
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.conversation.say();
        let outcome = self.bear().poll_write_vectored(context, parts);
        self.note_patience();
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::PATIENCE;
    use super::*;

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
