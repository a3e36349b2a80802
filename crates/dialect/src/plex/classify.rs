//! Classifies requests. Writes come first (some are GETs, and no header may disguise one), then endless
//! streams, then the allow-list of reads.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method};

use crate::classification::{Classification, Read, RejectionReason, StreamReason};
use crate::path::RequestPath;
use crate::plex::credential;
use crate::plex::route::{self, PlexRoute};
use crate::plex::{read, write};
use crate::redact;
use crate::request::RequestView;

pub(super) fn classify(request: &RequestView<'_>) -> Classification {
    let path = match RequestPath::split(request.target) {
        Ok(path) => path,
        Err(refusal) => return Classification::Refuse(refusal),
    };
    let classification = classify_path(request, &path);
    path.restrict(classification)
}

fn classify_path(request: &RequestView<'_>, path: &RequestPath<'_>) -> Classification {
    let lowercase: Vec<Cow<'_, str>> = path.segments.iter().map(|part| lower(part)).collect();
    let lowercase: Vec<&str> = lowercase.iter().map(AsRef::as_ref).collect();
    let found = credential::token(path.query, request.headers);
    if is_setup(request.method, &lowercase, found.token.is_none()) {
        return Classification::Refuse(RejectionReason::Setup);
    }
    if *request.method == Method::OPTIONS {
        return Classification::Stream(StreamReason::Moment);
    }
    if *request.method == Method::TRACE || *request.method == Method::CONNECT {
        return Classification::Stream(StreamReason::Odd);
    }
    if let Some(write) = write::find(request, &lowercase, path.query) {
        return Classification::Write(Box::new(write));
    }
    if let Some(reason) = stream_reason(request, path) {
        return Classification::Stream(reason);
    }
    if found.ambiguous {
        return Classification::Stream(StreamReason::Odd);
    }
    match classify_read(request, path) {
        Ok(read) if found.token.as_ref().is_some_and(|token| redact::contains_token(&read.key, token)) => {
            Classification::Stream(StreamReason::Odd)
        }
        Ok(read) => Classification::Read(Arc::new(read)),
        Err(reason) => Classification::Stream(reason),
    }
}

fn classify_read(request: &RequestView<'_>, path: &RequestPath<'_>) -> Result<Read, StreamReason> {
    let parts = path.parts();
    let route = route::find(&parts).ok_or(StreamReason::Unknown)?;
    if let PlexRoute::Pass(reason) = route {
        let is_other_method = reason == StreamReason::Socket && *request.method != Method::GET;
        return Err(if is_other_method { StreamReason::Moment } else { reason });
    }
    if has_body(request.headers) {
        return Err(StreamReason::Odd);
    }
    // A range is ignored: the whole response is a valid answer to it, and what is streamed is known by its path.
    match route {
        PlexRoute::Read(plan) => read::text(&parts, plan, path.query, request.headers),
        PlexRoute::Image(picture) => read::picture(&parts, picture, path.query),
        PlexRoute::Scaled => read::scaled(&parts, path.query),
        PlexRoute::Asset => read::asset(&parts, path.query),
        PlexRoute::Pass(reason) => Err(reason),
    }
}

/// Claiming, and changing settings without a token: the server trusts its own network, and behind the gateway
/// all clients look local.
fn is_setup(method: &Method, lowercase: &[&str], anonymous: bool) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match lowercase {
        ["myplex", "claim", ..] | ["setup", ..] => true,
        ["myplex", ..] | [":", "prefs", ..] => changes && anonymous,
        _ => false,
    }
}

/// Reason for which a header keeps the request from being a read: it asks for an endless stream on a path that is not
/// known to have one, so the server decides. Only a GET becomes a socket.
fn stream_reason(request: &RequestView<'_>, path: &RequestPath<'_>) -> Option<StreamReason> {
    let route = route::find(&path.parts());
    if matches!(route, Some(PlexRoute::Pass(StreamReason::Socket | StreamReason::Events))) {
        return None;
    }
    let has_header = |name, matches: fn(&str) -> bool| {
        let mut values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| matches(&value.trim().to_ascii_lowercase()))
    };
    if *request.method == Method::GET && has_header(UPGRADE, |value| value.contains("websocket")) {
        Some(StreamReason::Upgrade)
    } else if has_header(ACCEPT, |value| value.starts_with("text/event-stream")) {
        Some(StreamReason::Odd)
    } else {
        None
    }
}

/// Whether the request has a body. A read has none; a GET with one may mean something else to the server.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length.as_bytes() != b"0")
}

fn lower(part: &str) -> Cow<'_, str> {
    let has_upper = part.bytes().any(|byte| byte.is_ascii_uppercase());
    if has_upper { Cow::Owned(part.to_ascii_lowercase()) } else { Cow::Borrowed(part) }
}
