//! Tells whether a failed request was sent on a connection that had answered an earlier one. Then the failure may be the
//! server's closing of an idle connection, which says nothing about the server. A connection that was opened in advance
//! and has answered nothing yet does not count.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

/// Whether a connection has answered a request.
#[derive(Debug, Clone, Default)]
struct ConnectionUse(Arc<AtomicBool>);

/// Connector whose connections know whether they are reused.
#[derive(Debug, Clone)]
pub(crate) struct TrackedConnector<C>(pub(crate) C);

/// Connection of a [`TrackedConnector`].
#[derive(Debug)]
pub(crate) struct TrackedStream<S> {
    stream: S,
    connection_use: ConnectionUse,
}

/// Records that the connection of this response has answered a request.
pub(crate) fn record_answer(extensions: &mut Extensions) {
    if let Some(connection_use) = extensions.remove::<ConnectionUse>() {
        connection_use.0.store(true, Ordering::Relaxed);
    }
}

/// Whether the request failed because a reused connection ended without a response.
pub(crate) fn met_closing_connection(error: &legacy::Error) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let is_reused = extensions.get::<ConnectionUse>().is_some_and(|used| used.0.load(Ordering::Relaxed));
    is_reused && causes(error).any(is_end_of_connection)
}

/// An error and its causes.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

fn is_end_of_connection(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    }
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    })
}

impl<C: Service<Uri>> Service<Uri> for TrackedConnector<C>
where
    C::Future: Send + 'static,
{
    type Response = TrackedStream<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(
            async move { Ok(TrackedStream { stream: connecting.await?, connection_use: ConnectionUse::default() }) },
        )
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
