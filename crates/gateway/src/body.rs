//! The bodies that pass through: whole ones, streams, and streams whose beginning was already read.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::departure::Departing;
use crate::proxy::tap::EventTap;

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
    /// Server-sent events, each applied before it is passed on.
    Events(Box<EventTap>),
    /// One for whose end something waits.
    Departing(Box<Departing>),
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
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(incoming) => Pin::new(incoming).poll_frame(context),
            Self::Resumed { read, rest } => match read.pop_front() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Pin::new(rest).poll_frame(context),
            },
            Self::Events(tap) => Pin::new(tap.as_mut()).poll_frame(context),
            Self::Departing(departing) => departing.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(incoming) => incoming.is_end_stream(),
            Self::Resumed { read, rest } => read.is_empty() && rest.is_end_stream(),
            Self::Events(_) => false,
            Self::Departing(departing) => departing.is_end_stream(),
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
            Self::Events(_) => SizeHint::default(),
            Self::Departing(departing) => departing.size_hint(),
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
