//! Bodies in transit: complete ones, streams, and streams whose beginning was already read.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

/// Reason why a body is incomplete.
#[derive(Debug)]
pub enum BodyError {
    /// Its connection broke.
    Connection(hyper::Error),
    /// It was cut off by a limit, or its sender disconnected.
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
    /// A complete body; `None` once it was sent.
    Whole(Option<Bytes>),
    /// A complete body with fields after it; both are `None` once they were sent.
    Trailed(Option<Bytes>, Option<Box<HeaderMap>>),
    /// A stream.
    Stream(Incoming),
    /// The part read to see whether it can be cached, then the rest of the stream.
    Resumed {
        /// The part already read.
        read: VecDeque<Bytes>,
        /// The rest.
        rest: Incoming,
    },
    /// A body with a side effect while it passes, or at its end.
    Boxed(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// An empty body.
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
            Self::Trailed(bytes, trailers) => {
                let data = bytes.take().map(Frame::data);
                Poll::Ready(data.or_else(|| trailers.take().map(|trailers| Frame::trailers(*trailers))).map(Ok))
            }
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
            Self::Trailed(bytes, trailers) => bytes.is_none() && trailers.is_none(),
            Self::Stream(incoming) => incoming.is_end_stream(),
            Self::Resumed { read, rest } => read.is_empty() && rest.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // Its length would leave no place for the fields after it.
            Self::Trailed(..) => SizeHint::default(),
            Self::Stream(incoming) => incoming.size_hint(),
            Self::Resumed { read, rest } => {
                let buffered: u64 = read.iter().map(|bytes| bytes.len() as u64).sum();
                let hint = rest.size_hint();
                hint.exact().map_or_else(SizeHint::default, |remaining| SizeHint::with_exact(buffered + remaining))
            }
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// Result of reading a whole body.
#[derive(Debug)]
pub enum CollectedBody {
    /// The complete body.
    Whole(Bytes),
    /// It exceeds the limit; the part read, and the rest.
    TooLong(VecDeque<Bytes>, Incoming),
    /// The connection broke.
    Broken(hyper::Error),
}

/// Reads a body up to `max_bytes`.
pub async fn collect(incoming: Incoming, max_bytes: u64) -> CollectedBody {
    collect_trailed(incoming, max_bytes).await.0
}

/// The same with the fields after it.
pub async fn collect_trailed(mut incoming: Incoming, max_bytes: u64) -> (CollectedBody, HeaderMap) {
    let mut trailers = HeaderMap::new();
    if incoming.size_hint().lower() > max_bytes {
        return (CollectedBody::TooLong(VecDeque::new(), incoming), trailers);
    }
    let mut buffered = VecDeque::new();
    let mut length = 0_u64;
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => {
                let data = match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => {
                        trailers.extend(frame.into_trailers().unwrap_or_default());
                        continue;
                    }
                };
                length += data.len() as u64;
                buffered.push_back(data);
                if length > max_bytes {
                    return (CollectedBody::TooLong(buffered, incoming), trailers);
                }
            }
            Err(error) => return (CollectedBody::Broken(error), trailers),
        }
    }
    (CollectedBody::Whole(join(buffered, length)), trailers)
}

fn join(mut parts: VecDeque<Bytes>, length: u64) -> Bytes {
    match parts.len() {
        0 => Bytes::new(),
        1 => parts.pop_front().unwrap_or_default(),
        _ => {
            let mut joined = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            for part in parts {
                joined.extend_from_slice(&part);
            }
            joined.into()
        }
    }
}
