//! The dialect of Plex.
//!
//! Plex has no rule that separates reads from writes: several writes are GETs, paging comes in headers or in
//! the query, order matters in a query, and most responses carry user state. So everything here goes by
//! tables:
//! - `classify`: classifies requests; writes before streams before reads.
//! - `write` and `library_write`: the table of writes; `params`: their parameters; `invalidation`:
//!   invalidations for each kind of change.
//! - `route` and `library`: the allow-list of reads; `filter`: refinements by query.
//! - `query`, `vary`, `representation`, `read`: the canonical key and the upstream request rebuilt from it.
//! - `image`: URLs inside requests for scaled images.
//! - `credential`: tokens and clients. `anonymous`: requests without a token.
//! - `body`, `body_xml`, `body_json`, `rows`: whether a response is cacheable, and its facts.
//! - `notification`, `webhook`: messages the server sends by itself.
//! - `error`: error bodies for clients. `identity`: the server's identity in either representation.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::anonymous_access::AnonymousAccess;
use crate::classification::{Classification, Read, Representation};
use crate::credential::Credential;
use crate::request::RequestView;
use crate::response_facts::{ResponseFacts, UnusableResponse};
use crate::server_event::{PlaybackState, ServerEvent};
use crate::tag::TagInvalidation;

mod anonymous;
mod body;
mod body_json;
mod body_xml;
mod classify;
mod credential;
mod error;
mod filter;
mod identity;
mod image;
mod invalidation;
mod library;
mod library_write;
pub(crate) mod notification;
pub mod page;
pub(crate) mod params;
mod query;
mod read;
mod representation;
mod route;
mod rows;
mod vary;
mod webhook;
mod write;

pub use webhook::webhook;

/// Invalidations for a moved change counter of a section: its lists and all its items.
pub fn section_changed(section: &str) -> Vec<TagInvalidation> {
    invalidation::section_whole(section)
}

/// Every kind of image that an item can have.
pub(crate) fn image_kinds() -> &'static [&'static str] {
    &library::PICTURES
}

pub(crate) fn identity_in_format(json: &Bytes, format: Representation) -> Option<(&'static str, Bytes)> {
    identity::in_format(json, format)
}

pub(crate) fn classify(request: &RequestView<'_>) -> Classification {
    classify::classify(request)
}

pub(crate) fn anonymous_access(method: &Method, parts: &[&str]) -> AnonymousAccess {
    anonymous::anonymous_access(method, parts)
}

/// Whether parameters of a write may be in its body.
pub(crate) fn reads_body(request: &RequestView<'_>) -> bool {
    params::is_form(request.headers)
}

pub(crate) fn credential(request: &RequestView<'_>) -> Credential {
    credential::from_request(request)
}

pub(crate) fn credential_headers(credential: &Credential) -> Vec<(HeaderName, HeaderValue)> {
    credential::headers(credential)
}

pub(crate) fn without_empty_tokens(target: &str) -> Cow<'_, str> {
    credential::without_empty_tokens(target)
}

pub(crate) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<ResponseFacts, UnusableResponse> {
    body::inspect(read, headers, body)
}

pub(crate) fn parse_frame(frame: &[u8]) -> Vec<ServerEvent> {
    notification::parse(frame)
}

pub(crate) fn playback_invalidations(item: &str, state: PlaybackState) -> Vec<TagInvalidation> {
    invalidation::playback_invalidations(item, state)
}

pub(crate) fn error_body(representation: Representation, status: u16, message: &str) -> (&'static str, Bytes) {
    error::body(representation, status, message)
}
