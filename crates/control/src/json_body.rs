//! JSON bodies of the API: request bodies, read within limits, and responses of actions.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::error::Problem;

/// Maximum size of a request body.
const MAX_BODY_BYTES: usize = 4096;
/// Time limit for receiving the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Result of an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionResponse {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmed: Option<usize>,
}

impl ActionResponse {
    /// A successful action with this message.
    pub fn succeeded(message: String) -> Self {
        Self { success: true, message, warmed: None }
    }

    /// A successful warming of this many responses.
    pub fn warmed(message: String, responses: usize) -> Self {
        Self { success: true, message, warmed: Some(responses) }
    }
}

/// A small JSON object read from the request body.
pub struct JsonBody<T>(Option<T>);

impl<T> JsonBody<T> {
    /// The parsed body; a missing body is rejected.
    pub fn required(self) -> Result<T, Problem> {
        self.0.ok_or(Problem::BAD_BODY)
    }
}

impl<T: Default> JsonBody<T> {
    /// The parsed body, or the default if there is none.
    pub fn or_default(self) -> T {
        self.0.unwrap_or_default()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        read_json(&parts.headers, body).await.map(Self)
    }
}

/// Parses the body as JSON; `None` if it is empty.
async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<Option<T>, Problem> {
    let bytes = read_body(body, MAX_BODY_BYTES, BODY_TIMEOUT).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        return Err(Problem::NOT_JSON);
    }
    parse_object(&bytes)
}

/// A response body as JSON.
pub fn to_json(response: &impl Serialize) -> String {
    serde_json::to_string(response).expect("a response serializes to JSON")
}

/// True if the content type is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    has_media_type(headers, "application/json")
}

/// True if the content type is this media type, with or without parameters.
pub fn has_media_type(headers: &HeaderMap, media_type: &str) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

/// Parses a JSON object; `None` for `null`. Arrays are rejected, although serde would read one as a struct.
pub fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, Problem> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        return Err(Problem::BAD_BODY);
    }
    serde_json::from_slice(bytes).map_err(|_| Problem::BAD_BODY)
}

/// Reads a body of at most `max_bytes` bytes within `timeout`.
pub async fn read_body(body: Body, max_bytes: usize, timeout: Duration) -> Result<Bytes, Problem> {
    // A body whose declared length is too long is rejected without reading it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > max_bytes) {
        return Err(Problem::TOO_LONG);
    }
    let result = tokio::time::timeout(timeout, to_bytes(body, max_bytes)).await.map_err(|_| Problem::TOO_SLOW)?;
    result.map_err(|error| {
        let is_long = error.into_inner().is::<http_body_util::LengthLimitError>();
        if is_long { Problem::TOO_LONG } else { Problem::BAD_BODY }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ServerSelector {
        server: Option<String>,
    }

    async fn read_as(content_type: &'static str, body: impl Into<Body>) -> Result<Option<ServerSelector>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        read_json(&headers, body.into()).await
    }

    #[tokio::test]
    async fn a_body_is_json_or_empty() {
        let named = read_as("Application/JSON; charset=utf-8", r#"{"server":"home"}"#).await;
        assert_eq!(named.expect("valid JSON").expect("a body").server.as_deref(), Some("home"));
        assert!(read_as("text/plain", "").await.expect("an empty body is valid").is_none());
        assert_eq!(read_as("text/plain", r#"{"server":"home"}"#).await.err(), Some(Problem::NOT_JSON));
    }

    #[tokio::test]
    async fn a_body_with_unknown_fields_or_too_many_bytes_is_rejected() {
        for body in [r#"{"server":"home","class":"lists"}"#, "[]x", "{", r#"{"server":1}"#, " [null]", "[]"] {
            assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY), "{body}");
        }
        let long = format!(r#"{{"server":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
        assert_eq!(read_as("application/json", long).await.err(), Some(Problem::TOO_LONG));
        assert!(read_as("application/json", "null").await.expect("null is valid").is_none());
    }

    #[tokio::test]
    async fn a_body_of_undeclared_length_is_read_up_to_the_limit() {
        let pieces = (0..64).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 100])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::TOO_LONG));
        let broken = [Err(std::io::Error::other("connection lost")), Ok(Bytes::new())];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_times_out() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(read_as("application/json", endless).await.err(), Some(Problem::TOO_SLOW));
    }
}
