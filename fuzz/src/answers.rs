//! Properties of any answer of a server: what is kept is whole, and says a bounded amount.

use bytes::Bytes;
use greenroom_dialect::classification::{Classification, Read, Representation};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::response_facts::{MAX_TAGGED_ROWS, ResponseFacts, UnusableResponse};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::IgnoredAny;

use super::request::{FuzzRequest, chance, split_once};
use super::{requests, xml};

/// Tags of one answer at most: rows, what they lie under, sections, and the words for whole kinds.
const MAX_TAGS: usize = 2 * MAX_TAGGED_ROWS + 64;

/// Links of the lineage that one answer may tell.
const MAX_PARENTS: usize = 30_000;

/// An id is some ten digits or 32; what is much longer is none.
const MAX_TAG_BYTES: usize = 128;

/// Checks what must hold of an answer: the first line is the target that was asked, the second the content type,
/// the rest the body. What is no read counts as `otherwise`.
pub fn check(kind: ServerKind, form: Representation, otherwise: &str, bytes: &[u8]) {
    let (target, rest) = split_once(bytes, b"\n");
    let (content_type, body) = split_once(rest, b"\n");
    let read = read(kind, form, &String::from_utf8_lossy(target))
        .or_else(|| read(kind, form, otherwise))
        .expect("there is a read to fall back to");
    let mut headers = HeaderMap::new();
    if let Ok(content_type) = HeaderValue::from_bytes(content_type.trim_ascii()) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let body = Bytes::copy_from_slice(body);
    let said = kind.inspect(&read, &headers, &body);
    assert_eq!(said, kind.inspect(&read, &headers, &body), "an answer always says the same");
    check_complete(&read, &body, &said);
    check_facts(kind, &read, &said);
    if !body.is_empty() {
        let cut = body.slice(..chance(bytes) % body.len());
        check_complete(&read, &cut, &kind.inspect(&read, &headers, &cut));
    }
}

fn read(kind: ServerKind, form: Representation, target: &str) -> Option<Read> {
    let accept = match form {
        Representation::Json => "application/json",
        Representation::JsonCamel => "application/json; profile=\"CamelCase\"",
        Representation::Xml => "text/xml",
        Representation::Opaque => "*/*",
    };
    let mut request = FuzzRequest::parse(b"GET /").with_target(target);
    request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
    match requests::classify(kind, &request) {
        Classification::Read(read) if read.representation == form => Some((*read).clone()),
        _ => None,
    }
}

/// A stored answer is whole: another reader than the one that judged it finds its end.
fn check_complete(read: &Read, body: &[u8], said: &Result<ResponseFacts, UnusableResponse>) {
    if said.is_err() {
        return;
    }
    match read.representation {
        Representation::Xml => {
            let text = std::str::from_utf8(body).expect("kept XML is text");
            assert!(xml::is_whole(text), "kept, but not whole: {text}");
        }
        Representation::Json | Representation::JsonCamel => {
            let whole = serde_json::from_slice::<IgnoredAny>(body);
            assert!(whole.is_ok(), "kept, but not whole: {}", String::from_utf8_lossy(body));
            assert!(body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"["));
        }
        Representation::Opaque => assert!(!body.is_empty(), "nothing is kept"),
    }
}

fn check_facts(kind: ServerKind, read: &Read, said: &Result<ResponseFacts, UnusableResponse>) {
    let Ok(facts) = said else { return };
    assert!(facts.tags.len() <= MAX_TAGS, "{} tags", facts.tags.len());
    assert!(facts.parents.len() <= MAX_PARENTS, "{} links", facts.parents.len());
    for tag in &facts.tags {
        assert!(tag.as_str().len() <= MAX_TAG_BYTES, "a tag of {} bytes", tag.as_str().len());
    }
    for (item, parent) in &facts.parents {
        assert!(item.len() <= MAX_TAG_BYTES && parent.as_ref().is_none_or(|up| up.len() <= MAX_TAG_BYTES));
        assert_ne!(Some(item), parent.as_ref(), "nothing lies under itself");
    }
    assert!(facts.max_fresh_s.is_none_or(|most| most <= 60));
    let is_asked = kind == ServerKind::Jellyfin && read.target.starts_with("/Users/Me");
    assert!(facts.own_user.is_none() || is_asked, "an account is proven only where it was asked for");
}
