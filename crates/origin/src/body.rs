//! The bodies that pass through: whole ones, streams, and streams whose beginning was already read.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

/// Why a body ended before it was whole.
#[derive(Debug)]
pub enum BodyError {
    /// The connection it came on broke.
    Connection(hyper::Error),
    /// It was not let in any further, or its sender went away.
    CutOff,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => fmt::Display::fmt(error, f),
            Self::CutOff => f.write_str("the body was cut off"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connection(error) => std::error::Error::source(error),
            Self::CutOff => None,
        }
    }
}

impl From<hyper::Error> for BodyError {
    fn from(error: hyper::Error) -> Self {
        Self::Connection(error)
    }
}

/// A body on its way to a client or to a media server.
#[derive(Debug)]
pub enum Body {
    /// All of it, or nothing once it was taken.
    Whole(Option<Bytes>),
    /// As it comes.
    Stream(Incoming),
    /// The part that was read to see whether it could be kept, then as it comes.
    Resumed {
        /// What was already read.
        read: VecDeque<Bytes>,
        /// What is still to come.
        rest: Incoming,
    },
    /// One that does something while it passes, or at its end.
    Boxed(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::Whole(None)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(if bytes.is_empty() { None } else { Some(bytes) })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(incoming) => Pin::new(incoming).poll_frame(context),
            Self::Resumed { read, rest } => match read.pop_front() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Pin::new(rest).poll_frame(context),
            },
            Self::Boxed(body) => return Pin::new(body).poll_frame(context),
        };
        frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(incoming) => incoming.is_end_stream(),
            Self::Resumed { read, rest } => read.is_empty() && rest.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(incoming) => incoming.size_hint(),
            Self::Resumed { read, rest } => {
                let before: u64 = read.iter().map(|bytes| bytes.len() as u64).sum();
                let hint = rest.size_hint();
                hint.exact().map_or_else(SizeHint::default, |after| SizeHint::with_exact(before + after))
            }
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// How reading a whole body ended.
#[derive(Debug)]
pub enum Collected {
    /// All of it.
    Whole(Bytes),
    /// It is longer than allowed; what was read and what is still to come.
    TooLong(VecDeque<Bytes>, Incoming),
    /// It broke off.
    Broken(hyper::Error),
}

/// Reads a body up to `max_bytes`.
pub async fn collect(mut incoming: Incoming, max_bytes: u64) -> Collected {
    if incoming.size_hint().lower() > max_bytes {
        return Collected::TooLong(VecDeque::new(), incoming);
    }
    let mut read = VecDeque::new();
    let mut length = 0_u64;
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                length += data.len() as u64;
                read.push_back(data);
                if length > max_bytes {
                    return Collected::TooLong(read, incoming);
                }
            }
            Err(error) => return Collected::Broken(error),
        }
    }
    Collected::Whole(join(read, length))
}

fn join(mut parts: VecDeque<Bytes>, length: u64) -> Bytes {
    match parts.len() {
        0 => Bytes::new(),
        1 => parts.pop_front().unwrap_or_default(),
        _ => {
            let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            for part in parts {
                whole.extend_from_slice(&part);
            }
            whole.into()
        }
    }
}
