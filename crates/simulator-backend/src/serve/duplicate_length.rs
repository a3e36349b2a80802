//! A connection that optionally sends every `Content-Length` twice. The HTTP library does not support this, so the
//! second one is inserted into the outgoing bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The connection.
pub(super) struct DuplicateLengthStream {
    stream: TcpStream,
    on: bool,
    /// Accepted bytes that are not sent yet.
    pending: Vec<u8>,
}

impl DuplicateLengthStream {
    pub(super) fn new(stream: TcpStream, on: bool) -> Self {
        Self { stream, on, pending: Vec::new() }
    }

    fn poll_pending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.pending))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

/// `bytes` with its `Content-Length` doubled, if it starts a response that has one.
fn doubled(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.1 ") {
        return None;
    }
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = &bytes[..head_end + 2];
    let name = b"\r\ncontent-length:";
    let at = head.windows(name.len()).position(|part| part.eq_ignore_ascii_case(name))? + 2;
    let end = at + head[at..].windows(2).position(|two| two == b"\r\n")? + 2;
    Some([&bytes[..end], &bytes[at..end], &bytes[end..]].concat())
}

impl AsyncRead for DuplicateLengthStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for DuplicateLengthStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.on {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        ready!(self.poll_pending(context))?;
        match doubled(bytes) {
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
            Some(more) => {
                self.pending = more;
                // The rest goes out with the next write or flush.
                if let Poll::Ready(Err(error)) = self.poll_pending(context) {
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.on {
            let first = buffers.iter().find(|buffer| !buffer.is_empty()).map_or(&[][..], |buffer| buffer);
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        !self.on && self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_head_of_an_answer_is_touched() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\ncontent-length: 5";
        let doubled = doubled(answer).expect("an answer with a length");
        assert_eq!(
            doubled,
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nA: b\r\n\r\ncontent-length: 5"
        );
        assert_eq!(super::doubled(b"content-length: 5\r\n\r\n"), None);
        assert_eq!(super::doubled(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\ncontent-length: 5\r\n"), None);
    }
}
