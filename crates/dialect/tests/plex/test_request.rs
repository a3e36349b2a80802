//! Builder for test requests.

use std::sync::Arc;

use greenroom_dialect::classification::{Classification, Read, Write};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request under construction.
#[derive(Debug, Clone)]
pub(crate) struct TestRequest {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(crate) fn get(target: &str) -> TestRequest {
    send("GET", target)
}

pub(crate) fn send(method: &str, target: &str) -> TestRequest {
    let method = Method::from_bytes(method.as_bytes()).expect("a method is a token");
    TestRequest { method, target: target.into(), headers: HeaderMap::new(), body: Vec::new() }
}

impl TestRequest {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name is a token");
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value is printable"));
        self
    }

    pub(crate) fn json(self) -> Self {
        self.header("Accept", "application/json")
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("X-Plex-Token", token)
    }

    pub(crate) fn form(mut self, body: &str) -> Self {
        self.body = body.into();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn classification(&self) -> Classification {
        ServerKind::Plex.classify(&self.ask(), None)
    }

    pub(crate) fn credential(&self) -> Credential {
        ServerKind::Plex.credential(&self.ask())
    }

    /// Classifies the request as a read; anything else fails the test.
    pub(crate) fn read(&self) -> Read {
        match self.classification() {
            Classification::Read(read) => Arc::unwrap_or_clone(read),
            other => panic!("{} {} is {other:?}", self.method, self.target),
        }
    }

    /// Classifies the request as a write; anything else fails the test.
    pub(crate) fn write(&self) -> Write {
        match self.classification() {
            Classification::Write(write) => *write,
            other => panic!("{} {} is {other:?}", self.method, self.target),
        }
    }

    fn ask(&self) -> RequestView<'_> {
        RequestView { method: &self.method, target: &self.target, headers: &self.headers, body: &self.body }
    }
}

/// Tags as text, in order.
pub(crate) fn tag_names(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

/// Invalidations as text, in alphabetical order: the tag, `^` with ancestors, `*` for everyone.
pub(crate) fn describe(stale: &[TagInvalidation]) -> String {
    let word = |staling: &TagInvalidation| {
        let above = if staling.with_ancestors { "^" } else { "" };
        let whose = match &staling.audience {
            Audience::Everyone => "*".to_owned(),
            Audience::Account => String::new(),
            Audience::User(user) => format!("@{user}"),
        };
        format!("{}{above}{whose}", staling.tag)
    };
    let mut all: Vec<String> = stale.iter().map(word).collect();
    all.sort();
    all.dedup();
    all.join(" ")
}

/// Whether a response with these tags is invalidated (ignoring ancestors).
pub(crate) fn hits(stale: &[TagInvalidation], tags: &[Tag]) -> bool {
    stale.iter().any(|staling| staling.tag == Tag::all() || tags.contains(&staling.tag))
}
