//! The Jellyfin dialect from outside: what the gateway sees of it.

mod answers;
mod crawl;
mod frames;
mod keys;
mod passing;
mod reads;
mod writes;

use std::sync::Arc;

use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::verdict::{Read, StreamReason, Verdict, Write};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The user who asks.
const ME: &str = "08ca909f6d1044aa9930be392943948f";

/// Another user.
const OTHER: &str = "11111111111111111111111111111111";

/// An item.
const ITEM: &str = "27839354c2bcbec5c0b34ea921fc00ec";

/// Another item.
const PARENT: &str = "7a2175bccb1f1a94152cbd2b2bae8f6d";

/// `text` with the marks for ids filled in.
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

fn judged(method: &Method, target: &str, headers: &HeaderMap, body: &[u8], own: Option<&str>) -> Verdict {
    Kind::Jellyfin.classify(&Ask { method, target: &filled(target), headers, body }, own)
}

/// The verdict on a plain GET by [`ME`].
fn got(target: &str) -> Verdict {
    judged(&Method::GET, target, &HeaderMap::new(), &[], Some(ME))
}

fn read(target: &str) -> Read {
    read_with(target, &[], Some(ME))
}

fn read_with(target: &str, pairs: &[(&str, &str)], own: Option<&str>) -> Read {
    match judged(&Method::GET, target, &headers(pairs), &[], own) {
        Verdict::Read(read) => Arc::unwrap_or_clone(read),
        other => panic!("{target} is {other:?}"),
    }
}

fn streamed(verdict: &Verdict) -> Option<StreamReason> {
    match verdict {
        Verdict::Stream(reason) => Some(*reason),
        _ => None,
    }
}

fn written(method: &str, target: &str, body: &str) -> Write {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    match judged(&method, target, &HeaderMap::new(), filled(body).as_bytes(), Some(ME)) {
        Verdict::Write(write) => *write,
        other => panic!("{method} {target} is {other:?}"),
    }
}
