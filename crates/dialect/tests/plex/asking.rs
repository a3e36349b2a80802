//! A request as one fluent sentence.

use std::sync::Arc;

use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::tag::{Staling, Tag, Whose};
use greenroom_dialect::verdict::{Read, Verdict, Write};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request that is being made up.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(crate) fn get(target: &str) -> Asking {
    send("GET", target)
}

pub(crate) fn send(method: &str, target: &str) -> Asking {
    let method = Method::from_bytes(method.as_bytes()).expect("a method is a token");
    Asking { method, target: target.into(), headers: HeaderMap::new(), body: Vec::new() }
}

impl Asking {
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

    pub(crate) fn verdict(&self) -> Verdict {
        Kind::Plex.classify(&self.ask(), None)
    }

    pub(crate) fn credential(&self) -> Credential {
        Kind::Plex.credential(&self.ask())
    }

    /// The read it is; anything else fails the test.
    pub(crate) fn read(&self) -> Read {
        match self.verdict() {
            Verdict::Read(read) => Arc::unwrap_or_clone(read),
            other => panic!("{} {} is {other:?}", self.method, self.target),
        }
    }

    /// The write it is; anything else fails the test.
    pub(crate) fn write(&self) -> Write {
        match self.verdict() {
            Verdict::Write(write) => *write,
            other => panic!("{} {} is {other:?}", self.method, self.target),
        }
    }

    fn ask(&self) -> Ask<'_> {
        Ask { method: &self.method, target: &self.target, headers: &self.headers, body: &self.body }
    }
}

/// Tags as words, in order.
pub(crate) fn words(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

/// Stalings as words, in alphabetical order: the tag, `^` for the items above, `*` for everybody.
pub(crate) fn told(stale: &[Staling]) -> String {
    let word = |staling: &Staling| {
        let above = if staling.with_ancestors { "^" } else { "" };
        let whose = match &staling.whose {
            Whose::Everyone => "*".to_owned(),
            Whose::Account => String::new(),
            Whose::User(user) => format!("@{user}"),
        };
        format!("{}{above}{whose}", staling.tag)
    };
    let mut all: Vec<String> = stale.iter().map(word).collect();
    all.sort();
    all.dedup();
    all.join(" ")
}

/// Whether an answer with these tags goes stale by these stalings (without looking at items above).
pub(crate) fn hits(stale: &[Staling], tags: &[Tag]) -> bool {
    stale.iter().any(|staling| staling.tag == Tag::all() || tags.contains(&staling.tag))
}
