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
    /// Wraps `stream`; `timeout` is the write timeout. System suspend does not count.
    pub fn new(stream: S, clock: Clock, timeout: Duration) -> Self {
        Self { stream, clock, timeout, timer: None, has_timed_out: false }
    }

    /// Sets the timeout for the next stall.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whether the write timed out.
    pub fn has_timed_out(&self) -> bool {
        self.has_timed_out
    }

    /// Checks the result of one write; a successful one restarts the timeout.
    fn check_progress<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.timer = None;
            return result;
        }
        let (clock, timeout) = (&self.clock, self.timeout);
        let timer = self.timer.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move {
                let _ = clock.timeout(timeout, pending::<()>()).await; // a sleep that leaves out system suspend
            })
        });
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.has_timed_out = true;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing")))
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
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_progress(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.check_progress(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.check_progress(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.check_progress(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Timestamp;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use greenroom_cache::SuspendDetector;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_write_to_a_peer_that_reads_nothing_times_out() {
        let (near, far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, Clock::system(), TIMEOUT);
        let mut writing = std::pin::pin!(near.write_all(&[0; 64]));
        let early = tokio::time::timeout(TIMEOUT / 2, writing.as_mut()).await;
        assert!(early.is_err(), "the write waits");
        let failure = writing.await.expect_err("the peer reads nothing");
        assert_eq!(failure.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn system_suspend_does_not_count_towards_the_write_timeout() {
        let suspended_ms = Arc::new(AtomicU64::new(0));
        let detector_ms = Arc::clone(&suspended_ms);
        let clock = Clock::system()
            .with_suspend_detector(SuspendDetector::counting(move || detector_ms.load(Ordering::Relaxed)));
        let (near, far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, clock.clone(), TIMEOUT);
        let started_us = clock.now_us();
        let writing = async {
            let suspend = async {
                tokio::time::sleep(TIMEOUT / 3).await;
                suspended_ms.store(8 * 3_600_000, Ordering::Relaxed);
            };
            tokio::join!(near.write_all(&[0; 64]), suspend).0
        };
        tokio::select! {
            never = clock.follow(drop) => match never {},
            result = writing => assert!(result.is_err(), "the peer reads nothing"),
        }
        assert!(clock.last_leap() > Timestamp::UNIX_EPOCH);
        assert_eq!(clock.since(started_us).as_secs(), TIMEOUT.as_secs());
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_to_a_slow_reader_completes() {
        let (near, mut far) = duplex(16);
        let mut near = WriteTimeoutStream::new(near, Clock::system(), TIMEOUT);
        let reading = async {
            let mut part = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(TIMEOUT / 2).await;
                far.read_exact(&mut part).await.expect("more bytes");
            }
        };
        let (result, ()) = tokio::join!(near.write_all(&[0; 64]), reading);
        result.expect("all bytes are read in the end");
    }
}
