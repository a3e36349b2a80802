//! A request with holes where it names things.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use crate::class::Class;
use crate::verdict::Read;

/// A longer request is not remembered.
const MAX_PHRASE_BYTES: usize = 1024;

/// What a phrase asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// An item, or what lies below it: named by its id.
    Item,
    /// The episodes of one season of a show: named by both ids.
    Season,
    /// A picture: named by its path, or by an item's id and the picture's tag.
    Picture,
}

/// What a request names: one word or two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Words {
    first: String,
    second: Option<String>,
}

impl Words {
    /// One word.
    pub(super) fn one(first: impl Into<String>) -> Self {
        Self { first: first.into(), second: None }
    }

    /// Two words.
    pub(super) fn two(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self { first: first.into(), second: Some(second.into()) }
    }
}

/// A piece of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Piece {
    Text(String),
    First,
    Second,
}

/// Where a target says the first and the second word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) first: Range<usize>,
    pub(super) second: Option<Range<usize>>,
}

/// How a client asks for one sort of thing: its canonical request, without the names and without any credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Phrase {
    thing: Thing,
    class: Class,
    pieces: Vec<Piece>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Phrase {
    /// What it asks for.
    pub fn thing(&self) -> Thing {
        self.thing
    }

    /// The class of what it asks for.
    pub fn class(&self) -> Class {
        self.class
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Cuts the words out of a read's target.
    pub(super) fn cut(thing: Thing, read: &Read, spans: &Spans) -> Option<Self> {
        if read.target.len() > MAX_PHRASE_BYTES {
            return None;
        }
        let mut holes = vec![(spans.first.clone(), Piece::First)];
        holes.extend(spans.second.clone().map(|span| (span, Piece::Second)));
        holes.sort_by_key(|(span, _)| span.start);
        let (mut pieces, mut at) = (Vec::new(), 0);
        for (span, hole) in holes {
            pieces.push(Piece::Text(read.target.get(at..span.start)?.to_owned()));
            pieces.push(hole);
            at = span.end;
        }
        pieces.push(Piece::Text(read.target.get(at..)?.to_owned()));
        Some(Self { thing, class: read.class, pieces, headers: read.headers.clone() })
    }

    /// The target with these words in its holes.
    pub(super) fn fill(&self, words: &Words) -> String {
        let mut target = String::new();
        for piece in &self.pieces {
            target.push_str(match piece {
                Piece::Text(text) => text,
                Piece::First => &words.first,
                Piece::Second => words.second.as_deref().unwrap_or_default(),
            });
        }
        target
    }
}
