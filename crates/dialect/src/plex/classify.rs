//! Classifies requests. Writes come first (some are GETs, and no header may disguise one), then endless
//! streams, then the allow-list of reads.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, RANGE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method};

use crate::classification::{Classification, Read, RejectionReason, StreamReason};
use crate::path::RequestPath;
use crate::plex::credential;
use crate::plex::route::{self, PlexRoute};
use crate::plex::{read, write};
use crate::redact;
use crate::request::RequestView;

pub(super) fn classify(ask: &RequestView<'_>) -> Classification {
    let path = match RequestPath::split(ask.target) {
        Ok(path) => path,
        Err(refusal) => return Classification::Refuse(refusal),
    };
    let verdict = classify_path(ask, &path);
    path.restrict(verdict)
}

fn classify_path(ask: &RequestView<'_>, path: &RequestPath<'_>) -> Classification {
    let low: Vec<Cow<'_, str>> = path.segments.iter().map(|part| lower(part)).collect();
    let low: Vec<&str> = low.iter().map(AsRef::as_ref).collect();
    let who = credential::token(path.query, ask.headers);
    if is_setup(ask.method, &low, who.token.is_none()) {
        return Classification::Refuse(RejectionReason::Setup);
    }
    if *ask.method == Method::OPTIONS {
        return Classification::Stream(StreamReason::Moment);
    }
    if *ask.method == Method::TRACE || *ask.method == Method::CONNECT {
        return Classification::Stream(StreamReason::Odd);
    }
    if let Some(write) = write::find(ask, &low, path.query) {
        return Classification::Write(Box::new(write));
    }
    if let Some(reason) = stream_reason(ask) {
        return Classification::Stream(reason);
    }
    if who.ambiguous {
        return Classification::Stream(StreamReason::Odd);
    }
    match classify_read(ask, path) {
        Ok(read) if who.token.as_ref().is_some_and(|token| redact::contains_token(&read.key, token)) => {
            Classification::Stream(StreamReason::Odd)
        }
        Ok(read) => Classification::Read(Arc::new(read)),
        Err(reason) => Classification::Stream(reason),
    }
}

fn classify_read(ask: &RequestView<'_>, path: &RequestPath<'_>) -> Result<Read, StreamReason> {
    let parts = path.parts();
    let route = route::find(&parts).ok_or(StreamReason::Unknown)?;
    if let PlexRoute::Pass(reason) = route {
        let asks_only = reason == StreamReason::Socket && *ask.method != Method::GET;
        return Err(if asks_only { StreamReason::Moment } else { reason });
    }
    if has_body(ask.headers) {
        return Err(StreamReason::Odd);
    }
    let pictures = matches!(route, PlexRoute::Image(_) | PlexRoute::Scaled);
    if ask.headers.contains_key(RANGE) && !pictures {
        return Err(StreamReason::Media);
    }
    match route {
        PlexRoute::Read(plan) => read::text(&parts, plan, path.query, ask.headers),
        PlexRoute::Image(picture) => read::picture(&parts, picture, path.query),
        PlexRoute::Scaled => read::scaled(&parts, path.query),
        PlexRoute::Asset => read::asset(&parts, path.query),
        PlexRoute::Pass(reason) => Err(reason),
    }
}

/// Claiming, and changing settings without a token: the server trusts its own network, and behind the gateway
/// all clients look local.
fn is_setup(method: &Method, low: &[&str], anonymous: bool) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match low {
        ["myplex", "claim", ..] | ["setup", ..] => true,
        ["myplex", ..] | [":", "prefs", ..] => changes && anonymous,
        _ => false,
    }
}

/// Whether a header turns the request into an endless stream. Only a GET becomes a socket.
fn stream_reason(ask: &RequestView<'_>) -> Option<StreamReason> {
    let says = |name, fits: fn(&str) -> bool| {
        let mut lines = ask.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.any(|line| fits(&line.trim().to_ascii_lowercase()))
    };
    if *ask.method == Method::GET && says(UPGRADE, |line| line.contains("websocket")) {
        Some(StreamReason::Socket)
    } else if says(ACCEPT, |line| line.starts_with("text/event-stream")) {
        Some(StreamReason::Events)
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
