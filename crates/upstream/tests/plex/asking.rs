//! A request as one fluent sentence.

use greenroom_upstream::ask::{Ask, Kind};
use greenroom_upstream::credential::Credential;
use greenroom_upstream::tag::{Staling, Tag, Whose};
use greenroom_upstream::verdict::{Read, Verdict, Write};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request that is being made up.
#[derive(Debug, Clone)]
pub struct Asking {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub fn get(target: &str) -> Asking {
    send("GET", target)
}

pub fn send(method: &str, target: &str) -> Asking {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Asking { method, target: target.into(), headers: HeaderMap::new(), body: Vec::new() }
}

impl Asking {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn json(self) -> Self {
        self.header("Accept", "application/json")
    }

    pub fn token(self, token: &str) -> Self {
        self.header("X-Plex-Token", token)
    }

    pub fn form(mut self, body: &str) -> Self {
        self.body = body.into();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    pub fn verdict(&self) -> Verdict {
        Kind::Plex.classify(&self.ask(), None)
    }

    pub fn credential(&self) -> Credential {
        Kind::Plex.credential(&self.ask())
    }

    pub fn needs_no_token(&self) -> bool {
        greenroom_upstream::plex::needs_no_token(&self.ask())
    }

    /// The read it is; anything else fails the test.
    pub fn read(&self) -> Read {
        match self.verdict() {
            Verdict::Read(read) => *read,
            other => panic!("{} {} is {other:?}", self.method, self.target),
        }
    }

    /// The write it is; anything else fails the test.
    pub fn write(&self) -> Write {
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
pub fn words(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

/// Stalings as words, in alphabetical order: the tag, `^` for the items above, `*` for everybody.
pub fn told(stale: &[Staling]) -> String {
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
pub fn hits(stale: &[Staling], tags: &[Tag]) -> bool {
    stale.iter().any(|staling| tags.contains(&staling.tag))
}
