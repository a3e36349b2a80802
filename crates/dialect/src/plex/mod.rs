//! The dialect of Plex.
//!
//! Plex has no rule by which a read can be told from a write: several writes are GETs, paging comes in headers or
//! in the query, order matters in a query, and most answers carry state of the user who asked. So everything here
//! goes by tables:
//! - `classify`: what a request is; writes before streams before reads.
//! - `write` and `library_write`: the table of writes; `params`: what they name; `stale`: what each kind of
//!   change makes stale.
//! - `route` and `library`: the allow-list of reads; `filter`: what their query adds.
//! - `query`, `lifted`, `representation`, `read`: the canonical key and the request rebuilt from it.
//! - `image`: addresses inside scaled images.
//! - `credential`: who asks. `anonymous`: what is asked without a token.
//! - `body`, `body_xml`, `body_json`, `rows`: whether an answer may be kept and what it says.
//! - `notification`, `webhook`: what the server tells on its own.
//! - `error`: error bodies clients can read.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::ask::Ask;
use crate::credential::Credential;
use crate::facts::{Facts, Unfit};
use crate::open::Open;
use crate::signal::{Playing, Signal};
use crate::tag::Staling;
use crate::verdict::{Read, Representation, Verdict};

mod anonymous;
mod body;
mod body_json;
mod body_xml;
mod classify;
mod credential;
mod error;
mod filter;
mod image;
mod introduction;
mod library;
mod library_write;
mod lifted;
pub(crate) mod notification;
pub(crate) mod params;
mod query;
mod read;
mod representation;
mod route;
mod rows;
mod stale;
mod webhook;
mod write;

pub use webhook::webhook;

/// What the moved change counter of a section means: its lists and everything that comes from it are stale.
pub fn section_changed(section: &str) -> Vec<Staling> {
    stale::section_whole(section)
}

pub(crate) fn introduction(json: &Bytes, form: Representation) -> Option<(&'static str, Bytes)> {
    introduction::in_form(json, form)
}

pub(crate) fn classify(ask: &Ask<'_>) -> Verdict {
    classify::classify(ask)
}

pub(crate) fn open(method: &Method, parts: &[&str]) -> Open {
    anonymous::open(method, parts)
}

/// Whether parameters of a write may stand in its body.
pub(crate) fn reads_body(ask: &Ask<'_>) -> bool {
    params::is_form(ask.headers)
}

pub(crate) fn credential(ask: &Ask<'_>) -> Credential {
    credential::of(ask)
}

pub(crate) fn credential_headers(credential: &Credential) -> Vec<(HeaderName, HeaderValue)> {
    credential::headers(credential)
}

pub(crate) fn without_empty_tokens(target: &str) -> Cow<'_, str> {
    credential::without_empty_tokens(target)
}

pub(crate) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Unfit> {
    body::inspect(read, headers, body)
}

pub(crate) fn frame(frame: &[u8]) -> Vec<Signal> {
    notification::read(frame)
}

pub(crate) fn playing(item: &str, state: Playing) -> Vec<Staling> {
    stale::playing(item, state)
}

pub(crate) fn error_body(
    representation: Representation,
    status: u16,
    message: &str,
) -> (&'static str, Bytes) {
    error::body(representation, status, message)
}
