//! A request with slots in place of ids.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Read;

/// Longest request in bytes that is recorded.
const MAX_TEMPLATE_BYTES: usize = 1024;

/// The kind of object a template requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateSubject {
    /// An item or its descendants, identified by its id.
    Item,
    /// The episodes of one season of a show, identified by both ids.
    Season,
    /// A picture, identified by its path, or by an item's id and the picture's tag.
    Picture,
}

/// Values of a template's slots: one or two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateArgs {
    first: String,
    second: Option<String>,
}

impl TemplateArgs {
    /// One value.
    pub(super) fn one(first: impl Into<String>) -> Self {
        Self { first: first.into(), second: None }
    }

    /// Two values.
    pub(super) fn two(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self { first: first.into(), second: Some(second.into()) }
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum TemplatePiece {
    Text(String),
    First,
    Second,
}

/// Positions of the first and the second value in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateSlots {
    pub(super) first: Range<usize>,
    pub(super) second: Option<Range<usize>>,
}

/// A client's request for one kind of object: its canonical request without ids and without any credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestTemplate {
    subject: TemplateSubject,
    class: Class,
    pieces: Vec<TemplatePiece>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl RequestTemplate {
    /// The kind of object it requests.
    pub fn subject(&self) -> TemplateSubject {
        self.subject
    }

    /// Its request type.
    pub fn class(&self) -> Class {
        self.class
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Cuts the values out of a read's target.
    pub(super) fn from_read(subject: TemplateSubject, read: &Read, spans: &TemplateSlots) -> Option<Self> {
        if read.target.len() > MAX_TEMPLATE_BYTES {
            return None;
        }
        let mut parts = vec![(spans.first.clone(), TemplatePiece::First)];
        parts.extend(spans.second.clone().map(|span| (span, TemplatePiece::Second)));
        parts.sort_by_key(|(span, _)| span.start);
        let (mut pieces, mut at) = (Vec::new(), 0);
        for (span, part) in parts {
            pieces.push(TemplatePiece::Text(read.target.get(at..span.start)?.to_owned()));
            pieces.push(part);
            at = span.end;
        }
        pieces.push(TemplatePiece::Text(read.target.get(at..)?.to_owned()));
        Some(Self { subject, class: read.class, pieces, headers: read.headers.clone() })
    }

    /// The target with these values in its slots.
    pub(super) fn fill(&self, args: &TemplateArgs) -> String {
        let mut target = String::new();
        for piece in &self.pieces {
            target.push_str(match piece {
                TemplatePiece::Text(text) => text,
                TemplatePiece::First => &args.first,
                TemplatePiece::Second => args.second.as_deref().unwrap_or_default(),
            });
        }
        target
    }
}
