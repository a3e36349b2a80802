//! An answer in the making.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    /// A stream; its length if that is known.
    Flow(Body, Option<u64>),
    /// Only the first half of what is announced.
    Half(Bytes, u64),
}

impl Answer {
    /// An answer with a whole body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let answer = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            content: Content::Whole(body.into()),
        };
        if content_type.is_empty() { answer } else { answer.with(CONTENT_TYPE, content_type) }
    }

    /// An answer with a text that is known beforehand.
    pub fn text(status: u16, content_type: &str, body: &'static str) -> Self {
        Self::new(status, content_type, Bytes::from_static(body.as_bytes()))
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "", Bytes::new())
    }

    /// An answer whose body is made as it is sent.
    pub fn flow(
        status: u16,
        content_type: &str,
        length: Option<u64>,
        chunks: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Self {
        let frames = chunks.map(|chunk| Ok::<_, io::Error>(Frame::data(chunk)));
        let body = BodyExt::boxed_unsync(StreamBody::new(frames));
        Self { content: Content::Flow(body, length), ..Self::new(status, content_type, Bytes::new()) }
    }

    /// The same with this header. A value that is no header value is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same with one more header of this name.
    #[must_use]
    pub fn and(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its headers so far.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Its body, if that is whole.
    pub fn body(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Whole(bytes) => Some(bytes),
            Content::Flow(..) | Content::Half(..) => None,
        }
    }

    /// The same with another whole body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Content::Whole(body.into());
        self
    }

    /// The same, cut in the middle: the whole length is announced, half of it is sent.
    #[must_use]
    pub(crate) fn truncated(mut self) -> Self {
        self.content = match self.content {
            Content::Whole(bytes) => {
                let length = bytes.len() as u64;
                Content::Half(bytes.slice(..bytes.len() / 2), length)
            }
            // The start of a stream is enough for one that will be cut.
            Content::Flow(_, length) => {
                Content::Half(Bytes::from_static(&[0; 1024]), length.unwrap_or(4_096))
            }
            half @ Content::Half(..) => half,
        };
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(match self.content {
            Content::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            Content::Flow(body, length) => {
                return finish(self.status, self.headers, body, length);
            }
            Content::Half(bytes, length) => {
                let broken = Err(io::Error::new(io::ErrorKind::BrokenPipe, "cut by a fault"));
                let frames = futures_util::stream::iter([Ok(Frame::data(bytes)), broken]);
                return finish(
                    self.status,
                    self.headers,
                    StreamBody::new(frames).boxed_unsync(),
                    Some(length),
                );
            }
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn finish(status: StatusCode, headers: HeaderMap, body: Body, length: Option<u64>) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
