//! What a request is. Writes are told first (some are GETs, and no header may disguise one), then what never ends,
//! then the allow-list of reads.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, RANGE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method};

use crate::ask::Ask;
use crate::path::Path;
use crate::plex::credential;
use crate::plex::route::{self, Route};
use crate::plex::{read, write};
use crate::redact;
use crate::verdict::{Read, Refusal, StreamReason, Verdict};

pub(super) fn classify(ask: &Ask<'_>) -> Verdict {
    let path = match Path::split(ask.target) {
        Ok(path) => path,
        Err(refusal) => return Verdict::Refuse(refusal),
    };
    let verdict = judge(ask, &path);
    path.temper(verdict)
}

fn judge(ask: &Ask<'_>, path: &Path<'_>) -> Verdict {
    let low: Vec<Cow<'_, str>> = path.segments.iter().map(|part| lower(part)).collect();
    let low: Vec<&str> = low.iter().map(AsRef::as_ref).collect();
    let who = credential::token(path.query, ask.headers);
    if is_setup(ask.method, &low, who.token.is_none()) {
        return Verdict::Refuse(Refusal::Setup);
    }
    if *ask.method == Method::OPTIONS {
        return Verdict::Stream(StreamReason::Moment);
    }
    if *ask.method == Method::TRACE || *ask.method == Method::CONNECT {
        return Verdict::Stream(StreamReason::Odd);
    }
    if let Some(write) = write::of(ask, &low, path.query) {
        return Verdict::Write(Box::new(write));
    }
    if let Some(reason) = endless(ask) {
        return Verdict::Stream(reason);
    }
    if who.ambiguous {
        return Verdict::Stream(StreamReason::Odd);
    }
    match reading(ask, path) {
        Ok(read) if who.token.as_ref().is_some_and(|token| redact::shows_token(&read.key, token)) => {
            Verdict::Stream(StreamReason::Odd)
        }
        Ok(read) => Verdict::Read(Arc::new(read)),
        Err(reason) => Verdict::Stream(reason),
    }
}

fn reading(ask: &Ask<'_>, path: &Path<'_>) -> Result<Read, StreamReason> {
    let parts = path.parts();
    let route = route::of(&parts).ok_or(StreamReason::Unknown)?;
    if let Route::Pass(reason) = route {
        let asks_only = reason == StreamReason::Socket && *ask.method != Method::GET;
        return Err(if asks_only { StreamReason::Moment } else { reason });
    }
    if has_body(ask.headers) {
        return Err(StreamReason::Odd);
    }
    let pictures = matches!(route, Route::Image(_) | Route::Scaled);
    if ask.headers.contains_key(RANGE) && !pictures {
        return Err(StreamReason::Media);
    }
    match route {
        Route::Read(plan) => read::text(&parts, plan, path.query, ask.headers),
        Route::Image(picture) => read::picture(&parts, picture, path.query),
        Route::Scaled => read::scaled(&parts, path.query),
        Route::Asset => read::asset(&parts, path.query),
        Route::Pass(reason) => Err(reason),
    }
}

/// Claiming, and changing settings without a token: the server trusts whoever is near it, and behind the gateway
/// everybody is.
fn is_setup(method: &Method, low: &[&str], anonymous: bool) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match low {
        ["myplex", "claim", ..] | ["setup", ..] => true,
        ["myplex", ..] | [":", "prefs", ..] => changes && anonymous,
        _ => false,
    }
}

/// What a header makes endless. Only a GET becomes a socket.
fn endless(ask: &Ask<'_>) -> Option<StreamReason> {
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

/// A read has no body; one that has may mean something else to the server.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length.as_bytes() != b"0")
}

fn lower(part: &str) -> Cow<'_, str> {
    let has_upper = part.bytes().any(|byte| byte.is_ascii_uppercase());
    if has_upper { Cow::Owned(part.to_ascii_lowercase()) } else { Cow::Borrowed(part) }
}
