//! A stream with a write timeout: it fails when the peer stops reading, which frees its permit.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use greenroom_cache::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that fails when the peer accepts no byte for a while.
pub struct WriteTimeoutStream<S> {
    stream: S,
    clock: Clock,
    timeout: Duration,
    /// Runs while the peer accepts nothing.
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    has_timed_out: bool,
}

impl<S> WriteTimeoutStream<S> {
    /// Wraps `stream`; `patience` is the write timeout. System suspend does not count.
    pub fn new(stream: S, clock: Clock, patience: Duration) -> Self {
        Self { stream, clock, timeout: patience, timer: None, has_timed_out: false }
    }

    /// Sets the timeout for the next stall.
    pub fn set_timeout(&mut self, patience: Duration) {
        self.timeout = patience;
    }

    /// Whether the write timed out.
    pub fn has_timed_out(&self) -> bool {
        self.has_timed_out
    }

    /// Checks the result of one write; a successful one restarts the timeout.
    fn check_progress<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let (clock, patience) = (&self.clock, self.timeout);
        let running_out = self.timer.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move { drop(clock.timeout(patience, pending::<()>()).await) })
        });
        if running_out.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.has_timed_out = true;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_progress(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.check_progress(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.check_progress(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.check_progress(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use greenroom_cache::SuspendDetector;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_told_nothing_more() {
        let (near, far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, Clock::system(), PATIENCE);
        let mut telling = std::pin::pin!(near.write_all(&[0; 64]));
        let early = tokio::time::timeout(PATIENCE / 2, telling.as_mut()).await;
        assert!(early.is_err(), "it is waited for");
        let failure = telling.await.expect_err("nobody reads");
        assert_eq!(failure.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_machine_sleeps_nobody_takes_too_long() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let told_ms = Arc::clone(&slept_ms);
        let clock =
            Clock::system().with_suspend_detector(SuspendDetector::counting(move || told_ms.load(Ordering::Relaxed)));
        let (near, far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, clock.clone(), PATIENCE);
        let began_us = clock.now_us();
        let telling = async {
            let falls_asleep = async {
                tokio::time::sleep(PATIENCE / 3).await;
                slept_ms.store(8 * 3_600_000, Ordering::Relaxed);
            };
            tokio::join!(near.write_all(&[0; 64]), falls_asleep).0
        };
        tokio::select! {
            never = clock.follow(drop) => match never {},
            said = telling => assert!(said.is_err(), "nobody reads"),
        }
        assert!(clock.last_leap_ms() > 0);
        assert_eq!(clock.since(began_us).as_secs(), PATIENCE.as_secs());
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_is_told_all() {
        let (near, mut far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, Clock::system(), PATIENCE);
        let reading = async {
            let mut part = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(PATIENCE / 2).await;
                far.read_exact(&mut part).await.expect("it goes on");
            }
        };
        let (said, ()) = tokio::join!(near.write_all(&[0; 64]), reading);
        said.expect("all is taken in the end");
    }
}
