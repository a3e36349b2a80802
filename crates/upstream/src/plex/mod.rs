//! The dialect of Plex.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::ask::Ask;
use crate::credential::Credential;
use crate::facts::{Facts, Unfit};
use crate::signal::{Playing, Signal};
use crate::tag::Staling;
use crate::verdict::{Read, Representation, StreamReason, Verdict};

pub(crate) fn classify(ask: &Ask<'_>) -> Verdict {
    Verdict::Stream(StreamReason::Unknown)
}

pub(crate) fn credential(ask: &Ask<'_>) -> Credential {
    Credential::default()
}

pub(crate) fn credential_headers(credential: &Credential) -> Vec<(HeaderName, HeaderValue)> {
    Vec::new()
}

pub(crate) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Unfit> {
    Ok(Facts::default())
}

pub(crate) fn frame(frame: &[u8]) -> Vec<Signal> {
    Vec::new()
}

pub(crate) fn playing(item: &str, state: Playing) -> Vec<Staling> {
    Vec::new()
}

pub(crate) fn error_body(
    representation: Representation,
    status: u16,
    message: &str,
) -> (&'static str, Bytes) {
    ("text/plain", Bytes::new())
}
