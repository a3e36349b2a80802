//! Tells whether a failed request was sent on a connection that was open before it. Then the failure may be the server's
//! closing of an idle connection, which says nothing about the server. The pool keeps connections that have answered an
//! earlier request, and others that were opened for one but came too late for it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

/// Age and use of a connection.
#[derive(Debug, Clone)]
struct ConnectionUse {
    /// Number of connections opened before it.
    number: u64,
    has_answered: Arc<AtomicBool>,
}

/// Connector whose connections know whether they are reused.
#[derive(Debug, Clone)]
pub(crate) struct TrackedConnector<C> {
    connector: C,
    /// Connections opened so far.
    opened: Arc<AtomicU64>,
}

/// Number of connections opened before a request begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionCount(u64);

/// Connection of a [`TrackedConnector`].
#[derive(Debug)]
pub(crate) struct TrackedStream<S> {
    stream: S,
    connection_use: ConnectionUse,
}

/// Records that the connection of this response has answered a request.
pub(crate) fn record_answer(extensions: &mut Extensions) {
    if let Some(connection_use) = extensions.remove::<ConnectionUse>() {
        connection_use.has_answered.store(true, Ordering::Relaxed);
    }
}

/// Whether the request failed because a connection that was open before it ended without a response.
pub(crate) fn met_closing_connection(error: &legacy::Error, open_connections: ConnectionCount) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let is_reused = extensions
        .get::<ConnectionUse>()
        .is_some_and(|used| used.number < open_connections.0 || used.has_answered.load(Ordering::Relaxed));
    is_reused && causes(error).any(is_end_of_connection)
}

/// An error and its causes.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

fn is_end_of_connection(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        return is_refused || error.is_go_away() || error.get_io().is_some_and(is_closed);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    }
    error.downcast_ref::<io::Error>().is_some_and(is_closed)
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

impl<C> TrackedConnector<C> {
    /// Tracks the connections of `connector`.
    pub(crate) fn new(connector: C) -> Self {
        Self { connector, opened: Arc::default() }
    }

    /// Number of connections opened so far.
    pub(crate) fn open_connections(&self) -> ConnectionCount {
        ConnectionCount(self.opened.load(Ordering::Acquire))
    }
}

impl<C: Service<Uri>> Service<Uri> for TrackedConnector<C>
where
    C::Future: Send + 'static,
{
    type Response = TrackedStream<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, opened) = (self.connector.call(uri), Arc::clone(&self.opened));
        Box::pin(async move {
            let stream = connecting.await?;
            let number = opened.fetch_add(1, Ordering::AcqRel);
            Ok(TrackedStream { stream, connection_use: ConnectionUse { number, has_answered: Arc::default() } })
        })
    }
}

impl<S: Connection> Connection for TrackedStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.connection_use.clone())
    }
}

impl<S: Read + Unpin> Read for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for TrackedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::{Notify, mpsc};

    use super::*;

    const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const KEPT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    /// Opens connections in memory; every one but the first waits for `go`.
    #[derive(Clone)]
    struct MemoryConnector {
        accepted: mpsc::UnboundedSender<DuplexStream>,
        called: Arc<AtomicU64>,
        go: Arc<Notify>,
    }

    struct MemoryStream(TokioIo<DuplexStream>);

    impl Service<Uri> for MemoryConnector {
        type Response = MemoryStream;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<MemoryStream, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            let (is_first, this) = (self.called.fetch_add(1, Ordering::SeqCst) == 0, self.clone());
            Box::pin(async move {
                if !is_first {
                    this.go.notified().await;
                }
                let (ours, theirs) = duplex(4096);
                this.accepted.send(theirs).expect("the test listens");
                Ok(MemoryStream(TokioIo::new(ours)))
            })
        }
    }

    impl Connection for MemoryStream {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    impl Read for MemoryStream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl Write for MemoryStream {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(context)
        }
    }

    fn request() -> Request<Empty<Bytes>> {
        Request::get("http://server/library/sections").body(Empty::new()).expect("a request")
    }

    /// Reads one request head.
    async fn receive(stream: &mut DuplexStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a request"));
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_opened_in_advance_and_never_used_may_be_closing() {
        let (accepted, mut listener) = mpsc::unbounded_channel();
        let memory = MemoryConnector { accepted, called: Arc::default(), go: Arc::default() };
        let connector = TrackedConnector::new(memory.clone());
        let mut client = legacy::Client::builder(TokioExecutor::new());
        let client = client.retry_canceled_requests(false).build::<_, Empty<Bytes>>(connector.clone());
        let first = client.request(request());
        let server = async {
            let mut stream = listener.recv().await.expect("a connection");
            receive(&mut stream).await;
            stream
        };
        let mut first = std::pin::pin!(first);
        let mut stream = tokio::select! { stream = server => stream, _ = &mut first => panic!("no answer was sent") };
        // The second begins to connect, and gets the first one's connection because that is free earlier.
        let mut second = std::pin::pin!(client.request(request()));
        assert!(futures_util::poll!(&mut second).is_pending());
        stream.write_all(KEPT).await.expect("it is open");
        let answer = first.await.expect("an answer");
        answer.into_body().collect().await.expect("it is empty");
        let answered = async {
            receive(&mut stream).await;
            stream.write_all(LAST).await.expect("it is open");
        };
        let (answer, ()) = tokio::join!(second, answered);
        answer.expect("an answer").into_body().collect().await.expect("it is empty");
        assert_eq!(memory.called.load(Ordering::SeqCst), 2);
        memory.go.notify_one();
        let mut unused = listener.recv().await.expect("the second connection");
        while connector.open_connections().0 < 2 {
            tokio::task::yield_now().await;
        }
        let before = connector.open_connections();
        let closes = async {
            receive(&mut unused).await;
            drop(unused);
        };
        let (failed, ()) = tokio::join!(client.request(request()), closes);
        let failed = failed.expect_err("the connection was closed");
        assert!(met_closing_connection(&failed, before));
        assert!(!met_closing_connection(&failed, ConnectionCount(1)), "it is no reused one for a request of that time");
    }
}
