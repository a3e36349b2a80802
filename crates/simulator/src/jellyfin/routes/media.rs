//! Media files, whole or in part.

use http::header::{ACCEPT_RANGES, CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::{JellyfinBody, JellyfinResponse};
use crate::jellyfin::response_context::item_id_of;

/// Bytes of the font that every film carries for its subtitles.
const FONT: &[u8] = b"OTTO a simulated font";

/// Everything below `/Videos` and `/Audio`: the stream of an item and its fonts, which need no token.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    match (&ask.method, parts) {
        (&Method::GET, [_, id, stream]) if *stream == "universal" || stream.starts_with("stream") => file(ask, id),
        (&Method::GET, ["videos", id, _, "attachments", "0"]) => {
            JellyfinRequest::id(id)?;
            Ok(JellyfinResponse::bytes("application/octet-stream", FONT))
        }
        (&Method::GET, ["videos", id, "additionalparts"]) => {
            ask.caller()?;
            JellyfinRequest::id(id)?;
            Ok(super::lists::paged(ask, Vec::new(), Some(0), 0))
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// The bytes of an item's file.
pub(super) fn file(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let item = item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?;
    let file = ask.context.state.view().record(item).and_then(|record| record.file).ok_or(JellyfinError::NotFound)?;
    let content_type = match file.container {
        "mkv" => "video/x-matroska",
        "mp4" => "video/mp4",
        "flac" => "audio/flac",
        _ => "audio/mpeg",
    };
    let range = ask.headers.get(RANGE).and_then(|value| value.to_str().ok());
    let part = range.map_or(Ok(None), |range| parse_range(range, file.bytes))?;
    let (start, length) = part.unwrap_or((0, file.bytes));
    let mut reply = JellyfinResponse::bytes(content_type, "");
    reply.body = JellyfinBody::File { item: u64::from(item.0), start, length };
    reply.put(ACCEPT_RANGES, "bytes");
    if part.is_some() {
        reply.status = StatusCode::PARTIAL_CONTENT;
        reply.put(CONTENT_RANGE, &format!("bytes {start}-{}/{}", start + length - 1, file.bytes));
    }
    Ok(reply)
}

/// Start and length of the requested range. For several ranges, or a header that is no range of bytes, the whole.
fn parse_range(range: &str, bytes: u64) -> Result<Option<(u64, u64)>, JellyfinError> {
    let Some(range) = range.strip_prefix("bytes=").filter(|range| !range.contains(',')) else {
        return Ok(None);
    };
    let Some((first, last)) = range.split_once('-') else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(bytes.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, bytes.saturating_sub(1)),
        (Err(_), Ok(0)) if first.is_empty() => return Err(JellyfinError::Range(bytes)),
        (Err(_), Ok(tail)) if first.is_empty() => (bytes.saturating_sub(tail), bytes.saturating_sub(1)),
        _ => return Ok(None),
    };
    if part.0 >= bytes { Err(JellyfinError::Range(bytes)) } else { Ok(Some((part.0, part.1 - part.0 + 1))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_from_either_end() {
        assert_eq!(parse_range("bytes=0-99", 1_000), Ok(Some((0, 100))));
        assert_eq!(parse_range("bytes=900-", 1_000), Ok(Some((900, 100))));
        assert_eq!(parse_range("bytes=-10", 1_000), Ok(Some((990, 10))));
        assert_eq!(parse_range("bytes=990-5000", 1_000), Ok(Some((990, 10))));
    }

    #[test]
    fn what_lies_outside_is_refused_and_what_is_no_range_is_ignored() {
        assert_eq!(parse_range("bytes=1000-", 1_000), Err(JellyfinError::Range(1_000)));
        assert_eq!(parse_range("bytes=-0", 1_000), Err(JellyfinError::Range(1_000)));
        assert_eq!(parse_range("bytes=5-4", 1_000), Ok(None));
        assert_eq!(parse_range("items=0-1", 1_000), Ok(None));
        assert_eq!(parse_range("bytes=0-1,5-6", 1_000), Ok(None));
    }
}
