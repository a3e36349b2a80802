//! Properties of any webhook: only its payload counts, and it only ever makes stale.

use std::sync::LazyLock;

use bytes::Bytes;
use greenroom_dialect::plex::webhook;
use greenroom_proxy::stream::webhook as receiver;
use tokio::runtime::{Builder, Runtime};

use super::request::split_once;

/// More answers than this are never named one by one by a webhook.
const MAX_STALINGS: usize = 64;

/// The boundary of a form that is made here.
const BOUNDARY: &str = "----7d1f54c25c3e5a";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime can be had"));

/// Checks what must hold of a webhook: the first line is its content type, the rest its body.
pub fn check(bytes: &[u8]) {
    let (content_type, body) = split_once(bytes, b"\n");
    if let Some(payload) = payload(&String::from_utf8_lossy(content_type), body) {
        let is_inside = payload.is_empty() || body.windows(payload.len()).any(|window| window == &payload[..]);
        assert!(is_inside, "a payload is part of its body");
        makes_stale_only(&payload);
    }
    makes_stale_only(body);
    is_found(body);
}

fn makes_stale_only(payload: &[u8]) {
    let stale = webhook(payload);
    assert_eq!(stale, webhook(payload), "a payload always says the same");
    assert!(stale.len() <= MAX_STALINGS, "{} stalings", stale.len());
}

/// A payload is found in a form beside other fields, as it was put in.
fn is_found(payload: &[u8]) {
    if payload.windows(BOUNDARY.len()).any(|window| window == BOUNDARY.as_bytes()) {
        return;
    }
    let field = |name: &str, value: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), value, b"\r\n"].concat()
    };
    let form = [field("thumb", b"\xff\xd8\xff"), field("payload", payload), format!("--{BOUNDARY}--\r\n").into_bytes()];
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let found = self::payload(&content_type, &form.concat());
    assert_eq!(found.as_deref(), Some(payload), "the payload of a form is found");
}

fn payload(content_type: &str, body: &[u8]) -> Option<Bytes> {
    RUNTIME.block_on(receiver::payload(content_type, Bytes::copy_from_slice(body)))
}
