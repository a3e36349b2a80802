//! An entry as a response: its value in the body, its state in headers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use greenroom_app_cache::entry::StoredEntry;
use greenroom_app_cache::lookup::EntryLookup;
use greenroom_app_cache::name::{MAX_TAG_BYTES, MAX_TAGS};
use greenroom_cache::Timestamp;
use http::StatusCode;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};

use crate::parameters::{entity_tag, sequence_of};
use crate::problem::NO_ENTRY;

/// Result of the lookup [RFC 9211].
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Age of the entry in milliseconds.
const AGE_MS: HeaderName = HeaderName::from_static("greenroom-age-ms");
/// Time until it expires, negative if it is stale; absent if it never does.
const LEFT_MS: HeaderName = HeaderName::from_static("greenroom-left-ms");
/// Time until its stale time ends.
const STALE_LEFT_MS: HeaderName = HeaderName::from_static("greenroom-stale-left-ms");
/// Its tags, each percent-encoded, separated by commas.
const TAGS: HeaderName = HeaderName::from_static("greenroom-tags");
/// Its version, percent-encoded.
const VERSION: HeaderName = HeaderName::from_static("greenroom-version");
/// Max bytes of the tags header; further tags are left out. It has room for all allowed tags, even percent-encoded.
const MAX_TAGS_BYTES: usize = 3 * MAX_TAG_BYTES + MAX_TAGS;

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The response to a lookup.
pub(crate) fn of_lookup(lookup: EntryLookup, headers: &HeaderMap, now_ms: Timestamp) -> Response {
    let is_hit = matches!(lookup, EntryLookup::Hit(_));
    let Some(found) = lookup.into_entry() else {
        let mut response = NO_ENTRY.into_response();
        response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("greenroom; fwd=miss"));
        return response;
    };
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| {
        found.sequence > 0 && known.split(',').any(|tag| sequence_of(tag.trim()) == Some(found.sequence))
    });
    let mut response = of_entry(found, is_hit, now_ms);
    if is_known && is_hit {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
    }
    response
}

/// An entry as a response.
pub(crate) fn of_entry(found: StoredEntry, is_hit: bool, now_ms: Timestamp) -> Response {
    let mut headers = HeaderMap::new();
    let signed = |at: Timestamp| i128::from(at.as_millis()) - i128::from(now_ms.as_millis());
    let mut set = |name: HeaderName, value: String| {
        // Always valid: stored values came from headers, or are percent-encoded here.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    let age_ms = now_ms.millis_since(found.stored_ms);
    let tier = found.tier.name();
    let left_ms = found.entry.expires_ms.map(signed);
    let ttl = left_ms.map(|left_ms| format!("; ttl={}", left_ms.div_euclid(1000))).unwrap_or_default();
    let word = if is_hit { "hit" } else { "hit; fwd=stale" };
    set(CACHE_STATUS, format!("greenroom; {word}{ttl}; detail={tier}"));
    set(CONTENT_TYPE, found.entry.media_type);
    set(AGE, (age_ms / 1000).to_string());
    set(AGE_MS, age_ms.to_string());
    if let Some(left_ms) = left_ms {
        set(LEFT_MS, left_ms.to_string());
    }
    if let Some(dies_ms) = found.entry.dies_ms {
        set(STALE_LEFT_MS, signed(dies_ms).to_string());
    }
    if found.sequence > 0 {
        set(ETAG, entity_tag(found.sequence));
    }
    let tags: Vec<String> = found.entry.tags.as_slice().iter().map(|tag| percent_encoded(tag)).collect();
    let tags = tags.join(",");
    if !tags.is_empty() && tags.len() <= MAX_TAGS_BYTES {
        set(TAGS, tags);
    }
    if !found.entry.version.is_empty() {
        set(VERSION, percent_encoded(&found.entry.version));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A browser must never show a stored value as a page of this origin.
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    (headers, Body::from(found.entry.value)).into_response()
}

/// Letters, digits and `-._~` as they are, everything else as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                encoded.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(HEX_DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}
