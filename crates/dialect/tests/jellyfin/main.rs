//! The Jellyfin dialect's public interface, as the gateway uses it.

mod answers;
mod crawl;
mod frames;
mod keys;
mod lists;
mod passing;
mod reaches;
mod reads;
mod recorded_writes;
mod routes;
mod writes;

use std::sync::Arc;

use greenroom_dialect::classification::{Classification, Read, StreamReason, Write};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The client's own user.
const ME: &str = "08ca909f6d1044aa9930be392943948f";

/// Another user.
const OTHER: &str = "11111111111111111111111111111111";

const ITEM: &str = "27839354c2bcbec5c0b34ea921fc00ec";

/// Another item.
const PARENT: &str = "7a2175bccb1f1a94152cbd2b2bae8f6d";

/// `text` with its placeholders replaced by ids.
fn filled(text: &str) -> String {
    text.replace("{me}", ME).replace("{other}", OTHER).replace("{item}", ITEM).replace("{parent}", PARENT)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(*name).expect("a header's name"),
                HeaderValue::from_str(value).expect("a header's value"),
            )
        })
        .collect()
}

fn classify(method: &Method, target: &str, headers: &HeaderMap, body: &[u8], own: Option<&str>) -> Classification {
    ServerKind::Jellyfin.classify(&RequestView { method, target: &filled(target), headers, body }, own)
}

/// Classification of a plain GET by [`ME`].
fn got(target: &str) -> Classification {
    classify(&Method::GET, target, &HeaderMap::new(), &[], Some(ME))
}

fn read(target: &str) -> Read {
    read_with(target, &[], Some(ME))
}

fn read_with(target: &str, pairs: &[(&str, &str)], own: Option<&str>) -> Read {
    match classify(&Method::GET, target, &headers(pairs), &[], own) {
        Classification::Read(read) => Arc::unwrap_or_clone(read),
        other => panic!("{target} is {other:?}"),
    }
}

fn streamed(classification: &Classification) -> Option<StreamReason> {
    match classification {
        Classification::Stream(reason) => Some(*reason),
        _ => None,
    }
}

fn written(method: &str, target: &str, body: &str) -> Write {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    match classify(&method, target, &HeaderMap::new(), filled(body).as_bytes(), Some(ME)) {
        Classification::Write(write) => *write,
        other => panic!("{method} {target} is {other:?}"),
    }
}
