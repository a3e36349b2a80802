//! Responses of a dialect.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, TRAILER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// Body of a response.
pub type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// A response.
#[derive(Debug)]
pub struct SimulatedResponse {
    status: StatusCode,
    headers: HeaderMap,
    content: ResponseContent,
}

#[derive(Debug)]
enum ResponseContent {
    Whole(Bytes),
    /// A stream; its length if that is known.
    Stream(ResponseBody, Option<u64>),
    /// Half of the announced body.
    Half(Bytes, u64),
}

impl SimulatedResponse {
    /// A response with a whole body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let answer = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            content: ResponseContent::Whole(body.into()),
        };
        if content_type.is_empty() { answer } else { answer.with_header(CONTENT_TYPE, content_type) }
    }

    /// A response with a static text.
    pub fn text(status: u16, content_type: &str, body: &'static str) -> Self {
        Self::new(status, content_type, Bytes::from_static(body.as_bytes()))
    }

    /// A response without a body.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "", Bytes::new())
    }

    /// A response whose body is generated while it is sent.
    pub fn stream(
        status: u16,
        content_type: &str,
        length: Option<u64>,
        chunks: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Self {
        let frames = chunks.map(|chunk| Ok::<_, io::Error>(Frame::data(chunk)));
        let body = BodyExt::boxed_unsync(StreamBody::new(frames));
        Self { content: ResponseContent::Stream(body, length), ..Self::new(status, content_type, Bytes::new()) }
    }

    /// Sets a header. An invalid value is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a header beside others of this name.
    #[must_use]
    pub fn with_added_header(mut self, name: HeaderName, value: &str) -> Self {
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

    /// Its body, unless that is a stream.
    pub fn body(&self) -> Option<&Bytes> {
        match &self.content {
            ResponseContent::Whole(bytes) => Some(bytes),
            ResponseContent::Stream(..) | ResponseContent::Half(..) => None,
        }
    }

    /// Replaces the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.content = ResponseContent::Whole(body.into());
        self
    }

    /// Sends a field after the body, which `Trailer` announces. Only clients that say `TE: trailers` get it.
    #[must_use]
    pub fn with_trailer(mut self, name: HeaderName, value: &str) -> Self {
        if let (ResponseContent::Whole(bytes), Ok(value)) = (&self.content, HeaderValue::from_str(value)) {
            let mut trailers = HeaderMap::new();
            let announced = HeaderValue::from_str(name.as_str());
            trailers.insert(name, value);
            let frames = [Ok(Frame::data(bytes.clone())), Ok(Frame::trailers(trailers))];
            let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
            self.content = ResponseContent::Stream(body, None);
            self.headers.extend(announced.map(|announced| (TRAILER, announced)));
        }
        self
    }

    /// Cuts the response in the middle: announces the whole length, sends half of it.
    #[must_use]
    pub(crate) fn truncated(mut self) -> Self {
        self.content = match self.content {
            ResponseContent::Whole(bytes) => {
                let length = bytes.len() as u64;
                ResponseContent::Half(bytes.slice(..bytes.len() / 2), length)
            }
            // The beginning of a stream is enough for one that will be cut.
            ResponseContent::Stream(_, length) => {
                ResponseContent::Half(Bytes::from_static(&[0; 1024]), length.unwrap_or(4_096))
            }
            half @ ResponseContent::Half(..) => half,
        };
        self
    }

    /// Compresses a whole body with gzip, if it is not compressed already.
    #[must_use]
    pub(crate) fn compressed(mut self) -> Self {
        if let (ResponseContent::Whole(bytes), false) = (&self.content, self.headers.contains_key(CONTENT_ENCODING)) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            if encoder.write_all(bytes).is_ok()
                && let Ok(compressed) = encoder.finish()
            {
                self.content = ResponseContent::Whole(compressed.into());
                self.headers.remove(CONTENT_LENGTH);
                return self.with_header(CONTENT_ENCODING, "gzip");
            }
        }
        self
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let mut response = Response::new(match self.content {
            ResponseContent::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            ResponseContent::Stream(body, length) => {
                return finish(self.status, self.headers, body, length);
            }
            ResponseContent::Half(bytes, length) => {
                let broken = Err(io::Error::new(io::ErrorKind::BrokenPipe, "cut by a fault"));
                let frames = futures_util::stream::iter([Ok(Frame::data(bytes)), broken]);
                return finish(self.status, self.headers, StreamBody::new(frames).boxed_unsync(), Some(length));
            }
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn finish(status: StatusCode, headers: HeaderMap, body: ResponseBody, length: Option<u64>) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
