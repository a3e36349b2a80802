//! The parts of a request: cache, key, body.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use greenroom_app_cache::{CacheName, EntryKey};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::problem::{
    AppCacheProblem, BAD_BODY, NOT_JSON, ProblemText, TOO_LONG, TOO_SLOW, UNKNOWN_CACHE, UNKNOWN_KEY,
};

/// Max time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Max bytes of a body that is neither a value nor a batch.
pub(crate) const MAX_CALL_BYTES: usize = 1024 * 1024;
/// Most characters of a key of JSON that are repeated in a problem.
const MAX_SHOWN_CHARS: usize = 60;

/// The name of a cache.
pub(crate) fn cache_name(cache: &str) -> Result<CacheName, ProblemText> {
    CacheName::parse(cache).ok_or(UNKNOWN_CACHE)
}

/// The name of a cache, and a key.
pub(crate) fn address(cache: &str, key: &str) -> Result<(CacheName, EntryKey), ProblemText> {
    Ok((cache_name(cache)?, EntryKey::parse(key).ok_or(UNKNOWN_KEY)?))
}

/// Reads a body of at most `max_bytes`.
pub(crate) async fn read_body(body: Body, max_bytes: usize) -> Result<Bytes, ProblemText> {
    // A body whose declared length is too long is refused without reading it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > max_bytes) {
        return Err(TOO_LONG);
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, max_bytes)).await.map_err(|_| TOO_SLOW)?;
    read.map_err(|error| if error.into_inner().is::<http_body_util::LengthLimitError>() { TOO_LONG } else { BAD_BODY })
}

/// Reads the JSON object of a call.
pub(crate) async fn read_call<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<T, AppCacheProblem> {
    let bytes = read_body(body, max_bytes).await?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(NOT_JSON.into());
    }
    // A list would be read as an object without its names.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(BAD_BODY.into());
    }
    let mut source = serde_json::Deserializer::from_slice(&bytes);
    let parsed = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let place: String = error.path().to_string().chars().filter(|letter| !letter.is_control()).collect();
        let place: String = place.chars().take(MAX_SHOWN_CHARS).collect();
        let inner = error.inner();
        // What was sent is not repeated, but for the name of the key.
        AppCacheProblem::BadBody(match inner.classify() {
            serde_json::error::Category::Data => {
                format!("A key is missing or unknown, or its value is not valid, at {place}.")
            }
            _ => format!("The JSON is incomplete or invalid at line {}, column {}.", inner.line(), inner.column()),
        })
    })?;
    source.end().map_err(|_| AppCacheProblem::BadBody("There is more after the JSON object.".to_owned()))?;
    Ok(parsed)
}
